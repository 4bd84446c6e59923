"""Guard: what stands before the framework, and answers first.

It checks host, token and length before a byte of the body is taken, finds room for the body, turns
every error into a problem, and writes the log: a line a request, with its id, form, bytes,
milliseconds and status. Nothing in it was named by a client.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from pneumoscope.serve.border.hosts import Hosts
from pneumoscope.serve.border.request import Gone, Request, too_large
from pneumoscope.serve.problem import Problem
from pneumoscope.serve.service import Service

READ = "/v1/read"
OPEN = frozenset(("/", "/healthz", "/readyz", "/openapi.json"))
"""What is answered without a token."""
PATHS = OPEN | {READ, "/v1/model", "/metrics"}

_PROBES = frozenset(("/healthz", "/readyz", "/metrics"))
"""What machines ask every few seconds, which would fill the log."""

REQUEST = "pneumoscope.request"
"""The key of a scope under which its Request is."""

_GONE = 499
"""In the log and the counts, of a client that went away; nobody is sent it."""

log = logging.getLogger("pneumoscope.serve")


@dataclass(frozen=True, slots=True)
class Access:
    """Who is answered: by the host that they ask for, and by a token where there is one."""

    hosts: Hosts
    token: bytes | None = None

    def check(self, request: Request) -> None:
        """Raise Problem for who is not: 421, 403, 401."""
        if not self.hosts.known(request.headers.get("host", "")):
            raise Problem(
                421,
                "the host is not one that this service answers for",
                expected="a Host header with the host that the service was started with",
                remedy="behind a proxy: start it with --allowed-host NAME",
            )
        origin = request.headers.get("origin")
        if origin is not None and not self.hosts.known(origin.partition("://")[2]):
            raise Problem(
                403,
                "a page of another origin may not ask this service",
                expected="the page of the service itself, or a program",
            )
        if self.token is not None and request.path not in OPEN:
            self._check_token(request.headers.get("authorization", ""), self.token)

    def _check_token(self, given: str, token: bytes) -> None:
        scheme, _, word = given.partition(" ")
        same = hmac.compare_digest(word.strip().encode("latin-1", "replace"), token)
        if not same or scheme.lower() != "bearer":
            raise Problem(
                401,
                "the token is missing, or another one",
                expected="Authorization: Bearer TOKEN",
                remedy="ask whoever runs this service for its token",
                headers={"WWW-Authenticate": "Bearer"},
            )


class Guard:
    """The outermost application of ``service``; ``app`` is the framework's."""

    def __init__(self, app: ASGIApp, service: Service, access: Access) -> None:
        self._app, self._service, self._access = app, service, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in PATHS else "-"
        request = Request(scope, receive, send, path, self._service.limits)
        try:
            await self._answer(request)
        except Problem as problem:
            await request.refuse(problem)
        except Gone:
            request.status = _GONE
        except Exception as error:  # nobody foresaw it: said without what was sent
            log.error("%s failed: %s", request.id, type(error).__name__)
            await request.refuse(failed())
        finally:
            self._service.counts.add(request.path, request.status, request.received, request.age)
            level = logging.DEBUG if request.path in _PROBES else logging.INFO
            log.log(level, "%s", request.line())

    async def _answer(self, request: Request) -> None:
        self._access.check(request)
        scope = {**request.scope, REQUEST: request}
        if request.path != READ or scope["method"] != "POST":
            await self._app(scope, request.receive, request.send)
            return
        length, limits = request.length or 0, self._service.limits
        if length > limits.body:
            raise too_large(limits, f"{length:,} bytes")
        self._service.check_ready()
        with self._service.room.place(length) as request.place:
            await self._app(scope, request.receive, request.send)


def failed() -> Problem:
    """500: what nobody foresaw."""
    return Problem(500, "the service failed, and the film is not at fault")
