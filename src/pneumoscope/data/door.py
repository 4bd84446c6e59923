"""Door of a run: what is learnt from what, counted once and shown by every command.

Films found, used and left out; classes with the words they came from; patients and how they are
known; splits, and what they divide. It names no patient and no film: words of classes, reasons and
rows of the prepared table only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data import aside
from pneumoscope.data.prepared import ALIKE, MANY_FILMS, PreparedSet
from pneumoscope.data.together.alike import Alike, read_alike
from pneumoscope.data.together.groups import Divided, divided, patient_codes
from pneumoscope.manifest import PreparedManifest, SourceEntry
from pneumoscope.records import CLASSES, SPLITS, Word
from pneumoscope.sources.known_sets import numbers_start_anew
from pneumoscope.sources.places.files import ANOTHER_KIND

Splits = NDArray[np.object_]
"""The split of each film, object (N,), None where it is in none."""

NO_LABEL = "films without a label"
HELD_BACK = "films of the official test split"
ELSEWHERE = "films of other splits"
SHARED = "films that the model has seen"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Films or files that are not used, for one reason; ``classes`` counts them where their class
    is known. ``lost`` says that they should have been used."""

    reason: str
    films: int
    classes: Mapping[str, int] = field(default_factory=dict)
    lost: bool = False


@dataclass(frozen=True, slots=True)
class KnownPatients:
    """How many patients the used films have, for how many of these films they are known, and how:
    by film names, a column, the files' headers. ``each_film`` says that no two films share one,
    ``start_anew`` that numbers may start anew in each official split, so that one number in two of
    them need not be one patient."""

    patients: int = 0
    films: int = 0
    how: str = ""
    each_film: bool = False
    start_anew: bool = False


