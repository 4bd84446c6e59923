"""Listener: hears what a long piece of work does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Advance = Callable[[int, int], None]
"""Called with what is done, and how much there is in all."""


class Listener(Protocol):
    """Hears what a long piece of work does. The command line shows it; a library may ignore it."""

    def stage(self, title: str) -> None:
        """A new piece of work begins."""

    def choice(self, what: str, choice: str, why: str) -> None:
        """Something was chosen automatically, and why."""

    def note(self, text: str) -> None:
        """Something about the data that the user should know."""

    def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """What was found out, a name and a sentence a row."""

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        """``done`` of ``total`` units of the present stage are done."""


class Silent:
    """The listener that ignores everything."""

    def stage(self, title: str) -> None:
        pass

    def choice(self, what: str, choice: str, why: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        pass

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        pass
