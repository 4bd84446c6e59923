"""``pneumoscope explain``: heatmaps of a trained model, and how far they can be trusted."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.cli.screen import Screen, short


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the verb, as typed."""

    run: Path
    films: tuple[str, ...]
    methods: tuple[str, ...]
    count: int | None
    out: Path | None


def explain(asked: Asked) -> None:
    """Draw the heatmaps, say what they are worth, and name the page."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.report.explain.words import summary
        from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run

        request = ExplainRequest(asked.run, asked.films, asked.methods, asked.count)
        command = shlex.join(["pneumoscope", *sys.argv[1:]])
        folder, about = explain_run(request, out=asked.out, command=command, listener=screen)
        screen.stage(f"{len(about['films'])} films explained")
        for line in summary(about):
            screen.note(line)
        screen.line(f"Everything is in {short(folder)}")
        screen.line(f"Next: open {short(folder / 'explain.html')} in a browser")
