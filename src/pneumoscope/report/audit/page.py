"""An audit in, ``audit.json`` and a self-contained ``audit.html`` out.

The films and their facts come from the prepared set, all else from the audit.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from pneumoscope import __version__
from pneumoscope.audit.audit import Audit
from pneumoscope.audit.findings import CODES, UNITS, Finding
from pneumoscope.data.prepared import PreparedSet, split_counts
from pneumoscope.report.audit import tables
from pneumoscope.report.audit.charts import baselines_figure, sizes_figure
from pneumoscope.report.audit.facts import fact_tables, one_size
from pneumoscope.report.audit.films import GROUPS_SHOWN, Still, Stills, duplicate_groups, to_group
from pneumoscope.report.audit.shared import shared_variables
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import shift_rows
from pneumoscope.report.review.people import set_parts
from pneumoscope.sources.known_sets import recognise
from pneumoscope.storage import write_atomic, write_json

EXAMPLES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class AuditContext:
    """All that a section may draw on."""

    audit: Audit
    command: str
    prepared: PreparedSet
    stills: Stills
    others: Stills | None


@dataclass(frozen=True, slots=True)
class FindingCard:
    """A finding with what its code stands for, and the pictures of its examples."""

    finding: Finding
    about: str
    stills: tuple[Still, ...] = ()

    @property
    def unit(self) -> str:
        """What the finding counts."""
        return UNITS.get(self.finding.code, "film")


def write_audit(
    folder: Path,
    audit: Audit,
    prepared: PreparedSet,
    against: PreparedSet | None = None,
    *,
    command: str = "",
) -> Path:
    """Write ``audit.json`` and ``audit.html`` into ``folder``, which exists; return the page.

    ``audit`` is of ``prepared``; ``against`` holds the films of the other set where two were
    compared. Each file is written whole or not at all, the page last. Raises OutputNotWritable.
    """
    write_json(folder / "audit.json", {**audit.to_json(), "command": command})
    others = Stills(against) if against is not None else None
    page = folder / "audit.html"
    text = PAGE.render(
        AuditContext(audit, command, prepared, Stills(prepared), others),
        audit=audit,
        verdict=tables.count_words(audit.found, len(audit.not_provable)),
        keys=tables.key_figures(audit),
        door=door_lines(audit.door, "audit.json"),
        version=__version__,
    )
    write_atomic(page, text)
    return page


def _findings(context: AuditContext) -> Variables:
    cards = [
        FindingCard(
            each, CODES[each.code], tuple(context.stills.some(each.examples, EXAMPLES_SHOWN))
        )
        for each in context.audit.found
    ]
    return {"cards": cards}


def _unknown(context: AuditContext) -> Variables:
    return {"cards": [FindingCard(each, CODES[each.code]) for each in context.audit.not_provable]}


def _content(context: AuditContext) -> Variables:
    counts, source = context.audit.counts, context.prepared.about.get("source")
    known = recognise(source, split_counts(context.prepared.table)) if source else None
    classes, rows = tables.class_shares(counts)
    return {
        "sets": list(set_parts(source, known)),
        "counts": counts,
        "patients": tables.patient_words(counts.patients),
        "notes": context.audit.notes,
        "classes": classes,
        "rows": rows,
    }


def _samples(context: AuditContext) -> Variables:
    seed = context.audit.seed
    return {"panels": context.stills.samples(seed), "seed": seed}


def _sizes(context: AuditContext) -> Variables:
    table = context.prepared.table
    figure = sizes_figure(table)
    return {
        "figures": [figure] if figure else [],
        "one_size": one_size(table),
        "facts": fact_tables(context.audit.facts_by_class),
    }


def _baselines(context: AuditContext) -> Variables | None:
    baselines = context.audit.baselines
    if not baselines:
        return None
    figure = baselines_figure(baselines)
    single, more = tables.single_rows(baselines)
    return {
        "figures": [figure] if figure else [],
        "baselines": baselines,
        "gloss": tables.GLOSS,
        "single": single,
        "more": more,
    }


def _splits(context: AuditContext) -> Variables | None:
    rows = shift_rows(context.audit.shifts)
    return {"rows": rows} if rows else None


def _duplicates(context: AuditContext) -> Variables:
    found = context.audit.duplicates
    groups = duplicate_groups(found)
    shown = [to_group(why, group.films, context.stills) for why, group in groups[:GROUPS_SHOWN]]
    return {
        "said": tables.twice(found),
        "complete": found.complete,
        "groups": shown,
        "more": found.exact_groups + found.near_pairs - len(shown),
    }


def _shared(context: AuditContext) -> Variables | None:
    found = context.audit.genealogy
    return shared_variables(found, context.stills, context.others) if found else None


def _repeat(context: AuditContext) -> Variables:
    against = ["--against", "OTHER"] if context.audit.genealogy else []
    return {
        "command": context.command or shlex.join(["pneumoscope", "audit", "DATA", *against]),
        "known": bool(context.command),
        "version": __version__,
        "seed": context.audit.seed,
        "stored": f"{context.prepared.images.shape[-1]} px",
        "fingerprint": context.prepared.about.get("fingerprint") or "",
    }


PAGE: Page[AuditContext] = Page(
    "audit",
    (
        PageSection("findings", "Findings", _findings),
        PageSection("unknown", "Not provable", _unknown),
        PageSection("content", "Content", _content),
        PageSection("samples", "Samples", _samples),
        PageSection("sizes", "Sizes and facts", _sizes),
        PageSection("baselines", "Baselines", _baselines),
        PageSection("splits", "Splits", _splits),
        PageSection("duplicates", "Duplicates", _duplicates),
        PageSection("shared", "Shared films", _shared),
        PageSection("repeat", "Reproduction", _repeat),
    ),
)
