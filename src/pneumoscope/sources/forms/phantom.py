"""The phantom source: synthetic films with known truth, for demos and tests without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import InputError
from pneumoscope.imaging.phantom import GENERATOR_VERSION, Phantom, draw_phantom, true_subtype
from pneumoscope.records import SPLITS, Film, Record, Source, Split

SHARES: tuple[float, float, float] = (0.70, 0.10, 0.20)
"""Share of films in train, val and test; met up to the films of one patient."""

_TWO_FILMS = 0.2
# A stream number that ``draw_phantom`` does not use, so that planning moves no pixel.
_PLAN_STREAM = 9


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """What the source's content depends on. ``size`` in pixels; ``positives`` a share, 0–1."""

    count: int
    seed: int
    size: int
    positives: float
    difficulty: float


@dataclass(frozen=True, slots=True)
class PlannedFilm:
    """One film before it is drawn; hashable and picklable."""

    index: int
    patient: int
    label: int
    split: Split


@dataclass(frozen=True, slots=True)
class PhantomRecords:
    """The records of ``spec`` in a fixed order; may be iterated more than once."""

    spec: PhantomSpec

    def __len__(self) -> int:
        return self.spec.count

    def __iter__(self) -> Iterator[Record]:
        return (_record(self.spec, film) for film in plan_films(self.spec))


def phantom_source(
    count: int = 2000,
    seed: int = 0,
    size: int = 96,
    *,
    positives: float = 0.55,
    difficulty: float = 1.0,
) -> Source:
    """``count`` phantoms of about ``size`` pixels, split 70/10/20 by patient.

    About one patient in five has two films (same anatomy and disease, other pose and exposure);
    a patient has one label and lies in one split. Nothing is drawn until a record is read.
    Raises ``InputError`` for a parameter out of range.
    """
    spec = PhantomSpec(count, seed, size, positives, difficulty)
    _check(spec)
    told = json.dumps({"generator": GENERATOR_VERSION, **asdict(spec)}, sort_keys=True)
    return Source(
        name="phantom",
        form="phantom",
        why="asked for by name: synthetic films drawn from a seed, not patients",
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        count=count,
        native_size=size,
        records=PhantomRecords(spec),
        patients="the drawing",
        notes=("Synthetic films: figures on them say nothing about any clinic.",),
    )


def plan_films(spec: PhantomSpec) -> list[PlannedFilm]:
    """Every film's patient, label and split, in the order of its index; draws no image."""
    rng = np.random.default_rng([spec.seed, _PLAN_STREAM])
    films_of = 1 + (rng.random(spec.count) < _TWO_FILMS)
    patient_of = np.repeat(np.arange(spec.count), films_of)[: spec.count]
    patients = int(patient_of[-1]) + 1
    label_of = np.zeros(patients, dtype=np.int64)
    split_of = np.zeros(patients, dtype=np.int64)
    sick = rng.permutation(patients)[: round(spec.positives * patients)]
    label_of[sick] = 1
    # Cutting each class on its own keeps the share of positives alike in all splits.
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero(label_of == label))
        cuts = np.rint(np.cumsum(SHARES[:2]) * len(members)).astype(np.int64)
        split_of[members[cuts[0] :]] = 1
        split_of[members[cuts[1] :]] = 2
    return [
        PlannedFilm(index, int(who), int(label_of[who]), SPLITS[int(split_of[who])])
        for index, who in enumerate(patient_of)
    ]


def _record(spec: PhantomSpec, film: PlannedFilm) -> Record:
    return Record(
        image_id=f"phantom-{film.index:06d}",
        read=partial(_read_image, spec, film),
        label=film.label,
        patient_id=f"patient-{film.patient:06d}",
        split=film.split,
        mask=partial(_read_mask, spec, film),
        facts={"subtype": true_subtype(spec.seed, film.patient, film.label)},
    )


def _read_image(spec: PhantomSpec, film: PlannedFilm, side: int = 0) -> Film:
    # A copy: the cached film must not change under its next reader.
    image = _draw(spec, film).image.copy()
    return Film(image, *image.shape)


def _read_mask(spec: PhantomSpec, film: PlannedFilm) -> NDArray[np.bool_]:
    return _draw(spec, film).mask.copy()


@lru_cache(maxsize=16)
def _draw(spec: PhantomSpec, film: PlannedFilm) -> Phantom:
    """The film, drawn once for its image and its mask; small, as films are read in passing."""
    return draw_phantom(
        spec.seed,
        film.index,
        label=film.label,
        size=spec.size,
        difficulty=spec.difficulty,
        patient=film.patient,
    )


def _check(spec: PhantomSpec) -> None:
    rules = (
        ("count", spec.count, spec.count >= 1, "at least 1"),
        ("seed", spec.seed, spec.seed >= 0, "0 or more"),
        ("size", spec.size, spec.size >= 48, "at least 48 pixels, or no rib can be seen"),
        ("positives", spec.positives, 0.0 <= spec.positives <= 1.0, "a share from 0 to 1"),
        ("difficulty", spec.difficulty, spec.difficulty > 0, "above 0; 1 is the default"),
    )
    for name, got, fine, expected in rules:
        if not fine:
            raise InputError(f"phantom {name} is out of range", got=got, expected=expected)
