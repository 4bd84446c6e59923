"""How many films of which kind a prepared set holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from pneumoscope.audit.findings import Finding, few
from pneumoscope.data.prepared import MANY_FILMS, PreparedSet
from pneumoscope.formatting import plural
from pneumoscope.manifest import ReasonCount
from pneumoscope.records import CLASSES, SPLITS
from pneumoscope.sources.known_sets import numbers_start_anew

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
FEW_VALIDATION = 100
"""At 100 films an accuracy of .9 has a 95 % interval of ± 6 points."""

_WORDS = 20
_UNKNOWN = "unknown"
_NONE = "no split"


Tally = dict[str, int]
"""How many films there are of each kind, by its name."""
Quantiles = dict[str, float]
"""Of known values, by name: "0.05" to "1"; empty where none is known."""


@dataclass(frozen=True, slots=True)
class Patients:
    """How many patients are known, and films of each; None where none is."""

    known: int = 0
    films_without: int = 0
    most_films: int | None = None
    median_films: float | None = None


@dataclass(frozen=True, slots=True)
class NumberFact:
    """A fact of many different numbers."""

    kind: Literal["number"]
    known: int
    quantiles: Quantiles


@dataclass(frozen=True, slots=True)
class WordFact:
    """A fact of words: ``values`` are the most frequent of the ``distinct`` ones."""

    kind: Literal["word"]
    known: int
    distinct: int
    values: Tally


@dataclass(frozen=True, slots=True)
class Counts:
    """Films by class, split, both, patient, native size and fact.

    Of ``found`` files ``films`` are in the set. ``quality`` counts the odd films by kind.
    """

    films: int
    found: int
    dropped: list[ReasonCount] = field(default_factory=list)
    passed_over: Tally = field(default_factory=dict)
    by_class: Tally = field(default_factory=dict)
    by_split: Tally = field(default_factory=dict)
    by_split_and_class: dict[str, Tally] = field(default_factory=dict)
    patients: Patients = Patients()
    native: dict[str, Quantiles] = field(default_factory=dict)
    facts: dict[str, NumberFact | WordFact] = field(default_factory=dict)
    quality: Tally = field(default_factory=dict)


def count(prepared: PreparedSet) -> Counts:
    """What the table of a set tells; ``quality`` stays empty."""
    table, flow = prepared.table, prepared.about.get("flow", {})
    label, split = label_words(table), split_words(table)
    return Counts(
        films=len(table),
        found=int(flow.get("found", len(table))),
        dropped=list(flow.get("dropped", ())),
        passed_over=dict(prepared.about.get("source", {}).get("passed_over", {})),
        by_class=_tally(label),
        by_split=_tally(split),
        by_split_and_class={s: _tally(label[split == s]) for s in _tally(split)},
        patients=_patients(table),
        native={
            "height": _spread(table["height"]),
            "width": _spread(table["width"]),
            "aspect": _spread(table["width"] / table["height"]),
        },
        facts={
            c.removeprefix("fact_"): _fact(table[c]) for c in table.columns if c.startswith("fact_")
        },
    )


def label_words(table: pd.DataFrame) -> pd.Series[Any]:
    """The class of each film as a word: normal, pneumonia or unknown."""
    return table["label"].map({0: CLASSES[0], 1: CLASSES[1]}).astype("object").fillna(_UNKNOWN)


def split_words(table: pd.DataFrame) -> pd.Series[Any]:
    """The official split of each film as a word, "no split" where there is none."""
    return table["split"].astype("object").fillna(_NONE)


def _tally(words: pd.Series[Any]) -> Tally:
    order = [*CLASSES, *SPLITS, _UNKNOWN, _NONE]
    counts = words.value_counts()
    return {str(w): int(counts[w]) for w in order if w in counts.index}


def _patients(table: pd.DataFrame) -> Patients:
    of = table["patient_id"].value_counts()
    return Patients(
        known=len(of),
        films_without=int(table["patient_id"].isna().sum()),
        most_films=int(of.max()) if len(of) else None,
        median_films=float(of.median()) if len(of) else None,
    )


def _spread(values: pd.Series[Any]) -> Quantiles:
    known = pd.to_numeric(values, errors="coerce").dropna().astype("float64")
    if known.empty:
        return {}
    return {f"{q:g}": round(float(known.quantile(q)), 4) for q in QUANTILES}


def _fact(values: pd.Series[Any]) -> NumberFact | WordFact:
    known = values.dropna()
    numbers = pd.to_numeric(known, errors="coerce")
    if len(known) and numbers.notna().all() and known.nunique() > _WORDS:
        return NumberFact("number", len(known), _spread(known))
    words = known.astype("string").value_counts()
    counts = {str(w): int(n) for w, n in words.items()}
    few_words = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_WORDS])
    return WordFact("word", len(known), len(counts), few_words)


def count_findings(prepared: PreparedSet) -> list[Finding]:
    """Unreadable files, classes, splits and patients."""
    table, about = prepared.table, prepared.about
    dropped = about.get("flow", {}).get("dropped", [])
    found = [*_unreadable(dropped), *_labels(table), *_few_validation(table)]
    return [*found, *_patient_findings(table, tuple(about.get("source", {}).get("notes", ())))]


def _unreadable(dropped: list[ReasonCount]) -> list[Finding]:
    total = sum(each["count"] for each in dropped)
    if not total:
        return []
    reasons = "; ".join(f"{each['count']} × {each['reason']}" for each in dropped[:5])
    title = f"{plural(total, 'film')} could not be read: {reasons}."
    return [Finding("UNREADABLE", "warning", title, total, "Mend or remove these files.")]


def _labels(table: pd.DataFrame) -> list[Finding]:
    found = []
    missing = table["label"].isna()
    if missing.any():
        title = f"{plural(int(missing.sum()), 'film')} without a label."
        remedy = "They can be predicted on, but neither trained nor judged on."
        ids = few(table.loc[missing, "image_id"].head(20))
        found.append(Finding("LABELS-UNKNOWN", "info", title, int(missing.sum()), remedy, ids))
    for split, part in table[~missing].groupby(split_words(table)[~missing], sort=False):
        if part["label"].nunique() < 2:
            where = "The set" if split == _NONE else f"The {split} split"
            title = f"{where} holds one class only."
            remedy = "Nothing can be learnt or judged on one class: add the other, or split anew."
            found.append(Finding("ONE-CLASS", "severe", title, len(part), remedy))
    return found


def _few_validation(table: pd.DataFrame) -> list[Finding]:
    size = int((table["split"] == "val").sum())
    if not 0 < size < FEW_VALIDATION:
        return []
    title = f"The official validation split has {plural(size, 'film')}: one film moves accuracy by "
    title += f"{100 / size:.2g} points."
    remedy = "Pool it with the training films and split off a patient-grouped tenth instead."
    return [Finding("FEW-VALIDATION", "warning", title, size, remedy)]


def _patient_findings(table: pd.DataFrame, notes: tuple[str, ...]) -> list[Finding]:
    found = []
    unknown = table["patient_id"].isna()
    if unknown.any():
        title = f"The patient of {plural(int(unknown.sum()), 'film')} is not known, so whether one "
        title += "patient lies in two splits cannot be told."
        remedy = "Obtain patient ids, or read every interval as too narrow and every score as high."
        count = int(unknown.sum())
        found.append(
            Finding("PATIENTS-UNKNOWN", "warning", title, count, remedy, (), "not provable")
        )
    if not unknown.any() and len(table) >= MANY_FILMS and table["patient_id"].is_unique:
        title = "Every film has a patient id of its own, so whether these are ids of patients or "
        title += "of films cannot be told."
        remedy = "Ask whoever made the set; read every interval as too narrow until it is known."
        count = len(table)
        found.append(
            Finding("PATIENT-EACH-FILM", "warning", title, count, remedy, (), "not provable")
        )
    placed = table[~unknown & table["split"].notna()]
    pairs = placed[["patient_id", "split"]].drop_duplicates()
    torn = pairs[pairs["patient_id"].duplicated(keep=False)].groupby("patient_id")["split"]
    if len(torn):
        where = torn.agg(lambda s: " and ".join(sorted(s)))
        found.append(_torn_patients(placed[placed["patient_id"].isin(where.index)], where, notes))
    return found


def _doubtful_numbers(part: pd.DataFrame, title: str, count: int) -> Finding:
    """Where numbers may start anew in each split, one number in two of them proves nothing."""
    title = title.replace("patient ids", "patient numbers")
    title += " Whether these are the same patients is documented nowhere: numbers may start anew."
    remedy = "Judge on films from elsewhere, or read every figure as possibly too good."
    ids = few(part.sort_values(["patient_id", "image_id"])["image_id"].head(40))
    code = "PATIENT-ACROSS-SPLITS"
    return Finding(code, "warning", title, count, remedy, ids, "not provable")


def _torn_patients(part: pd.DataFrame, torn: pd.Series[Any], notes: tuple[str, ...]) -> Finding:
    where = torn.value_counts()
    list_ = "; ".join(f"{n} in {pair}" for pair, n in where.items())
    title = f"{len(torn)} patient ids lie in more than one official split ({list_}), with "
    title += f"{plural(len(part), 'film')}."
    if numbers_start_anew(notes):
        return _doubtful_numbers(part, title, len(torn))
    told = " ".join(note for note in notes if "patient" in note.lower() or "child" in note.lower())
    remedy = "Split anew by patient, or drop these patients from training before judging. " + told
    ids = few(part.sort_values(["patient_id", "image_id"])["image_id"].head(40))
    return Finding("PATIENT-ACROSS-SPLITS", "severe", title, len(torn), remedy.strip(), ids)
