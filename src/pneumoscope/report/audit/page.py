"""An audit in, ``audit.json`` and a self-contained ``audit.html`` out.

The page has the make of the training report: the same style sheet, script, environment and rules,
and an ordered table of sections with their templates under ``templates/audit``. It reads the
audit as plain data, and the films and their facts from the prepared set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope import __version__
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.report.audit import tables
from pneumoscope.report.audit.charts import baselines_plate, sizes_plate
from pneumoscope.report.audit.films import GROUPS_SHOWN, Stills, duplicate_groups, to_group
from pneumoscope.report.audit.shared import shared_context
from pneumoscope.report.kit.page import render_page
from pneumoscope.report.run.tables import shift_rows
from pneumoscope.storage import write_atomic, write_json

Context = Mapping[str, Any]
EXAMPLES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Material:
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
        return tables.gravest_first(self.listed(name))


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page. ``gather`` gives the template's variables, or None to leave it out."""

    name: str
    title: str
    gather: Callable[[Material], Context | None]


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
    material = Material(
        audit=tables.shown(known),
        prepared=prepared,
        stills=Stills(prepared),
        others=Stills(against) if against is not None else None,
    )
    page = folder / "audit.html"
    write_atomic(page, _page(material))
    return page


def _page(material: Material) -> str:
    findings, unknown = material.findings("findings"), material.findings("not_provable")
    counts = material.part("counts")
    return render_page(
        "audit.html.j2",
        "audit",
        [(section, section.gather(material)) for section in SECTIONS],
        name=material.audit.get("name") or "a data set",
        form=material.audit.get("form") or "",
        why=material.part("source").get("why") or "",
        films=int(counts.get("films") or len(material.prepared.table)),
        against=material.part("genealogy").get("against") or "",
        verdict=tables.verdict(findings, len(unknown)),
        findings=findings,
        unknown=unknown,
        keys=tables.keys(material.audit),
        version=_version(material),
    )


def _findings(material: Material) -> Context:
    cards = [
        {**card, "stills": material.stills.some(card["examples"] or (), EXAMPLES_SHOWN)}
        for card in material.findings("findings")
    ]
    return {"cards": cards}


def _unknown(material: Material) -> Context:
    return {"cards": material.findings("not_provable")}


def _content(material: Material) -> Context:
    counts = material.part("counts")
    classes, rows = tables.shares(counts)
    films = int(counts.get("films") or 0)
    return {
        "films": films,
        "found": int(counts.get("found") or films),
        "dropped": counts.get("dropped") or [],
        "passed_over": counts.get("passed_over") or {},
        "patients": tables.patients(counts),
        "notes": material.part("source").get("notes") or [],
        "classes": classes,
        "rows": rows,
    }


def _samples(material: Material) -> Context:
    seed = int(material.audit.get("seed") or 0)
    return {"panels": material.stills.samples(seed), "seed": seed}


def _sizes(material: Material) -> Context:
    table = material.prepared.table
    plate = sizes_plate(table)
    return {
        "plates": [plate] if plate else [],
        "one_size": tables.one_size(table),
        "facts": tables.fact_tables(table),
    }


def _baselines(material: Material) -> Context | None:
    baselines = material.listed("baselines")
    if not baselines:
        return None
    plate = baselines_plate(baselines)
    single, more = tables.single_rows(baselines)
    return {
        "plates": [plate] if plate else [],
        "baselines": tables.baseline_rows(baselines),
        "single": single,
        "more": more,
    }


def _splits(material: Material) -> Context | None:
    rows = shift_rows(material.listed("splits"))
    placed = [{**row, "at": tables.whisker_at(row["auroc"])} for row in rows]
    return {"rows": placed} if placed else None


def _duplicates(material: Material) -> Context:
    found = material.part("duplicates")
    groups = duplicate_groups(found)
    total = int(found.get("exact_groups") or 0) + int(found.get("near_pairs") or 0)
    return {
        "said": tables.twice(found),
        "complete": found.get("complete", True),
        "groups": [to_group(why, films, material.stills) for why, films in groups[:GROUPS_SHOWN]],
        "more": max(total, len(groups)) - min(len(groups), GROUPS_SHOWN),
    }


def _shared(material: Material) -> Context | None:
    genealogy = material.part("genealogy")
    return shared_context(genealogy, material.stills, material.others) if genealogy else None


def _repeat(material: Material) -> Context:
    audit = material.audit
    against = material.part("genealogy").get("against")
    plain = "pneumoscope audit DATA" + (" --against OTHER" if against else "")
    return {
        "command": audit.get("command") or plain,
        "known": bool(audit.get("command")),
        "version": _version(material),
        "seed": audit.get("seed"),
        "stored": f"{material.prepared.images.shape[-1]} px",
        "fingerprint": material.prepared.about.get("fingerprint") or "",
    }


def _version(material: Material) -> str:
    return str(material.audit.get("version") or __version__)


SECTIONS = (
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
)
