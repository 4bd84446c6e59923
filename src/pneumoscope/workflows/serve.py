"""Serving: a run or an export, and who may ask it, from the request to the running service."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import DataNotFound, InputError
from pneumoscope.inference.exported import is_export, open_export
from pneumoscope.listener import Listener, Silent
from pneumoscope.run import no_run
from pneumoscope.serve.border.guard import Access
from pneumoscope.serve.border.hosts import Hosts, is_loopback
from pneumoscope.serve.limits import Limits
from pneumoscope.serve.server import listen, run
from pneumoscope.serve.service import Served, Service
from pneumoscope.workflows.explain.pictures import pictures_of_export, pictures_of_run

_SHORTEST = 16
"""Characters of a token."""


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What the user asked for: the ``model``, where to listen, who may ask (``hosts`` are names
    beside ``host``), and how many ``megabytes`` a body has at most."""

    model: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token_file: Path | None = None
    megabytes: int = 64
    hosts: tuple[str, ...] = ()


def serve(
    request: ServeRequest,
    *,
    told: Callable[[str, Service], None] | None = None,
    listener: Listener | None = None,
) -> None:
    """Serve until told to end. ``told`` is given the address and the service when films are read.

    Raises InputError where others could ask without a token, or nothing can listen there, NotARun
    and BadWeights for the model.
    """
    listener = listener or Silent()
    folder = request.model.expanduser()
    if not folder.is_dir():
        raise no_run(folder)
    token = _token(request, listener)
    listening = listen(request.host, request.port)
    address = _address(request.host, listening.getsockname()[1])
    service = Service(lambda: opened(folder), Limits(megabytes=request.megabytes))
    access = Access(Hosts(request.host, request.hosts), token)
    listener.stage(f"Load the model, and listen at {address}")
    with listening:
        run(service, access, listening, lambda: told(address, service) if told else None)


def opened(folder: Path) -> Served:
    """The model of a folder, ready to read, and what draws its heat. Raises NotARun, BadWeights."""
    if is_export(folder):
        model = open_export(folder)
        return Served(model, "export", pictures_of_export(model).picture)
    # torch takes seconds to load, and an export needs none.
    from pneumoscope.devices import choose_device, use_all_cores
    from pneumoscope.inference.members import load_members
    from pneumoscope.training.allocator import keep_freed_memory

    keep_freed_memory()
    use_all_cores()
    device = choose_device()
    members = load_members(folder)
    ready = members.ready(device)
    try:
        draw = pictures_of_run(members, device).picture
    except InputError:  # a backbone of which none can be drawn answers without
        return Served(ready, "run")
    return Served(ready, "run", draw)


def _token(request: ServeRequest, listener: Listener) -> bytes | None:
    """The token of the file, None where there is none. Raises InputError where one is needed."""
    file = request.token_file
    if file is None:
        if is_loopback(request.host):
            return None
        raise InputError(
            "others can reach this service, and it asks nobody for a token",
            got=f"--host {request.host}",
            expected="--host 127.0.0.1, which only this machine reaches, or a token",
            remedy='python -c "import secrets; print(secrets.token_urlsafe())" > token; chmod 600 '
            "token; then add --token-file token",
        )
    try:
        token = file.expanduser().read_text("ascii").strip()
        mode = file.expanduser().stat().st_mode
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "not ASCII"
        raise DataNotFound("the token cannot be read", got=f"{file} ({why})") from None
    if len(token) < _SHORTEST or any(each.isspace() for each in token):
        raise InputError(
            "the token is none that nobody guesses",
            got=f"{len(token)} characters in {file}",
            expected=f"one word of {_SHORTEST} characters or more",
            remedy='python -c "import secrets; print(secrets.token_urlsafe())" > token',
        )
    if os.name == "posix" and mode & stat.S_IROTH:  # as in containers, where nobody else is
        listener.note(f"everybody on this machine can read the token: chmod 600 {file}")
    return token.encode("ascii")


def _address(host: str, port: int) -> str:
    host = host.strip("[]")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
