"""What is wrong with a data set, before a model learns it: all checks, top to bottom.

An audit reads a prepared set and nothing else, imports no torch, and never says "clean": a check
finds something, finds nothing, or the data cannot answer it and it is "not provable".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pneumoscope.audit.baselines import Baseline, baseline_findings, measure_baselines
from pneumoscope.audit.counts import Counts, count, count_findings
from pneumoscope.audit.duplicates import (
    DuplicateList,
    Duplicates,
    duplicate_findings,
    exact_groups,
    find_duplicates,
    list_duplicates,
)
from pneumoscope.audit.facts import FactsByClass, facts_by_class
from pneumoscope.audit.findings import Finding, by_severity
from pneumoscope.audit.genealogy import Genealogy, genealogy_findings, trace
from pneumoscope.audit.quality import judge_quality, quality_findings
from pneumoscope.audit.sites import SitesTold, measure_sites, site_findings
from pneumoscope.audit.splits import SplitShift, measure_shifts, shift_findings
from pneumoscope.data.door import Door, door_of
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.listener import Listener, Silent
from pneumoscope.plain import to_plain

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Audit:
    """All that was found out about one prepared set.

    ``why`` says how the form of the data was seen, ``notes`` what the source tells of itself.
    ``findings`` stand by severity, those that are "not provable" last. ``genealogy`` is None where
    no other set was given, ``sites`` where it is one set, ``door`` where it was not looked at.
    """

    name: str
    form: str
    why: str
    notes: tuple[str, ...]
    seed: int
    counts: Counts
    findings: tuple[Finding, ...]
    duplicates: DuplicateList
    baselines: tuple[Baseline, ...]
    shifts: tuple[SplitShift, ...]
    facts_by_class: FactsByClass
    genealogy: Genealogy | None = None
    sites: SitesTold | None = None
    door: Door | None = None

    @property
    def found(self) -> tuple[Finding, ...]:
        """What was found."""
        return tuple(each for each in self.findings if each.status == "found")

    @property
    def not_provable(self) -> tuple[Finding, ...]:
        """What the data cannot answer."""
        return tuple(each for each in self.findings if each.status != "found")

    @property
    def severe(self) -> tuple[Finding, ...]:
        """The severe findings, for which ``--strict`` ends with exit code 3."""
        return tuple(each for each in self.found if each.severity == "severe")

    def to_json(self) -> dict[str, Any]:
        """``audit.json``, the same for the same set and seed."""
        plain = to_plain(self)
        return {
            "schema": SCHEMA,
            "name": self.name,
            "form": self.form,
            "source": {"why": self.why, "notes": plain["notes"]},
            "door": plain["door"],
            "seed": self.seed,
            "counts": plain["counts"],
            "findings": [each.to_json() for each in self.found],
            "not_provable": [each.to_json() for each in self.not_provable],
            "duplicates": plain["duplicates"],
            "baselines": plain["baselines"],
            "splits": plain["shifts"],
            "genealogy": plain["genealogy"],
            **({"sites": plain["sites"]} if self.sites else {}),
            "facts_by_class": plain["facts_by_class"],
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
    duplicates: Duplicates = find_duplicates(prepared)
    listener.stage("Predict the label without the lungs")
    baselines = measure_baselines(prepared, prepared.thumbs, seed)
    listener.stage("Tell the splits apart")
    shifts = measure_shifts(prepared, prepared.thumbs, seed)
    sites = measure_sites(table, prepared.thumbs, seed=seed)
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
        *site_findings(sites),
        *genealogy_findings(genealogy),
    ]
    about = prepared.about.get("source", {})
    return Audit(
        name=str(about.get("name", prepared.folder.name)),
        form=str(about.get("form", "unknown")),
        why=str(about.get("why", "")),
        notes=tuple(map(str, about.get("notes", ()))),
        seed=seed,
        counts=replace(count(prepared), quality=quality.counts()),
        findings=by_severity(findings),
        duplicates=list_duplicates(duplicates, table),
        baselines=baselines,
        shifts=shifts,
        genealogy=genealogy,
        sites=sites,
        door=door_of(prepared),
        facts_by_class=facts_by_class(table),
    )


def first_look(prepared: PreparedSet) -> tuple[Finding, ...]:
    """The findings that the table alone gives, in a moment: labels, splits, patients, hashes."""
    exact = Duplicates(exact_groups(prepared.table), (), "pixel_hash" in prepared.table, True)
    findings = [*count_findings(prepared), *duplicate_findings(exact, prepared.table)]
    return by_severity(findings)
