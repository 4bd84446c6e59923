"""What the user sees while work is going on: a bar with rate and time left, choices as lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pneumoscope.cli import interrupts
from pneumoscope.errors import printable

_LINE_EVERY = 15.0
"""Seconds between progress lines where there is no terminal to redraw."""


class Screen:
    """A listener that shows; use it as a context."""

    def __init__(self, console: Console | None = None) -> None:
        # In a terminal lines break between words; a file keeps them whole.
        self.console = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._bar = Progress(
            BarColumn(bar_width=None),  # what the others leave of the line
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("left  {task.fields[note]}", markup=False),
            console=self.console,
            expand=True,
            transient=True,
        )
        self._task: TaskID | None = None
        self._last_line = 0.0

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self._bar.start()
            self._move()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:  # elsewhere rich would print an empty line
            self._bar.stop()

    def stage(self, title: str) -> None:
        self._title(title)
        self._move()

    def _title(self, title: str) -> None:
        self._clear()
        self._last_line = time.monotonic()
        self.console.print(f"[bold]{_plain(title)}[/bold]")

    def choice(self, what: str, choice: str, why: str) -> None:
        self.console.print(f"  {_plain(what)}: {_plain(choice)} [dim]({_plain(why)})[/dim]")

    def note(self, text: str) -> None:
        self.console.print(f"  [dim]note:[/dim] {_plain(text)}")

    def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        self._title(title)
        if self.console.soft_wrap:  # a file keeps lines whole
            for name, text in rows:
                self.console.print(f"  {_plain(name)}: {_plain(text)}")
            return
        table = Table(box=None, padding=(0, 0, 0, 2), show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(_plain(name), _plain(text))
        self.console.print(table)

    def paragraph(self, text: str, lead: str = "") -> None:
        """A paragraph of the result after its ``lead`` in bold: indented as a whole, and broken
        between words also in a file."""
        said = Text(f"{printable(lead)} ", "bold") if lead else Text()
        said.append(printable(text), "not bold")
        self.console.print(Padding(said, (0, 0, 0, 2), expand=False), soft_wrap=False)

    def line(self, text: str) -> None:
        """A line of the result, never broken: a path must stay whole."""
        self.console.print(printable(text), markup=False, soft_wrap=True)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        interrupts.check()
        if not self.console.is_terminal:
            self._line(done, total, unit, note)
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total, note=note)
        self._bar.update(self._task, completed=done, total=total, note=note)
        if done >= total:
            self._clear()

    def _line(self, done: int, total: int, unit: str, note: str) -> None:
        now = time.monotonic()
        if now - self._last_line < _LINE_EVERY:
            return
        self._last_line = now
        self.console.print(f"  {unit} {done:,}/{total:,}  {escape(note)}")

    def _move(self) -> None:
        """A bar that only moves, until it is known how much there is to do: while a set is opened
        or a model is loaded."""
        if self.console.is_terminal:
            self._task = self._bar.add_task("", total=None, note="")

    def _clear(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
            self._bar.refresh()  # else it stands a while longer, below the next lines


def short(path: Path) -> str:
    """``path`` as the user would type it from here."""
    here = Path.cwd()
    return printable(path.relative_to(here) if path.is_relative_to(here) else path)


def _plain(text: str) -> str:
    """``text`` for the console: neither markup nor terminal codes of a file name take effect."""
    return escape(printable(text))
