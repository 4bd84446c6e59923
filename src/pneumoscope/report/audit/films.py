"""The films that an audit shows: found by image id, made small, never chosen by taste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.audit.duplicates import DuplicateList, ListedFilm, ListedGroup
from pneumoscope.audit.facts import KINDS
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.formatting import split_name
from pneumoscope.report.kit.films import to_uri
from pneumoscope.report.kit.gallery import printable_name

STILL_SIDE = 112
"""Longest side in pixels: an audit shows hundreds of films, at some 3.5 kB each."""
SAMPLES = 16
GROUPS_SHOWN = 24
PER_GROUP = 4
"""The class of a film as a word, by its kind: see ``kinds``."""


@dataclass(frozen=True, slots=True)
class Still:
    """A film on the page. ``name`` tells of no patient: see ``gallery.printable_name``.

    ``kind`` is 0 or 1, 2 for a film without a label, None where the set has no such film;
    ``uri`` is then empty.
    """

    name: str
    image_id: str
    split: str
    kind: int | None
    uri: str
    alt: str

    @property
    def label(self) -> str:
        """The class as a word."""
        return "" if self.kind is None else KINDS[self.kind]

    @property
    def pieces(self) -> list[str]:
        """The name in pieces between which a line may end, so that words stay whole."""
        return re.split(r"(?<=[/_-])(?=.)", self.name)

    @classmethod
    def absent(cls, image_id: str) -> Still:
        """A place for a film that is not at hand."""
        return cls("a film", image_id, "", None, "", "A film")


@dataclass(frozen=True, slots=True)
class Group:
    """Films that are one film. ``more`` counts those not shown, ``marks`` says what is amiss."""

    why: str
    marks: tuple[str, ...]
    stills: tuple[Still, ...]
    more: int


class Stills:
    """The films of one prepared set, by image id as the page writes it."""

    def __init__(self, prepared: PreparedSet) -> None:
        table = prepared.table
        self._images = prepared.images
        self._ids = table["image_id"].astype(str).tolist()
        self._rows = {name: row for row, name in enumerate(self._ids)}
        self._patients = table["patient_id"].astype("object").fillna("").astype(str).tolist()
        self._kinds = kinds(table)
        self._splits = table["split"].astype("object").where(table["split"].notna(), "").tolist()

    def find(self, image_id: str) -> Still:
        """The film of this id, or a still without a picture."""
        row = self._rows.get(image_id)
        if row is None:
            return Still.absent(image_id)
        name, split = self._name(row), str(self._splits[row])
        kind = int(self._kinds[row])
        place = f"{split_name(split)} split" if split else ""
        words = ", ".join(filter(None, (f"Film {name}", KINDS[kind], place)))
        return Still(name, image_id, split, kind, small_uri(self._images[row]), words)

    def _name(self, row: int) -> str:
        return printable_name(self._ids[row], self._patients[row], row)

    def some(self, image_ids: Iterable[str], most: int) -> list[Still]:
        """The first ``most`` of these films."""
        return [self.find(name) for name in list(image_ids)[:most]]

    def samples(self, seed: int, most: int = SAMPLES) -> list[tuple[int, int, list[Still]]]:
        """(kind, films in all, at most ``most`` of them drawn by ``seed``) for each class."""
        rng = np.random.default_rng(seed)
        found = []
        for kind in range(3):
            rows = np.flatnonzero(self._kinds == kind)
            if rows.size:
                drawn = np.sort(rng.choice(rows, min(most, rows.size), replace=False))
                found.append((kind, rows.size, [self.find(self._ids[row]) for row in drawn]))
        return found


def kinds(table: pd.DataFrame) -> NDArray[np.int64]:
    """0 normal, 1 pneumonia, 2 without a label, int64 (N,)."""
    labels = pd.to_numeric(table["label"], errors="coerce").astype("float64").to_numpy()
    return np.where(labels == 0, 0, np.where(labels == 1, 1, 2)).astype(np.int64)


def small_uri(image: NDArray[np.uint8]) -> str:
    """A data URI of a grey image uint8 (S, S), its side at most ``STILL_SIDE`` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((STILL_SIDE, STILL_SIDE), Image.Resampling.LANCZOS)
    return to_uri(np.asarray(picture))


def duplicate_groups(found: DuplicateList) -> list[tuple[str, ListedGroup]]:
    """(why, films) of every listed group, those of two labels first, then those of two splits,
    then equal pixels before alike ones."""
    exact = [("the same pixels", group) for group in found.exact]
    near = [(alike(group.likeness), group) for group in found.near]
    groups = [each for each in (*exact, *near) if each[1].films]
    return sorted(groups, key=lambda each: -_gravity(each[1].films))


def to_group(why: str, films: Sequence[ListedFilm], stills: Stills) -> Group:
    """The group with its pictures, two of different split or label among them where it has such."""
    first = films[0]
    apart = [film for film in films[1:] if _place(film) != _place(first)]
    same = [film for film in films[1:] if _place(film) == _place(first)]
    gravity = _gravity(films)
    marks = [word for bit, word in ((2, "two labels"), (1, "two splits")) if gravity & bit]
    shown = stills.some((film.image_id for film in (first, *apart, *same)), PER_GROUP)
    return Group(why, tuple(marks), tuple(shown), max(0, len(films) - PER_GROUP))


def _place(film: ListedFilm) -> tuple[int | None, str | None]:
    return film.label, film.split


def _gravity(films: Sequence[ListedFilm]) -> int:
    """2 for two labels, 1 for two splits, 3 for both."""
    labels = {film.label for film in films} - {None}
    splits = {film.split for film in films} - {None}
    return 2 * (len(labels) > 1) + (len(splits) > 1)


def alike(likeness: float | None) -> str:
    """How much two films are alike, in words."""
    return "alike" if likeness is None else f"likeness {likeness:.3f}"
