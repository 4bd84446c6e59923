"""The words and tables of an audit, from its JSON and from the prepared table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.audit.findings import SEVERITIES
from pneumoscope.errors import printable
from pneumoscope.formatting import amount, interval, number, percent, plural, split_name
from pneumoscope.records import CLASSES, SPLITS, Estimate
from pneumoscope.report.audit.films import KINDS, kinds

MOST_FACTS = 16
MOST_VALUES = 6
FEW_NUMBERS = 6
"""A fact of no more different numbers than this is shown value by value, as words are."""
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


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of words: its values as (value, films and share of each class)."""

    name: str
    rows: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    more: int


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shown(value: Any) -> Any:
    """``value`` with every text on one line and without marks that turn the reading direction."""
    if isinstance(value, Mapping):
        return {printable(key): shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return printable(value) if isinstance(value, str) else value


def severity(finding: Mapping[str, Any]) -> str:
    """``severe``, ``warning`` or ``info``; any other word counts as the last."""
    word = finding.get("severity")
    return str(word) if word in SEVERITIES else SEVERITIES[-1]


def by_severity(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The findings, none without a word for anything, severe ones first, otherwise in order."""
    blank = {"code": "", "about": "", "title": "", "remedy": "", "count": 0, "examples": ()}
    whole = [{**blank, **finding, "severity": severity(finding)} for finding in findings]
    return sorted(whole, key=lambda finding: SEVERITIES.index(finding["severity"]))


def verdict(findings: Sequence[Mapping[str, Any]], unknown: int) -> str:
    """``2 severe findings, 1 warning, 1 remark; 3 questions cannot be answered.``"""
    names = ("severe finding", "warning", "remark")
    found = [severity(finding) for finding in findings]
    parts = [
        plural(found.count(word), name)
        for word, name in zip(SEVERITIES, names, strict=True)
        if word in found
    ]
    start = ", ".join(parts) or "No check found anything"
    if not unknown:
        return f"{start}."
    return f"{start}; {plural(unknown, 'question')} cannot be answered."


def shares(counts: Mapping[str, Any]) -> tuple[list[str], list[Share]]:
    """The classes that occur, and a row for each split and for all splits together."""
    both: Mapping[str, Mapping[str, int]] = counts.get("by_split_and_class") or {}
    seen = {name for row in both.values() for name in row}
    classes = [name for name in (*CLASSES, "unknown") if name in seen]
    classes += sorted(seen - set(classes))
    order: list[str] = [name for name in SPLITS if name in both]
    order += sorted(set(both) - set(order))
    rows = [_share(split_name(split), both[split], classes) for split in order]
    if len(rows) > 1:
        total = {name: sum(int(row.get(name, 0)) for row in both.values()) for name in classes}
        rows.append(_share("all", total, classes))
    return classes, rows


def _share(name: str, row: Mapping[str, int], classes: Sequence[str]) -> Share:
    found = tuple(int(row.get(word, 0)) for word in classes)
    total = max(sum(found), 1)
    return Share(name, found, tuple(100 * count / total for count in found))


def patients(counts: Mapping[str, Any]) -> tuple[str, str]:
    """(how many patients, films of each) in words."""
    found = counts.get("patients") or {}
    known = int(found.get("known") or 0)
    if not known:
        return "patients", "not known"
    median, most = found.get("median_films"), found.get("most_films")
    parts = [f"median {amount(float(median))} film{'' if median == 1 else 's'}"] if median else []
    parts += [f"at most {int(most):,}"] if most else []
    without = int(found.get("films_without") or 0)
    parts += [f"{plural(without, 'film')} without"] if without else []
    return plural(known, "patient"), ", ".join(parts)


def keys(audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures that stand beside the summary; ``at`` is for the whisker, from .5 to 1."""
    counts = audit.get("counts") or {}
    films, found = int(counts.get("films") or 0), int(counts.get("found") or 0)
    rows = [_key("Films", f"{films:,}", f"of {found:,} found" if found > films else "")]
    by_class = counts.get("by_class") or {}
    normal, sick = (int(by_class.get(name, 0)) for name in CLASSES)
    if normal + sick:
        rows.append(_key("Pneumonia", percent(sick / (normal + sick), 1), plural(sick, "film")))
    else:
        rows.append(_key("Pneumonia", "unknown", "no film has a label"))
    known = int((counts.get("patients") or {}).get("known") or 0)
    rows.append(_key("Patients", f"{known:,}" if known else "unknown", ""))
    for baseline in audit.get("baselines") or ():
        estimate = Estimate.from_json(baseline.get("cross_validated") or {})
        if baseline.get("name") == "metadata" and math.isfinite(estimate.value):
            row = _key("AUROC of file facts alone", number(estimate.value), interval(estimate))
            rows.append(row | {"at": whisker_at(estimate)})
    return rows


def _key(title: str, value: str, note: str) -> dict[str, Any]:
    return {"title": title, "value": value, "note": note, "at": None}


def whisker_at(estimate: Any) -> tuple[float, float, float] | None:
    """(low, value, high) in per cent of the way from .5 to 1, or None off that scale."""
    at = tuple((x - 0.5) * 200 for x in (estimate.low, estimate.value, estimate.high))
    low, value, high = at
    inside = all(map(math.isfinite, at)) and value >= 0 and high <= 100
    return (max(low, 0.0), value, high) if inside else None


def single_rows(baselines: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Each file fact alone, the most telling first, and how many are left out."""
    found = [item for baseline in baselines for item in baseline.get("single") or ()]
    rows = []
    for item in found[:SINGLES]:
        estimate = Estimate.from_json(item.get("auroc") or {})
        row = _key(str(item.get("feature")), number(estimate.value), interval(estimate))
        rows.append(row | {"at": whisker_at(estimate)})
    return rows, max(0, len(found) - SINGLES)


def baseline_rows(baselines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each baseline is, in words, and why it could not be measured where it could not."""
    return [
        {
            "what": str(baseline.get("what") or baseline.get("name")),
            "gloss": GLOSS.get(str(baseline.get("name")), ""),
            "why_not": baseline.get("why_not"),
        }
        for baseline in baselines
    ]


@dataclass(frozen=True, slots=True)
class FactTables:
    """Sizes and facts by class: ``classes`` as (name, films), ``numbers`` as (fact, a cell of
    (median, spread) for each class), ``words`` fact by fact, and how many facts are left out."""

    classes: tuple[tuple[str, int], ...]
    numbers: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    words: tuple[Fact, ...]
    more: int


def fact_tables(table: pd.DataFrame) -> FactTables:
    """Native size and every fact, by class."""
    of = kinds(table)
    present = [kind for kind in range(3) if (of == kind).any()]
    size = {name: _numbers(table[name]) for name in ("width", "height")}
    size["width / height"] = size["width"] / size["height"].replace(0, np.nan)
    if not any(values.nunique() > 1 for values in size.values()):
        size = {}  # one size is said in a sentence
    facts = [name for name in table.columns if name.startswith("fact_")]
    numbers, words = list(size.items()), []
    for column in facts[:MOST_FACTS]:
        name, values = printable(column.removeprefix("fact_")), table[column]
        as_number = _numbers(values)
        if as_number.notna().equals(values.notna()) and as_number.nunique() > FEW_NUMBERS:
            numbers.append((name, as_number))
        elif values.notna().any():
            words.append(_fact(name, values, of, present))
    rows = tuple((name, tuple(_spread(v[of == k]) for k in present)) for name, v in numbers)
    classes = tuple((KINDS[kind], int((of == kind).sum())) for kind in present)
    return FactTables(classes, rows, tuple(words), max(0, len(facts) - MOST_FACTS))


def one_size(table: pd.DataFrame) -> tuple[int, int] | None:
    """Width and height in pixels where all films have the same, else None."""
    sizes = table[["width", "height"]].dropna().drop_duplicates().to_numpy(dtype=np.int64)
    return (int(sizes[0, 0]), int(sizes[0, 1])) if len(sizes) == 1 else None


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _fact(name: str, values: pd.Series[Any], of: Any, present: Sequence[int]) -> Fact:
    numbers = _numbers(values)
    if numbers.notna().equals(values.notna()):
        values = numbers.map(amount, na_action="ignore")
    words = values.astype("string").fillna("not known")
    common = words.value_counts()
    order = sorted(common.index, key=lambda word: (-int(common[word]), word))
    rows = tuple(
        (shorter(word), tuple(_part((words == word).to_numpy()[of == kind]) for kind in present))
        for word in order[:MOST_VALUES]
    )
    return Fact(name, rows, max(0, len(order) - MOST_VALUES))


def shorter(word: str, most: int = 60) -> str:
    """``word`` on one line, cut where it is longer than ``most``."""
    clean = printable(word)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _part(hits: Any) -> tuple[int, str]:
    return int(hits.sum()), f"{hits.mean():.1%}" if len(hits) else ""


def _spread(values: pd.Series[Any]) -> tuple[str, str]:
    known = values[np.isfinite(values)]
    if known.empty:
        return "not known", ""
    low, middle, high = (amount(float(known.quantile(q))) for q in (0.05, 0.5, 0.95))
    return middle, f"{low}–{high}" if low != high else ""


def twice(found: Mapping[str, Any]) -> str:
    """What was found twice, in one sentence."""
    groups, near = int(found.get("exact_groups") or 0), int(found.get("near_pairs") or 0)
    parts = []
    if groups:
        redundant = int(found.get("redundant") or 0)
        parts.append(f"{plural(groups, 'group')} of equal pixels, {redundant:,} films too many")
    if near:
        parts.append(f"{plural(near, 'pair')} of films that show one exposure stored in two ways")
    return "; ".join(parts) + "." if parts else ""
