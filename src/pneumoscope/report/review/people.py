"""For whom: whose films the model learnt from and was judged on, and what is not known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.audit.people import AgeSpread, SplitPeople
from pneumoscope.formatting import amount, plural, split_name
from pneumoscope.manifest import SourceEntry
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext
from pneumoscope.sources.known_sets import KnownSet, recognise

NOT_KNOWN = "not known"
_GROWN = 18.0
"""Years from which a patient is called an adult."""


@dataclass(frozen=True, slots=True)
class WhoRow:
    """A split as printed: films, patients, ages, sex and view."""

    split: str
    films: str
    patients: str
    age: str
    sex: str
    view: str


def who_rows(run: EvaluatedRun) -> list[WhoRow]:
    """A row for each split of the judged data."""
    return [
        WhoRow(
            split=split_name(each.split),
            films=f"{each.films:,}",
            patients=NOT_KNOWN if each.patients is None else f"{each.patients:,}",
            age=_age(each.age, each.films),
            sex=_counts(each.sex, each.films),
            view=_counts(each.view, each.films),
        )
        for each in run.people
    ]


def _age(age: AgeSpread | None, films: int) -> str:
    if age is None:
        return NOT_KNOWN
    known = "" if age.known == films else f", known for {age.known:,}"
    low, middle, high = map(amount, (age.youngest, age.median, age.oldest))
    return f"{low} to {high} years, median {middle}{known}"


def _counts(words: Mapping[str, int], films: int) -> str:
    if not words:
        return NOT_KNOWN
    said = [f"{word} {count:,}" for word, count in words.items()]
    rest = films - sum(words.values())
    return ", ".join([*said, f"{NOT_KNOWN} {rest:,}"] if rest > 0 else said)


def set_lines(known: KnownSet | None) -> list[tuple[str, str]]:
    """(what, words) of a data set; what is not known is said."""
    if known is None:
        names = ("Whom", "Place", "Year", "Labels", "Licence")
        return [(name, NOT_KNOWN) for name in names]
    return [
        ("Set", known.title),
        ("Whom", known.whom or NOT_KNOWN),
        ("Place", known.place or NOT_KNOWN),
        ("Year", known.year or NOT_KNOWN),
        ("Labels", known.labels or NOT_KNOWN),
        ("Licence", known.licence or NOT_KNOWN),
        ("Described in", known.source or NOT_KNOWN),
    ]


def words(run: EvaluatedRun) -> str:
    """Whose films it learnt from, with their number, and on whose it is untested, in one
    sentence."""
    learnt = _of(run.trained_on, None if _elsewhere(run) else _split(run, "train"))
    if each := ", ".join(_of_sites(run)):
        learnt = f"of {len(run.manifest['source']['sites'])} sites: {each}"
    films = _train_films(run)
    start = f"It learnt from {plural(films, 'film')}" if films else "It learnt from films"
    end = "other ages, places and machines are untested."
    if _elsewhere(run):
        judged = _judged(run)
        if _ages_apart(run):
            end = f"children and adults are not alike, and {end}"
        here = f"is judged here on {plural(run.results.n, 'film')} {judged}"
        return f"{start} {learnt}, and {here}; {end}"
    return f"{start} {learnt}; {end}"


def judged_words(runs: Sequence[EvaluatedRun]) -> str:
    """Whose films all ``runs`` judge, and on whose models are untested, in one sentence."""
    # A run of an earlier version does not know it, though the films are the same.
    said = _judged(next((run for run in runs if run.known_set), runs[0]))
    return f"{said[:1].upper()}{said[1:]}; other ages, places and machines are untested."


def _judged(run: EvaluatedRun) -> str:
    """Whose films are judged, of each of several sets."""
    sites = run.manifest.get("source", {}).get("sites", {})
    if not sites:
        return _of(run.known_set, _split(run, run.split))
    each = (f"{name} {_of(recognise(source, {}), None)}" for name, source in sites.items())
    return f"of {len(sites)} sites: {', '.join(each)}"


def _of_sites(run: EvaluatedRun) -> Iterator[str]:
    """Of each of several sets that were learnt from its films, and whose they are."""
    if _elsewhere(run):
        return
    films = {site.name: site.splits for site in run.door.sites} if run.door else {}
    for site, source in run.manifest.get("source", {}).get("sites", {}).items():
        count = sum(each.films for each in films.get(site, ()) if each.name == "train")
        known = recognise(source, {})
        if count:
            yield f"{site} {count:,} {_of(known, None)}"


def whose(run: EvaluatedRun) -> str:
    """``of children of one to five years (…)``: of whose films a model learnt, or that it is not
    known."""
    return _of(run.trained_on, _split(run, "train"))


def _of(known: KnownSet | None, people: SplitPeople | None) -> str:
    if known is not None:
        place = f" ({known.place})" if known.place else ""
        return f"of {known.whom}{place}"
    if people and people.age:
        low, middle, high = map(amount, (people.age.youngest, people.age.median, people.age.oldest))
        return f"of patients of {low} to {high} years (median {middle}), place not known"
    return "of patients whose age and place are not known"


def _elsewhere(run: EvaluatedRun) -> bool:
    """Whether other data than the model's own is judged, be some of it related to that."""
    return "external" in run.manifest


def _split(run: EvaluatedRun, name: str) -> SplitPeople | None:
    return next((each for each in run.people if each.split == name), None)


def _train_films(run: EvaluatedRun) -> int | None:
    """How many films the model learnt from; None where this folder does not say it."""
    if _elsewhere(run):
        return None
    train = run.manifest.get("flow", {}).get("splits", {}).get("train")
    return train["n"] if train else None


def _ages_apart(run: EvaluatedRun) -> bool:
    """Whether a model of children is judged on adults, or the other way round, as far as is
    known."""
    learnt = _grown(run.trained_on, None)
    judged = _grown(run.known_set, _split(run, run.split))
    return learnt is not None and judged is not None and learnt != judged


def _grown(known: KnownSet | None, people: SplitPeople | None) -> bool | None:
    if people and people.age:
        return people.age.median >= _GROWN
    if known and known.adults:
        return True
    return False if known and known.ages and known.ages[1] < _GROWN else None


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    run = context.run
    rows = who_rows(run)
    sites = run.manifest.get("source", {}).get("sites")
    if not rows and not sites and run.known_set is None and run.trained_on is None:
        return None
    return {
        "said": words(run),
        "sets": list(_sets(run)),
        "rows": rows,
    }


def _sets(run: EvaluatedRun) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if _elsewhere(run):
        yield "What the model learnt from", set_lines(run.trained_on)
        parts = list(set_parts(run.manifest.get("source"), run.known_set))
        yield from parts if len(parts) > 1 else [("What it is judged on here", parts[0][1])]
    else:
        yield from set_parts(run.manifest.get("source"), run.known_set)


def set_parts(
    source: SourceEntry | None, known: KnownSet | None
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, lines) of the set that a source is, or of each of its sites."""
    sites = source.get("sites", {}) if source else {}
    for site, each in sites.items():
        yield f"Whose films those of {site} are", set_lines(recognise(each, {}))
    if not sites:
        yield "Whose films these are", set_lines(known)
