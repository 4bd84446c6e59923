"""Connection: uvicorn's HTTP, with an end for who connects and does not ask or does not listen.

uvicorn waits for ever for the head of a first request, and for a client to take its answer.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from pneumoscope.serve.limits import Limits
from pneumoscope.serve.problem import MEDIA_TYPE, Problem

MOST_HEAD = 16 << 10
"""Bytes of the head of a request."""

_LOOKS = 5
"""How often a connection is looked at while it may wait for a head."""


class Connection(H11Protocol):
    """One connection, within ``limits``."""

    limits = Limits()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.access_log = False  # it quotes paths, and what else clients sent

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look: asyncio.TimerHandle | None = None
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            Problem(
                400,
                "the request is no HTTP that is read here",
                expected=f"HTTP/1.1 with one Host, and a head of at most {MOST_HEAD >> 10} KiB",
            )
        )

    def _look_later(self) -> None:
        self._look = self.loop.call_later(self.limits.head_wait / _LOOKS, self._look_now)

    def _look_now(self) -> None:
        waited = self.loop.time() - self._since
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            if waited > self.limits.head_wait:
                self._end()
                return
        elif not self.cycle.response_started:
            # While a film is read and its body comes, others count the seconds.
            self._since = self.loop.time()
        elif waited > self.limits.send_wait:
            self.transport.abort()
            return
        self._look_later()

    def _end(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(Problem(408, "the head of the request comes too slowly"))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer, and close, without what the parser makes of it: it is in no state to."""
        body = problem.body("-")
        status = HTTPStatus(problem.status)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
