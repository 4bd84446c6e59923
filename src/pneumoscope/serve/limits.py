"""Limits of the service: how much of everything it takes, holds and waits for."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What no request exceeds. Times are in seconds.

    A body has ``megabytes`` MiB and ``films`` films at most; it may take ``body_wait`` and a second
    more for every ``slowest`` bytes. ``requests`` are held at once, with ``held`` times the largest
    body together, and ``waiting`` films: who comes beyond is asked to come again. A connection has
    ``head_wait`` to send the head of its next request and ``send_wait`` to take an answer; there
    are ``connections`` of them. A film is decoded within ``decode_wait`` in a process that takes
    ``decode_mib`` MiB more than it begins with. ``drain_wait`` is what unfinished answers have when
    the service ends.
    """

    megabytes: int = 64
    films: int = 16
    requests: int = 128
    held: int = 4
    waiting: int = 256
    body_wait: float = 20.0
    slowest: int = 50_000
    head_wait: float = 15.0
    send_wait: float = 60.0
    connections: int = 512
    decode_wait: float = 30.0
    decode_mib: int = 2048
    drain_wait: float = 60.0

    @property
    def body(self) -> int:
        """Bytes of the largest body."""
        return self.megabytes * MIB

    @property
    def all_bodies(self) -> int:
        """Bytes of all bodies that are held at once."""
        return self.held * self.body
