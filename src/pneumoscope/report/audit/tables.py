"""Words and rows of an audit's page: verdict, content, key figures, baselines, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pneumoscope.audit.audit import Audit
from pneumoscope.audit.baselines import Baseline
from pneumoscope.audit.counts import Counts, Patients, Tally
from pneumoscope.audit.duplicates import DuplicateList
from pneumoscope.audit.findings import SEVERITIES, Finding
from pneumoscope.formatting import amount, percent, plural, split_name
from pneumoscope.readings import Estimate
from pneumoscope.records import CLASSES, SPLITS
from pneumoscope.report.kit.rows import KeyFigure, key_figure

SINGLES = 15

GLOSS = {
    "metadata": "Size, file size, colour mode and other facts of the file, and no pixel. What "
    "this model reaches tells how the films were made and gathered, not what they show: a shortcut "
    "that any network may learn too.",
    "thumbnail": "Each film shrunk to 8 × 8 greys. Coarse brightness can carry disease, so this "
    "is no fault by itself; a network must beat it to have learnt from detail.",
    "border": "The outer tenth of each film, where hardly any lung lies. What this model reaches "
    "comes from framing, collimation and markers.",
}


@dataclass(frozen=True, slots=True)
class Share:
    """One split, or all: films of each class, and each class's part in per cent."""

    name: str
    counts: tuple[int, ...]
    parts: tuple[float, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def count_words(found: Sequence[Finding], unknown: int) -> str:
    """``2 severe findings, 1 warning, 1 remark; 3 questions cannot be answered.``"""
    words = [finding.severity for finding in found]
    names = dict(zip(SEVERITIES, ("severe finding", "warning", "remark"), strict=True))
    parts = [plural(words.count(word), name) for word, name in names.items() if word in words]
    start = ", ".join(parts) or "No check found anything"
    return f"{start}; {plural(unknown, 'question')} cannot be answered." if unknown else f"{start}."


def class_shares(counts: Counts) -> tuple[list[str], list[Share]]:
    """The classes that occur, and a row for each split and for all splits together."""
    both = counts.by_split_and_class
    seen = {name for row in both.values() for name in row}
    classes = [name for name in (*CLASSES, "unknown") if name in seen]
    rows = [_share(split_name(split), both[split], classes) for split in split_order(set(both))]
    if len(rows) > 1:
        total = {name: sum(row.get(name, 0) for row in both.values()) for name in classes}
        rows.append(_share("all", total, classes))
    return classes, rows


def split_order(splits: set[str]) -> list[str]:
    """Train, val, test, then others by name."""
    return [name for name in SPLITS if name in splits] + sorted(splits - set(SPLITS))


def _share(name: str, row: Tally, classes: Sequence[str]) -> Share:
    found = tuple(row.get(word, 0) for word in classes)
    total = max(sum(found), 1)
    return Share(name, found, tuple(100 * count / total for count in found))


def patient_words(patients: Patients) -> tuple[str, str]:
    """(how many patients, films of each) in words."""
    if not patients.known:
        return "patients", "not known"
    median, most, without = patients.median_films, patients.most_films, patients.films_without
    parts = [f"median {amount(median)} film{'' if median == 1 else 's'}"] if median else []
    parts += [f"at most {most:,}"] if most else []
    parts += [f"{plural(without, 'film')} without"] if without else []
    return plural(patients.known, "patient"), ", ".join(parts)


def key_figures(audit: Audit) -> list[KeyFigure]:
    """The figures that stand beside the summary; metrics on a scale from .5 to 1."""
    counts, known = audit.counts, audit.counts.patients.known
    left_out = f"of {counts.found:,} found" if counts.found > counts.films else ""
    normal, sick = (counts.by_class.get(name, 0) for name in CLASSES)
    share = KeyFigure("Pneumonia", "unknown", "no film has a label")
    if normal + sick:
        share = KeyFigure("Pneumonia", percent(sick / (normal + sick), 1), plural(sick, "film"))
    return [
        KeyFigure("Films", f"{counts.films:,}", left_out),
        share,
        KeyFigure("Patients", f"{known:,}" if known else "unknown"),
        *(
            _file_facts(baseline, baseline.official_test, baseline.cross_validated)
            for baseline in audit.baselines
            if baseline.name == "metadata" and baseline.cross_validated
        ),
    ]


def _file_facts(baseline: Baseline, test: Estimate | None, folds: Estimate) -> KeyFigure:
    """On the official test split where there is one, for there networks are judged."""
    where = "on the official test split" if test else "cross-validated"
    return key_figure(f"AUROC of {baseline.what}, {where}", test or folds, start=0.5)


def single_rows(baselines: Sequence[Baseline]) -> tuple[list[KeyFigure], int]:
    """Each file fact alone, the most telling first, and how many are left out."""
    found = [each for baseline in baselines for each in baseline.single]
    rows = [key_figure(each.feature, each.auroc, start=0.5) for each in found[:SINGLES]]
    return rows, max(0, len(found) - SINGLES)


def twice(found: DuplicateList) -> str:
    """What was found twice, in one sentence."""
    parts = []
    if found.exact_groups:
        groups = plural(found.exact_groups, "group")
        parts.append(f"{groups} of equal pixels, {plural(found.redundant, 'film')} too many")
    if found.near_pairs:
        pairs = plural(found.near_pairs, "pair")
        parts.append(f"{pairs} of films that show one exposure stored in two ways")
    return "; ".join(parts) + "." if parts else ""
