"""``pneumoscope explain``: heatmaps of a trained model, and how far they can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import RunArgument, command_line, out_option
from pneumoscope.cli.screen import Screen, short


def explain(
    run: RunArgument,
    films: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE|DIR]…", help="Films, and folders of films; else test films of RUN"
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="gradcam, gradcam++, hirescam, eigencam, occlusion; repeat it"
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(metavar="N", help="How many films to show; at most 64")
    ] = None,
    out: Annotated[Path | None, out_option("explain")] = None,
) -> None:
    """Draw heatmaps of a trained model, and say how far they can be trusted."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.report.explain.words import summary
        from pneumoscope.workflows.explain.explain import ExplainRequest, explain_run

        request = ExplainRequest(run, tuple(films or ()), tuple(method or ()), count)
        folder, found = explain_run(request, out=out, command=command_line(), listener=screen)
        screen.stage(f"{len(found.films)} films explained")
        for line in summary(found):
            screen.note(line)
        screen.line(f"Everything is in {short(folder)}")
        screen.line(f"Next: open {short(folder / 'explain.html')} in a browser")
