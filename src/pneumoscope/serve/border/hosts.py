"""Hosts: the names by which this service may be asked for.

A page of a stranger can make a browser ask this machine under the stranger's own name (DNS
rebinding), and would then read the answer. Such a request names a host that is not one of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address


class Hosts:
    """The host that the service listens on, ``localhost`` and loopback addresses, and those that
    are ``allowed`` too. Listening on every address it answers for every address: names alone can
    be rebound."""

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        self._names = {_name(each) for each in (host, "localhost", *allowed)}
        self._any = is_any(host)

    def known(self, given: str) -> bool:
        """Whether ``given``, a host with or without a port, is one of them."""
        name = _name(given)
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._any or address.is_loopback


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_any(host: str) -> bool:
    """Whether ``host`` is every address of this machine."""
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _name(host: str) -> str:
    """Without port, brackets and the dot at the end."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return name.rstrip(".")
