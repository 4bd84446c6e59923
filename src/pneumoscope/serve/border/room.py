"""Room: how many requests and how many bytes of bodies the service holds at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pneumoscope.serve.problem import Problem, busy


class Room:
    """Holds ``requests`` with ``size`` bytes together, and no more."""

    def __init__(self, requests: int, size: int) -> None:
        self._requests, self._size = requests, size
        self.held = self.bytes = 0

    @contextmanager
    def place(self, expected: int) -> Iterator[Place]:
        """Room for a request whose body has ``expected`` bytes, 0 where it does not say. Raises
        Problem, 503, where there is none."""
        # What is said is not reserved: who says much and sends nothing would keep others out.
        if self.held >= self._requests or self.bytes + expected > self._size:
            raise full()
        place = Place(self)
        self.held += 1
        try:
            yield place
        finally:
            self.held -= 1
            self.bytes -= place.bytes

    def take(self, count: int) -> None:
        """Hold so many bytes more. Raises Problem, 503."""
        if self.bytes + count > self._size:
            raise full()
        self.bytes += count


class Place:
    """The bytes of one request."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.bytes = 0

    def grow(self, size: int) -> None:
        """Hold ``size`` bytes in all. Raises Problem, 503."""
        if size > self.bytes:
            self._room.take(size - self.bytes)
            self.bytes = size


def full() -> Problem:
    """503: what waits is as much as is held."""
    return busy("more films wait than are held at once")
