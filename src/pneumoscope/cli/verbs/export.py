"""``pneumoscope export``: a finished model as one file that answers as it does, without torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import RunArgument, out_option
from pneumoscope.cli.screen import Screen, short


def export(
    run: RunArgument,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Where the films of RUN lie now, if moved")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="In int8: faster, judged on the validation films")
    ] = False,
    openvino: Annotated[
        bool, typer.Option("--openvino", help="Prove it in OpenVINO too, which then reads it")
    ] = False,
    out: Annotated[Path | None, out_option("export")] = None,
) -> None:
    """Write a finished RUN as one ONNX file that answers as it does."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.export.export import ExportRequest
        from pneumoscope.workflows.export.export import export as work

        folder = work(ExportRequest(run, data, int8, openvino), out=out, listener=screen)
        _show(folder, screen)


def _show(folder: Path, screen: Screen) -> None:
    from pneumoscope.export.words import certificate_rows
    from pneumoscope.run import Run

    files = Run(folder)
    screen.facts("It answers as the run does", list(certificate_rows(files.model()["export"])))
    screen.line(f"The export is in {short(folder)}; the run is not altered")
    screen.line(f"Next: pneumoscope predict {shlex.quote(short(folder))} FILMS")
    screen.line("Research use only: not a medical device.")
