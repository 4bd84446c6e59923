"""Server: listens, runs the service until it is told to end, and then answers what waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from pneumoscope.errors import InputError, WorkerLost
from pneumoscope.serve.app import application
from pneumoscope.serve.border.connection import MOST_HEAD, Connection
from pneumoscope.serve.border.guard import Access
from pneumoscope.serve.limits import Limits
from pneumoscope.serve.service import Service

_BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections at ``host`` and ``port``, any free port for 0. Raises
    InputError."""
    try:
        return _bound(host.strip("[]"), port)
    except OSError as error:
        raise InputError(
            "the service cannot listen there",
            got=f"--host {host} --port {port} ({error.strerror or error})",
            expected="an address of this machine, and a port that nobody listens on",
            remedy="name another --port",
        ) from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with contextlib.ExitStack() as failing:
        bound = failing.enter_context(socket.socket(family, kind, protocol))
        if sys.platform != "win32":  # where it would let two services share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        failing.pop_all()
    return bound


def run(
    service: Service, access: Access, listening: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer what waits and return; ``ready`` is called when
    films are read. A second signal ends it at once. Raises what loading raises."""
    _log_to_stderr()
    asyncio.run(Server(service, access, ready).run_on(listening))


class Server(uvicorn.Server):
    """uvicorn's, which goes on listening while it drains, so that who asks is told."""

    def __init__(self, service: Service, access: Access, ready: Callable[[], None]) -> None:
        limits = service.limits
        super().__init__(
            uvicorn.Config(
                application(service, access),
                http=_connection(limits),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                h11_max_incomplete_event_size=MOST_HEAD,
                timeout_keep_alive=round(limits.head_wait),
                timeout_graceful_shutdown=round(limits.drain_wait),
            )
        )
        # What they have to say quotes what clients sent.
        for loud in ("uvicorn.error", "python_multipart.multipart"):
            logging.getLogger(loud).setLevel(logging.CRITICAL + 1)
        self._service, self._ready = service, ready
        self._asked = asyncio.Event()

    async def run_on(self, listening: socket.socket) -> None:
        """Serve on a socket, and close it. Raises what loading raises."""
        self._loop = asyncio.get_running_loop()
        life = asyncio.create_task(self._live())
        try:
            await self.serve([listening])
        finally:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
            await self._service.stop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again at its end, which is not how a service ends well.
        self.force_exit = self.should_exit = self._asked.is_set()
        self._loop.call_soon_threadsafe(self._asked.set)

    async def _live(self) -> None:
        """Load, be ready, wait for the signal, drain."""
        try:
            starting = asyncio.create_task(self._service.start())
            asked = asyncio.create_task(self._asked.wait())
            await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._ready()
                await asked
            await self._service.drain()
        except OSError as error:
            raise WorkerLost("the service cannot start its decoders", got=str(error)) from error
        finally:
            self.should_exit = True


def _connection(limits: Limits) -> type[Connection]:
    return type("Connection", (Connection,), {"limits": limits})


def _log_to_stderr() -> None:
    """The service's own lines, with the time of each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log = logging.getLogger("pneumoscope.serve")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
