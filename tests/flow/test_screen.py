"""What a terminal shows while it is not known how much there is to do."""

from __future__ import annotations

import io
import time

from rich.console import Console

from pneumoscope.cli.screen import Screen


def shown(terminal: bool) -> str:
    out = io.StringIO()
    with Screen(Console(file=out, force_terminal=terminal, width=60)) as screen:
        time.sleep(0.25)  # as if a folder were listed
        first = out.getvalue()
        screen.stage("Found 3 films")
        screen.progress(1, 3, "film")
        screen.line("done")
    return first


def test_a_bar_moves_from_the_first_moment() -> None:
    frames = {frame for frame in shown(terminal=True).split("\r") if "━" in frame}
    assert len(frames) > 1  # it moves


def test_a_file_has_no_bar() -> None:
    assert shown(terminal=False) == ""
