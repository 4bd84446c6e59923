"""What is wrong with a data set, before a model learns it: all checks, top to bottom.

An audit reads a prepared set and nothing else, imports no torch, and never says "clean": a check
finds something, finds nothing, or the data cannot answer it and it is "not provable".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pneumoscope.audit.baselines import Baseline, baseline_findings, measure_baselines
from pneumoscope.audit.counts import count, count_findings
from pneumoscope.audit.duplicates import (
    Duplicates,
    duplicate_findings,
    duplicates_json,
    exact_groups,
    find_duplicates,
)
from pneumoscope.audit.findings import Finding, by_severity
from pneumoscope.audit.genealogy import Genealogy, genealogy_findings, trace
from pneumoscope.audit.quality import judge_quality, quality_findings, quality_json
from pneumoscope.audit.splits import SplitShift, measure_shifts, shift_findings
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.records import Listener, Silent

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found out about one prepared set.

    ``findings`` stand gravest first, those that are "not provable" last. ``counts`` and
    ``duplicates`` are plain data. ``genealogy`` is None where no other set was given.
    """

    name: str
    form: str
    source: dict[str, Any]
    seed: int
    counts: dict[str, Any]
    findings: tuple[Finding, ...]
    duplicates: dict[str, Any]
    baselines: tuple[Baseline, ...]
    shifts: tuple[SplitShift, ...]
    genealogy: Genealogy | None = None

    @property
    def severe(self) -> tuple[Finding, ...]:
        """The severe findings, for which ``--strict`` ends with exit code 3."""
        return tuple(f for f in self.findings if f.severity == "severe" and f.status == "found")

    def to_json(self) -> dict[str, Any]:
        """Plain data, JSON-ready, the same for the same set and seed."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "form": self.form,
            "source": self.source,
            "seed": self.seed,
            "counts": self.counts,
            "findings": [f.to_json() for f in self.findings if f.status == "found"],
            "not_provable": [f.to_json() for f in self.findings if f.status != "found"],
            "duplicates": self.duplicates,
            "baselines": [b.to_json() for b in self.baselines],
            "splits": [s.to_json() for s in self.shifts],
            "genealogy": self.genealogy.to_json() if self.genealogy else None,
        }


def audit(
    prepared: PreparedSet,
    against: PreparedSet | None = None,
    listener: Listener = Silent(),  # noqa: B008  it holds no state
    seed: int = 0,
) -> Audit:
    """Run every check on ``prepared``, and look for its films in ``against``."""
    table = prepared.table
    listener.stage("Look at every film")
    thumbs = thumbnails(prepared.images)
    quality = judge_quality(table, thumbs)
    listener.stage("Compare all pairs of films")
    duplicates: Duplicates = find_duplicates(prepared, thumbs, quality.constant)
    listener.stage("Predict the label without the lungs")
    baselines = measure_baselines(prepared, thumbs, seed)
    listener.stage("Tell the splits apart")
    shifts = measure_shifts(prepared, thumbs, seed)
    genealogy = None
    if against is not None:
        listener.stage("Look for shared films")
        genealogy = trace(prepared, against, thumbs, seed)
    findings = [
        *count_findings(prepared),
        *duplicate_findings(duplicates, table),
        *quality_findings(prepared, quality),
        *baseline_findings(baselines),
        *shift_findings(shifts),
        *genealogy_findings(genealogy),
    ]
    about = prepared.about.get("source", {})
    return Audit(
        name=str(about.get("name", prepared.folder.name)),
        form=str(about.get("form", "unknown")),
        source={"why": about.get("why", ""), "notes": list(about.get("notes", []))},
        seed=seed,
        counts=count(prepared) | {"quality": quality_json(quality)},
        findings=by_severity(findings),
        duplicates=duplicates_json(duplicates, table),
        baselines=baselines,
        shifts=shifts,
        genealogy=genealogy,
    )


def first_look(prepared: PreparedSet) -> tuple[Finding, ...]:
    """The findings that the table alone gives, in a moment: labels, splits, patients, hashes."""
    exact = Duplicates(exact_groups(prepared.table), (), "pixel_hash" in prepared.table, True)
    findings = [*count_findings(prepared), *duplicate_findings(exact, prepared.table)]
    return by_severity(findings)
