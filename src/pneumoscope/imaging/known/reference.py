"""Training reference: what a finished model keeps of the films that it was made from.

``reference.npz`` lies beside the weights: arrays of numbers alone, nothing to unpickle, no name, no
label, no place. By it a film that somebody has can be looked for among the films of the model's
set, and a new film be held against the training films. What it could give away: of each film a blur
of 12 by 12 cells without its exposure, in which no finding and no person can be seen.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import BadWeights
from pneumoscope.imaging.appearance import CELLS, unit_films
from pneumoscope.imaging.thumbnails import SIDE, Floats32, batches, cosines, thumbnails
from pneumoscope.records import SPLITS
from pneumoscope.storage import write_atomic

SCHEMA = 1

WAVES = 12
"""Half-waves of the cosines that are kept of a film, down and across. With 10, strangers of the
Kaggle training films reach likenesses that copies do not all exceed; 8 hardly tell them apart."""

UNLIKE, FAR = 0.999, 1.6
"""The share of training films within the distance up to which a film is like them, measured on
training films that the mean and the spread were not taken from; and how many times as far a film
lies that the model knows nothing of: of Kermany's as another site might have made them (three
changes at once, see ``benchmarks/site_changes.py``) 0.2 % do."""

LEAST_FILMS = 300
"""Training films without which no spread of 64 numbers is trusted: then no film is unlike them."""

_THUMB = 8
_NO_SPLIT = 255
_RIDGE = 1e-5


@dataclass(frozen=True, slots=True)
class Reference:
    """``codes`` are int8 (N, 12, 12), in units of ``steps`` (12, 12): the coarsest cosines of each
    film's grey levels. ``splits`` is uint8 (N,), a place in SPLITS, 255 for none. ``mean`` (64,)
    and ``precision`` (64, 64) are those of the training films' 8 by 8 thumbnails, and ``bounds``
    the distances from which a film is unlike them, and far from them."""

    codes: NDArray[np.int8]
    steps: Floats32
    splits: NDArray[np.uint8]
    mean: Floats32
    precision: Floats32
    bounds: Floats32

    def __len__(self) -> int:
        return len(self.codes)

    def knows(self) -> bool:
        """Whether there were training films enough, and of more than one kind, to say that a film
        is unlike them."""
        return bool(np.isfinite(self.bounds).all() and self.bounds[0] > 0)

    def waves(self, rows: slice) -> Floats32:
        """The cosines that some codes stand for, float32 (n, 12, 12)."""
        waves: Floats32 = self.codes[rows] * self.steps
        return waves

    def distances(self, cells: Floats32) -> Floats32:
        """How far films lie from the training films, float32 (N,), in deviations, from what
        ``coarse_cells`` gives: Mahalanobis's distance."""
        return _distances(cells.reshape(len(cells), -1), self.mean, self.precision)


def make_reference(looks: NDArray[np.uint8], splits: Sequence[str | None]) -> Reference:
    """Of the films of a set, with the split of each, from uint8 (N, S, S)."""
    waves = np.concatenate(
        [blurred(looks[part]) for part in batches(len(looks))] or [blurred(looks)]
    )
    steps = np.maximum(np.abs(waves).max(axis=0, initial=0.0), 1e-3) / 127
    codes = np.rint(waves / steps).astype(np.int8)
    places = np.array([_place(split) for split in splits], np.uint8)
    training = looks[places == SPLITS.index("train")]
    return Reference(codes, steps.astype(np.float32), places, *_spread(training))


def with_films(reference: Reference, looks: NDArray[np.uint8], split: str) -> Reference:
    """The reference with the codes of more films, uint8 (N, S, S), as of ``split``; what new films
    are held against stays that of the films that the model was trained on."""
    waves = np.concatenate(
        [reference.waves(slice(None)), *(blurred(looks[part]) for part in batches(len(looks)))]
    )
    steps = np.maximum(np.abs(waves).max(axis=0, initial=0.0), 1e-3) / 127
    places = np.append(reference.splits, np.full(len(looks), _place(split), np.uint8))
    codes = np.rint(waves / steps).astype(np.int8)
    return replace(reference, codes=codes, steps=steps.astype(np.float32), splits=places)


def blurred(films: NDArray[Any]) -> Floats32:
    """The coarsest cosines of films (N, S, S), float32 (N, 12, 12), without the mean grey."""
    waves = cosines(films.shape[-1])[:WAVES]
    # Grey levels per pixel of one size, whatever the size of the film.
    found: Floats32 = waves @ (films.astype(np.float32) @ waves.T) * (SIDE / films.shape[-1])
    found[:, 0, 0] = 0
    return found


def save_reference(file: Path, reference: Reference) -> None:
    """Write it, whole or not at all. Raises OutputNotWritable."""
    parts = {field.name: getattr(reference, field.name) for field in fields(Reference)}
    with io.BytesIO() as out:
        np.savez_compressed(out, schema=np.array(SCHEMA), **parts)
        write_atomic(file, out.getvalue())


def load_reference(file: Path) -> Reference | None:
    """What ``save_reference`` wrote; None where there is none, or another version's. Raises
    BadWeights where it is damaged."""
    if not file.is_file():
        return None
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as found:
            if int(found["schema"]) != SCHEMA:
                return None
            reference = Reference(*(found[field.name] for field in fields(Reference)))
        shapes = [getattr(reference, field.name).shape for field in fields(Reference)]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(f"{file} ({error})") from None
    count, side = len(reference), _THUMB**2
    if shapes != [(count, WAVES, WAVES), (WAVES, WAVES), (count,), (side,), (side, side), (2,)]:
        raise _damaged(f"{file} {shapes}")
    return reference


def _damaged(got: str) -> BadWeights:
    return BadWeights(
        "the training reference is damaged",
        got=got,
        remedy="delete that file: the model works without it, and which films it has seen is then "
        "not known",
    )


def _place(split: str | None) -> int:
    known: tuple[str, ...] = SPLITS
    return known.index(split) if split in known else _NO_SPLIT


def coarse_cells(thumbs: NDArray[np.uint8]) -> Floats32:
    """Float32 (N, 8, 8): cells of films of mean 0 and length 1, from thumbnails (N, 32, 32)."""
    block = CELLS // _THUMB
    films = unit_films(thumbs).reshape(len(thumbs), _THUMB, block, _THUMB, block)
    cells: Floats32 = films.mean(axis=(2, 4))
    return cells


def _distances(cells: Floats32, mean: Floats32, precision: Floats32) -> Floats32:
    away = cells - mean
    far: Floats32 = np.sqrt(np.maximum(((away @ precision) * away).sum(axis=1), 0))
    return far


def _spread(training: NDArray[np.uint8]) -> tuple[Floats32, Floats32, Floats32]:
    """Mean, precision and bounds of training films."""
    cells = coarse_cells(thumbnails(training)).reshape(-1, _THUMB**2)
    if len(cells) < LEAST_FILMS:
        empty = np.zeros(_THUMB**2, np.float32), np.zeros((_THUMB**2, _THUMB**2), np.float32)
        return *empty, np.full(2, np.inf, np.float32)
    held_out = _distances(cells[1::2], *_moments(cells[::2]))
    unlike = np.quantile(held_out, UNLIKE)
    bounds = np.array([unlike, FAR * unlike], np.float32)
    return *_moments(cells), bounds


def _moments(cells: Floats32) -> tuple[Floats32, Floats32]:
    spread = np.cov(cells, rowvar=False) + _RIDGE * np.eye(cells.shape[1])
    return cells.mean(axis=0), np.linalg.inv(spread).astype(np.float32)
