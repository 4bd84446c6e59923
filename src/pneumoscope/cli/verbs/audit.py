"""``pneumoscope audit``: every check on a data set, on screen, as JSON and as a page."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import typer

from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.verbs.prepare import show_findings
from pneumoscope.records import DataRequest

_SEVERE = 3


def audit(request: DataRequest, against: str | None, *, strict: bool, out: Path | None) -> None:
    """Audit ``request``, show the findings, and end with 3 where ``strict`` and one is severe."""
    with Screen() as screen:
        screen.stage("Start")  # the imports below take a second
        from pneumoscope.workflows.audit import audit_data

        other = None
        if against:  # what was said of the form and the tables of the one is not true of the other
            other = replace(request, data=against, form=None, labels=None, columns={})
        command = shlex.join(["pneumoscope", *sys.argv[1:]])
        found, page = audit_data(request, other, out=out, command=command, listener=screen)
        screen.stage(f"{len(found.findings)} findings in {found.name}")
        show_findings(found.findings, screen)
        screen.line(f"Everything is in {short(page.parent)}")
        screen.line(f"Next: open {short(page)} in a browser")
    if strict and found.severe:
        raise typer.Exit(_SEVERE)
