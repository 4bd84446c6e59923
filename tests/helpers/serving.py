"""A service with a model that needs no file: it runs in a thread, or answers within the test."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import numpy as np

from pneumoscope.inference.model import Engine, Model
from pneumoscope.readings import OperatingPoint
from pneumoscope.records import Grey, InputSpec
from pneumoscope.serve.border.guard import Access
from pneumoscope.serve.border.hosts import Hosts
from pneumoscope.serve.limits import Limits
from pneumoscope.serve.server import Server, listen
from pneumoscope.serve.service import Served, Service

POINTS = (
    OperatingPoint("youden", 0.5, "maximum youden", "val"),
    OperatingPoint("sensitivity", 0.01, "sensitivity >= 0.95", "val"),
)


class Brightness(Engine):
    """A logit that follows from the mean grey level alone."""

    def batch(self, films: Grey) -> np.ndarray:
        return (films.mean((1, 2), dtype=np.float64) - 110) / 9


MODEL = Model(Brightness(), "brightness", "cpu", InputSpec(40, 40), POINTS, None, "calibrated", {})


def served() -> Served:
    """The model, and pictures of heat that are its film's bytes."""
    return Served(MODEL, "export", lambda square: b"heat of %d" % square.shape[0])


def service(limits: Limits | None = None) -> Service:
    """A service that knows its model, and has no decoder yet."""
    made = Service(served, limits or Limits())
    made.use(served())
    return made


class Running(NamedTuple):
    """A service that listens: its address, itself, and a client that knows the address."""

    url: str
    service: Service
    client: httpx.Client


@contextmanager
def running(limits: Limits | None = None, *, loads: bool = True) -> Iterator[Running]:
    """Serve in a thread, on a free port, until the test is over; one that never ``loads`` listens
    soon."""
    is_ready, is_over = threading.Event(), threading.Event()
    there = Service(served if loads else lambda: _never(is_ready, is_over), limits or Limits())
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        server = Server(there, Access(Hosts("127.0.0.1")), is_ready.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.run_on(listening)))
        thread.start()
        try:
            assert is_ready.wait(60)
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=30) as client:
                yield Running(url, there, client)
        finally:
            is_over.set()
            server.handle_exit(15, None)
            thread.join(30)
            assert not thread.is_alive()


def _never(begun: threading.Event, over: threading.Event) -> Served:
    begun.set()
    over.wait(30)
    return served()
