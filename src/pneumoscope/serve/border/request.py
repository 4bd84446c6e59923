"""Request: one request as it is answered: its id, what was received, and what was sent."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from starlette.types import Message, Receive, Scope, Send

from pneumoscope.serve.border.room import Place
from pneumoscope.serve.limits import MIB, Limits
from pneumoscope.serve.problem import MEDIA_TYPE, Problem

_SAFE = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""Headers of every answer, where it does not bring its own."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_LEFT_OUT = MIB
"""Bytes of a body that are passed over at most, so that a connection can be used again."""


class Gone(Exception):
    """The client went away before its body had ended."""


class Request:
    """``path`` is one of the service's own, ``-`` for any other; ``forms`` are those of its films.

    ``receive`` and ``send`` are the framework's: the one counts bytes and seconds of the body, the
    other adds the headers of every answer.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, path: str, limits: Limits
    ) -> None:
        self.scope, self.path = scope, path
        self.id = uuid4().hex[:12]
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.place: Place | None = None
        self.forms: list[str] = []
        self.status = self.received = 0
        self._receive, self._send, self._limits = receive, send, limits
        self._begun = time.monotonic()
        self._ended = False

    @property
    def age(self) -> float:
        """Seconds since its head came."""
        return time.monotonic() - self._begun

    @property
    def length(self) -> int | None:
        """Bytes that its body is said to have, None where that is not said."""
        said = self.headers.get("content-length", "")
        if said.isdecimal():
            return int(said)
        return None if "transfer-encoding" in self.headers else 0

    def line(self) -> str:
        """For the log: nothing in it was sent by the client but whole numbers."""
        form = "+".join(sorted(set(self.forms))) or "-"
        method = self.scope["method"] if self.scope["method"] in _METHODS else "-"
        return (
            f"{self.id} {method} {self.path} {form} {self.received} bytes "
            f"{self.age * 1000:.0f} ms {self.status}"
        )

    async def receive(self) -> Message:
        """The next part of the body. Raises Problem for one that is too large, or too slow, or for
        which there is no room."""
        if self._ended:
            return await self._receive()
        limits = self._limits
        until = limits.body_wait + self.received / limits.slowest
        try:
            async with asyncio.timeout(max(0.0, until - self.age)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408,
                "the body comes more slowly than is waited for",
                got=f"{self.received:,} bytes in {self.age:.0f} s",
                expected=f"{limits.slowest // 1000} kB/s after the first {limits.body_wait:.0f} s",
            ) from None
        if message["type"] == "http.disconnect":
            raise Gone
        self.received += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self.received > limits.body:
            raise too_large(limits, f"more than {limits.body:,} bytes")
        if self.place:
            self.place.grow(self.received)
        return message

    async def send(self, message: Message) -> None:
        """Send it, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in message["headers"]}
            added = [each for each in _SAFE.items() if each[0] not in own]
            added.append((b"x-request-id", self.id.encode()))
            if not self._ends_soon():
                added.append((b"connection", b"close"))
            message = {**message, "headers": [*message["headers"], *added]}
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun."""
        if self.status:
            return
        body = problem.body(self.id)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            **problem.headers,
        }
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        start = {"type": "http.response.start", "status": problem.status, "headers": pairs}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})

    def _ends_soon(self) -> bool:
        """Whether what is left of the body is so little that the server may pass it over."""
        return self._ended or (self.length is not None and self.length - self.received <= _LEFT_OUT)


def too_large(limits: Limits, got: str) -> Problem:
    """413 for a body of so many bytes."""
    return Problem(
        413,
        "the body is larger than is read here",
        got=got,
        expected=f"at most {limits.megabytes} MiB",
        remedy="send fewer films at once, or start the service with a larger --max-mb",
    )
