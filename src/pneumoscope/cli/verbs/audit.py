"""``pneumoscope audit``: every check on a data set, on screen, as JSON and as a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import (
    DataOptions,
    SitesArgument,
    command_line,
    out_option,
    with_data_options,
)
from pneumoscope.cli.results import show_findings
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.sites import request_of

_SEVERE = 3
"""Exit code of ``--strict`` where a finding is severe."""


@with_data_options
def audit(
    data: SitesArgument,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="A second set: do they share films? Again for its options: NAME:labels=FILE",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a finding is severe")
    ] = False,
    out: Annotated[Path | None, out_option("audit")] = None,
    *,
    data_options: DataOptions,
) -> None:
    """Look for duplicates, divided patients, bad films and shortcuts, and write a page."""
    request = request_of(data, data_options)
    # Words for classes mean the same there; its form, its table and that one's columns are its own.
    own = replace(data_options, form=None, labels=None, column=None)
    other = request_of(against, own) if against else None
    with Screen() as screen:
        screen.stage("Start")  # the imports below take a second
        from pneumoscope.report.audit.tables import count_words
        from pneumoscope.workflows.audit import audit_data

        found, page = audit_data(request, other, out=out, command=command_line(), listener=screen)
        screen.stage(f"{found.name}: {count_words(found.found, len(found.not_provable))}")
        show_findings(found.findings, screen)
        screen.line(f"Everything is in {short(page.parent)}")
        screen.line(f"Next: open {short(page)} in a browser")
    if strict and found.severe:
        raise typer.Exit(_SEVERE)
