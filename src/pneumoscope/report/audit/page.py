"""An audit in, ``audit.json`` and a self-contained ``audit.html`` out.

The page has the make of the training report: the same style sheet, script, environment and rules,
and an ordered table of sections with their templates under ``templates/audit``. It reads the
audit as plain data, and the films and their facts from the prepared set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope import __version__
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.report.audit import tables
from pneumoscope.report.audit.charts import baselines_figure, sizes_figure
from pneumoscope.report.audit.films import GROUPS_SHOWN, Stills, duplicate_groups, to_group
from pneumoscope.report.audit.shared import shared_context
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.report.run.tables import shift_rows
from pneumoscope.storage import write_atomic, write_json

EXAMPLES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class AuditContext:
    """All that a section may draw on. ``audit`` is fit to be shown: see ``tables.shown``."""

    audit: Mapping[str, Any]
    prepared: PreparedSet
    stills: Stills
    others: Stills | None

    def part(self, name: str) -> Mapping[str, Any]:
        """A part of the audit that is an object, empty where it is missing."""
        return self.audit.get(name) or {}

    def listed(self, name: str) -> list[Mapping[str, Any]]:
        """A part of the audit that is a list of objects, empty where it is missing."""
        return list(self.audit.get(name) or ())

    def findings(self, name: str) -> list[Mapping[str, Any]]:
        """A part of the audit that is a list of findings, the gravest first."""
        return tables.by_severity(self.listed(name))


def write_audit(
    folder: Path,
    audit: Mapping[str, Any],
    prepared: PreparedSet,
    against: PreparedSet | None = None,
) -> Path:
    """Write ``audit.json`` and ``audit.html`` into ``folder``, which exists; return the page.

    ``audit`` is the plain data of an audit of ``prepared``; ``against`` holds the films of the
    other set where two were compared. Numbers that are not finite become null. Each file is
    written whole or not at all, the page last. Raises OutputNotWritable.
    """
    known = tables.plain(audit)
    write_json(folder / "audit.json", known)
    context = AuditContext(
        audit=tables.shown(known),
        prepared=prepared,
        stills=Stills(prepared),
        others=Stills(against) if against is not None else None,
    )
    page = folder / "audit.html"
    write_atomic(page, _page(context))
    return page


def _page(context: AuditContext) -> str:
    findings, unknown = context.findings("findings"), context.findings("not_provable")
    counts = context.part("counts")
    return PAGE.render(
        context,
        name=context.audit.get("name") or "a data set",
        form=context.audit.get("form") or "",
        why=context.part("source").get("why") or "",
        films=int(counts.get("films") or len(context.prepared.table)),
        against=context.part("genealogy").get("against") or "",
        verdict=tables.verdict(findings, len(unknown)),
        findings=findings,
        unknown=unknown,
        keys=tables.keys(context.audit),
        version=_version(context),
    )


def _findings(context: AuditContext) -> Variables:
    cards = [
        {**card, "stills": context.stills.some(card["examples"] or (), EXAMPLES_SHOWN)}
        for card in context.findings("findings")
    ]
    return {"cards": cards}


def _unknown(context: AuditContext) -> Variables:
    return {"cards": context.findings("not_provable")}


def _content(context: AuditContext) -> Variables:
    counts = context.part("counts")
    classes, rows = tables.shares(counts)
    films = int(counts.get("films") or 0)
    return {
        "films": films,
        "found": int(counts.get("found") or films),
        "dropped": counts.get("dropped") or [],
        "passed_over": counts.get("passed_over") or {},
        "patients": tables.patients(counts),
        "notes": context.part("source").get("notes") or [],
        "classes": classes,
        "rows": rows,
    }


def _samples(context: AuditContext) -> Variables:
    seed = int(context.audit.get("seed") or 0)
    return {"panels": context.stills.samples(seed), "seed": seed}


def _sizes(context: AuditContext) -> Variables:
    table = context.prepared.table
    figure = sizes_figure(table)
    return {
        "figures": [figure] if figure else [],
        "one_size": tables.one_size(table),
        "facts": tables.fact_tables(table),
    }


def _baselines(context: AuditContext) -> Variables | None:
    baselines = context.listed("baselines")
    if not baselines:
        return None
    figure = baselines_figure(baselines)
    single, more = tables.single_rows(baselines)
    return {
        "figures": [figure] if figure else [],
        "baselines": tables.baseline_rows(baselines),
        "single": single,
        "more": more,
    }


def _splits(context: AuditContext) -> Variables | None:
    rows = shift_rows(context.listed("splits"))
    placed = [{**row, "at": tables.whisker_at(row["auroc"])} for row in rows]
    return {"rows": placed} if placed else None


def _duplicates(context: AuditContext) -> Variables:
    found = context.part("duplicates")
    groups = duplicate_groups(found)
    total = int(found.get("exact_groups") or 0) + int(found.get("near_pairs") or 0)
    return {
        "said": tables.twice(found),
        "complete": found.get("complete", True),
        "groups": [to_group(why, films, context.stills) for why, films in groups[:GROUPS_SHOWN]],
        "more": max(total, len(groups)) - min(len(groups), GROUPS_SHOWN),
    }


def _shared(context: AuditContext) -> Variables | None:
    genealogy = context.part("genealogy")
    return shared_context(genealogy, context.stills, context.others) if genealogy else None


def _repeat(context: AuditContext) -> Variables:
    audit = context.audit
    against = context.part("genealogy").get("against")
    plain = "pneumoscope audit DATA" + (" --against OTHER" if against else "")
    return {
        "command": audit.get("command") or plain,
        "known": bool(audit.get("command")),
        "version": _version(context),
        "seed": audit.get("seed"),
        "stored": f"{context.prepared.images.shape[-1]} px",
        "fingerprint": context.prepared.about.get("fingerprint") or "",
    }


def _version(context: AuditContext) -> str:
    return str(context.audit.get("version") or __version__)


PAGE: Page[AuditContext] = Page(
    "audit",
    (
        Section("findings", "Findings", _findings),
        Section("unknown", "Not provable", _unknown),
        Section("content", "Content", _content),
        Section("samples", "Samples", _samples),
        Section("sizes", "Sizes and facts", _sizes),
        Section("baselines", "Baselines", _baselines),
        Section("splits", "Splits", _splits),
        Section("duplicates", "Duplicates", _duplicates),
        Section("shared", "Shared films", _shared),
        Section("repeat", "Reproduction", _repeat),
    ),
)