@dataclass(frozen=True, slots=True)
class Copies:
    """Used films that are one film again: ``films`` in ``groups`` beyond those of one patient,
    ``pixels`` of them by equal pixels."""

    films: int
    groups: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Near copies that would join too many films, so that they were not followed: ``films`` they
    would join, and some of their pairs, as rows of the prepared table."""

    films: int
    pairs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class DoorSplit:
    """A split as it is used; ``patients`` is None where some are unknown. ``official`` says that
    the data has it so."""

    name: str
    official: bool
    normal: int
    pneumonia: int
    unknown: int = 0
    patients: int | None = None

    @property
    def films(self) -> int:
        return self.normal + self.pneumonia + self.unknown


@dataclass(frozen=True, slots=True)
class DoorSite:
    """One of several sets: what it was read ``why`` as, how many of its films are used, by class,
    and in which splits."""

    name: str
    why: str
    normal: int
    pneumonia: int
    unknown: int
    splits: tuple[DoorSplit, ...]


@dataclass(frozen=True, slots=True)
class Door:
    """What is learnt from what: of ``found`` films and files ``used`` ones, all others ``left_out``
    by reason. ``aside`` counts used films that are no frontal film of a chest, by reason.

    ``why`` says what the data was read as and by which columns, ``readers`` whose word counted
    where several read a film. ``copies`` is None where copies were not looked for. ``divided``
    holds what splits divide, without those that divide nothing. ``sites`` are those of several sets
    at once, empty for one.
    """

    name: str
    form: str
    why: str
    found: int
    used: int
    left_out: tuple[LeftOut, ...] = ()
    aside: Mapping[str, int] = field(default_factory=dict)
    normal: int = 0
    pneumonia: int = 0
    words: tuple[Word, ...] = ()
    readers: str = ""
    patients: KnownPatients = KnownPatients()
    copies: Copies | None = None
    chains: tuple[Chain, ...] = ()
    splits: tuple[DoorSplit, ...] = ()
    divided: tuple[Divided, ...] = ()
    sites: tuple[DoorSite, ...] = ()


def door_of(
    prepared: PreparedSet, split: Splits | None = None, shared: NDArray[np.int64] | None = None
) -> Door:
    """The door of a prepared set that has its official splits, used as ``split`` says; None where
    nothing is cut, and all films are used in the splits that the data has. ``shared`` are the rows
    of films that are taken out since the model has seen them."""
    table, about = prepared.table, prepared.about
    source = about["source"]
    official = table["split"].astype("string")
    placed = official if split is None else pd.Series(split, table.index, dtype="string")
    used = np.full(len(table), True) if split is None else placed.notna().to_numpy(bool)
    known = np.isin(np.arange(len(table)), [] if shared is None else shared)
    part = table[used].assign(split=placed[used])
    return Door(
        name=source["name"],
        form=source["form"],
        why=source["why"],
        found=about["flow"]["found"] + _beside(about),
        used=int(used.sum()),
        left_out=tuple(sorted(_left_out(prepared, used, known), key=lambda each: not each.lost)),
        aside=aside.counts(part),
        normal=int((part["label"] == 0).sum()),
        pneumonia=int((part["label"] == 1).sum()),
        words=tuple(Word(**word) for word in source.get("words", ())),
        readers=source.get("readers", ""),
        patients=_patients(part, source),
        copies=_copies(part),
        chains=tuple(
            Chain(films, tuple(map(tuple, pairs))) for films, pairs in about.get("chains", ())
        ),
        splits=tuple(_splits(part, official[used])),
        divided=divided(table.assign(split=placed), _alike(prepared)),
        sites=tuple(_sites(part, official[used], source)),
    )


def _beside(about: PreparedManifest) -> int:
    """Films that never became rows of the set, though they lie in it."""
    lost = sum(sum(counts.values()) for counts in about["source"].get("lost", {}).values())
    return lost + sum(_passed(about).values())


def _passed(about: PreparedManifest) -> Mapping[str, int]:
    """What was passed over, by reason, without tables and texts: they were never films."""
    passed = about["source"].get("passed_over", {})
    return {reason: count for reason, count in passed.items() if reason != ANOTHER_KIND}


def _left_out(
    prepared: PreparedSet, used: NDArray[np.bool_], shared: NDArray[np.bool_]
) -> Iterator[LeftOut]:
    """Every reason for which something is not used, with what it takes away."""
    source, flow = prepared.about["source"], prepared.about["flow"]
    by_class = flow.get("dropped_by_class", {})
    for each in flow["dropped"]:
        yield LeftOut(each["reason"], each["count"], by_class.get(each["reason"], {}), lost=True)
    for reason, counts in source.get("lost", {}).items():
        yield LeftOut(reason, sum(counts.values()), counts, lost=True)
    rest = prepared.table[~used]
    reasons = _reasons(rest).mask(shared[~used], SHARED)
    for reason in reasons.value_counts().index:
        part = rest[(reasons == reason).to_numpy(bool)]
        counts = {name: int((part["label"] == label).sum()) for label, name in enumerate(CLASSES)}
        yield LeftOut(str(reason), len(part), {name: n for name, n in counts.items() if n})
    for reason, count in _passed(prepared.about).items():
        yield LeftOut(reason, count)


def _reasons(rest: pd.DataFrame) -> pd.Series[Any]:
    """Why each of these films of the table is in no split."""
    reasons = pd.Series(ELSEWHERE, index=rest.index, dtype="object")
    reasons[(rest["split"] == "test").fillna(False)] = HELD_BACK
    reasons[rest["label"].isna()] = NO_LABEL
    if "aside" in rest:
        told = rest["aside"].map(aside.TOLD, na_action="ignore")
        reasons = told.astype("object").fillna(reasons)
    return reasons


def _patients(part: pd.DataFrame, source: SourceEntry) -> KnownPatients:
    """Where a form says nothing (``""``) only a film's own header can know its patient; a set of an
    older version (None) does not say how."""
    how = source.get("patients")
    known = part["patient_id"].dropna()
    if not len(known):
        return KnownPatients()
    each_film = len(known) >= MANY_FILMS and known.is_unique
    if how == "":
        how = "the files' own headers"
    each = (source, *source.get("sites", {}).values())
    anew = any(numbers_start_anew(one["notes"]) for one in each)
    return KnownPatients(known.nunique(), len(known), how or "", each_film, anew)


def _copies(part: pd.DataFrame) -> Copies | None:
    if "group" not in part:
        return None
    group = part["group"].to_numpy()
    pairs = pd.DataFrame({"group": group, "patient": patient_codes(part)}).drop_duplicates()
    joined = pairs["group"].value_counts()
    several = joined[joined > 1].index
    films = part[np.isin(group, several)]
    again = films["pixel_hash"].duplicated(keep=False).sum() if "pixel_hash" in films else 0
    return Copies(len(films), len(several), int(again))


def _splits(part: pd.DataFrame, official: pd.Series[str]) -> Iterator[DoorSplit]:
    """Each split of the used films, and what is in none."""
    names = [*SPLITS, *(n for n in part["split"].dropna().unique() if n not in SPLITS)]
    for name in names:
        here = (part["split"] == name).fillna(False).to_numpy(bool)
        if here.any():
            films = part[here]
            known = bool(films["patient_id"].notna().all())
            counts = Counter(films["label"].dropna().tolist())
            yield DoorSplit(
                name=str(name),
                official=bool(((official == name).fillna(False).to_numpy(bool) == here).all()),
                normal=counts[0],
                pneumonia=counts[1],
                unknown=len(films) - counts[0] - counts[1],
                patients=int(films["patient_id"].nunique()) if known else None,
            )


def _sites(part: pd.DataFrame, official: pd.Series[str], source: SourceEntry) -> Iterator[DoorSite]:
    for site, about in source.get("sites", {}).items():
        here = (part["site"] == site).to_numpy(bool)
        films = part[here]
        normal, pneumonia = (int((films["label"] == label).sum()) for label in (0, 1))
        unknown = len(films) - normal - pneumonia
        splits = tuple(_splits(films, official[here]))
        yield DoorSite(site, about["why"], normal, pneumonia, unknown, splits)


def _alike(prepared: PreparedSet) -> Alike | None:
    """The near copies as they were found when the set was made; None in an older set, for which
    looking for them again would take longer than all else."""
    file = prepared.folder / ALIKE
    return read_alike(file) if file.is_file() else None
