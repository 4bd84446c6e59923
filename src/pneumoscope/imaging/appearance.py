"""Does this look like a frontal chest film, upright, with air dark? Judged without any film.

The reference is drawn: phantoms in many framings. From them come, in closed form, one weight
vector that tells an upright film from itself turned by a quarter or half (its own turned copy is
the counter-example, so exposure and build cancel), one that tells chests from anything else, and
the principal components of chests, which other images leave a residual against. Films are seen as
16 by 16 cells of mean 0 and length 1. Drawing takes half a second, so what comes of it is kept
(``chests.npz``, numbers alone, written by ``benchmarks/chests.py``).

Calibrated on 5,856 Kermany films and 5,030 of PneumoniaMNIST; figures beside the constants.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import Floats32, batches, cell_means

_Level = TypeVar("_Level", bound=np.generic)

CELLS = 16

TURNED = 0.15
"""Evidence above which a film counts as turned, by the drawn reference: Kermany 0.1 % false alarms,
92 % of half turns and 98 % of quarter turns found; PneumoniaMNIST 0.3 %, 95 % and 98 %."""

INVERTED = -0.05
"""How far the upright negative may be less like a chest than the film in its best turn: no false
alarm in either set, 99.8 % (Kermany) and 98 % (PneumoniaMNIST) of inverted films found."""

LEAST_CHEST = 0.38
MOST_RESIDUAL = 0.26
"""Likeness to a chest and residual that leave 0.1 % of Kermany and 0.4 % of PneumoniaMNIST out."""

FLAT = 1.0
"""Grey levels of deviation below which a film shows nothing."""

_PHANTOMS, _FRAMINGS, _SIDE = 80, 480, 48
_COMPONENTS = 40
_CHESTS = Path(__file__).with_name("chests.npz")


@dataclass(frozen=True, slots=True)
class Looks:
    """What N films look like, each array of length N.

    ``inverted`` bool; ``turned`` int, the quarter turns anticlockwise that the film is away from
    upright, 0–3; ``chest`` bool, false where the film is no frontal chest film.
    """

    inverted: NDArray[np.bool_]
    turned: NDArray[np.int64]
    chest: NDArray[np.bool_]


class Upright:
    """Tells upright films from turned ones, by ``weights`` float32 (3, 256): against films turned
    by 1, 2 and 3 quarters."""

    def __init__(self, weights: Floats32) -> None:
        self.weights = weights

    @classmethod
    def learnt(cls, films: Floats32, penalty: float) -> Self:
        """From films float32 (N, 16, 16) that are upright, as ``unit_films`` gives. A few turned
        ones among them do little harm. ``penalty`` is the ridge in parts of the mean variance: 3
        carries over from phantoms to films, 0.3 is better within one set."""
        both = np.concatenate([films, films[:, :, ::-1]])
        return cls(np.stack([_against(both, k, penalty) for k in (1, 2, 3)]))

    def evidence(self, films: Floats32) -> Floats32:
        """Float32 (N, 3): above 0 where a film looks turned by 1, 2 or 3 quarters."""
        score = sum(w - _turn(w, -k) for k, w in zip((1, 2, 3), self.weights, strict=True)) / 3
        sideways = [
            (np.rot90(films, -k, (1, 2)) - films).reshape(len(films), -1) @ score for k in (1, 3)
        ]
        # A half turn is the hardest to see, so it is judged against the half turn alone.
        over = (np.rot90(films, 2, (1, 2)) - films).reshape(len(films), -1) @ self.weights[1]
        return np.stack([sideways[0], over, sideways[1]], axis=1)


@dataclass(frozen=True, slots=True)
class DrawnChests:
    """What films are compared with: ``chest`` and ``mean`` are float32 (256,), ``components``
    (40, 256)."""

    upright: Upright
    chest: Floats32
    mean: Floats32
    components: Floats32

    def packed(self) -> bytes:
        """What ``chests.npz`` holds."""
        out = io.BytesIO()
        np.savez_compressed(
            out,
            weights=self.upright.weights,
            chest=self.chest,
            mean=self.mean,
            components=self.components,
        )
        return out.getvalue()


def look(thumbs: NDArray[np.uint8]) -> Looks:
    """What films look like against the drawn reference, from thumbnails (N, 32, 32)."""
    parts = [_look(thumbs[part]) for part in batches(len(thumbs))] or [_look(thumbs)]
    names = ("inverted", "turned", "chest")
    return Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _look(thumbs: NDArray[np.uint8]) -> Looks:
    inverted, righted = right_grey(unit_films(thumbs))
    turned = turns(turn_evidence(righted), TURNED)
    alike, residual = chest_likeness(turn_back(righted, turned))
    return Looks(inverted, turned, (alike >= LEAST_CHEST) & (residual <= MOST_RESIDUAL))


def unit_films(thumbs: NDArray[np.uint8]) -> Floats32:
    """Thumbnails (N, 32, 32) as float32 (N, 16, 16), each of mean 0 and length 1."""
    return _unit(_cells(thumbs))


def _cells(thumbs: NDArray[np.uint8]) -> Floats32:
    half = thumbs.shape[-1] // CELLS
    cells: Floats32 = thumbs.reshape(len(thumbs), CELLS, half, CELLS, half).mean(
        axis=(2, 4), dtype=np.float32
    )
    return cells


def fineness(thumbs: NDArray[np.uint8]) -> Floats32:
    """The part of each film's deviation that lies within its 16 by 16 cells, float32 (N,)."""
    whole = thumbs.var(axis=(1, 2), dtype=np.float32)
    within = np.maximum(whole - _cells(thumbs).var(axis=(1, 2)), 0)
    fine: Floats32 = np.sqrt(within / np.maximum(whole, 1e-6))
    return fine


def right_grey(films: Floats32) -> tuple[NDArray[np.bool_], Floats32]:
    """Which of films (N, 16, 16) are inverted, bool (N,), and all of them with air dark."""
    inverted = _negatives(films)
    return inverted, np.where(inverted[:, None, None], -films, films)


def turn_evidence(films: Floats32) -> Floats32:
    """As ``Upright.evidence``, of the drawn reference."""
    return _reference().upright.evidence(films)


def _negatives(films: Floats32) -> NDArray[np.bool_]:
    """Bool (N,): films (N, 16, 16) whose upright negative looks like a chest, more than they do."""
    chest = _reference().chest.reshape(CELLS, CELLS)
    alike = np.stack([np.tensordot(films, np.rot90(chest, k), 2) for k in range(4)], axis=1)
    found: NDArray[np.bool_] = -alike[:, 0] > alike.max(axis=1) + INVERTED
    return found


def turns(evidence: Floats32, margin: float) -> NDArray[np.int64]:
    """The most likely turn of each film, 0 where no evidence (N, 3) exceeds ``margin``."""
    best = evidence.argmax(axis=1) + 1
    return np.where(evidence.max(axis=1) > margin, best, 0).astype(np.int64)


def turn_back(films: NDArray[_Level], turned: NDArray[np.int64]) -> NDArray[_Level]:
    """Films (N, S, S) turned upright."""
    upright = films.copy()
    for k in (1, 2, 3):
        upright[turned == k] = np.rot90(films[turned == k], -k, (1, 2))
    return upright


def chest_likeness(films: Floats32) -> tuple[Floats32, Floats32]:
    """Likeness of films (N, 16, 16) to a chest, and what the components of chests leave of a film,
    float32 (N,)."""
    reference = _reference()
    flat = films.reshape(len(films), -1)
    away = flat - reference.mean
    kept = away @ reference.components.T
    residual: Floats32 = (away**2).sum(axis=1) - (kept**2).sum(axis=1)
    alike: Floats32 = flat @ reference.chest
    return alike, residual


@cache
def _reference() -> DrawnChests:
    with np.load(_CHESTS, allow_pickle=False) as kept:
        return DrawnChests(
            Upright(kept["weights"]), kept["chest"], kept["mean"], kept["components"]
        )


def draw_chests() -> DrawnChests:
    """The drawn reference anew; a test holds what is kept to it."""
    films = _framings()
    films = np.concatenate([films, films[:, :, ::-1]])
    flat = films.reshape(len(films), -1)
    mean = flat.mean(axis=0)
    # Ridge towards the plain mean: phantoms are smoother than films, their variances too small.
    moment = flat.T @ flat / len(flat) + np.eye(len(mean), dtype=np.float32) * 0.02
    chest = np.linalg.solve(moment, mean)
    away = (flat - mean).astype(np.float64)
    # Their 256 by 256 moments have the same components as the films, in a twentieth of the time.
    components = np.linalg.eigh(away.T @ away)[1].T[: -_COMPONENTS - 1 : -1].astype(np.float32)
    return DrawnChests(Upright.learnt(films, 3.0), chest, mean, components)


def _framings() -> Floats32:
    """Phantoms cut in many ways, float32 (N, 16, 16): films are framed from neck to waist."""
    rng = np.random.default_rng(0)
    drawn = [draw_phantom(0, i, label=i % 2, size=_SIDE).image for i in range(_PHANTOMS)]
    cut = np.empty((_FRAMINGS, CELLS, CELLS), np.float32)
    for k in range(_FRAMINGS):
        film = drawn[k % _PHANTOMS].astype(np.float32)
        height, width = rng.uniform(0.65, 1.0), rng.uniform(0.6, 1.0)
        top = rng.uniform(0, 1 - height)
        left = (1 - width) * (0.5 + rng.uniform(-0.3, 0.3))
        rows = cell_means(CELLS, film.shape[0], round(top, 2), round(top + height, 2))
        columns = cell_means(CELLS, film.shape[1], round(left, 2), round(left + width, 2))
        cut[k] = rows @ film @ columns.T
    return _unit(cut)


def _against(films: Floats32, quarter: int, penalty: float) -> Floats32:
    """The weights (256,) that best raise a film above itself turned by ``quarter`` quarters."""
    differ = (films - np.rot90(films, quarter, (1, 2))).reshape(len(films), -1)
    moment = differ.T @ differ / len(differ)
    ridge = penalty * np.trace(moment) / len(moment)
    weights: Floats32 = np.linalg.solve(
        moment + ridge * np.eye(len(moment), dtype=np.float32), differ.mean(axis=0)
    )
    return weights


def _turn(weights: Floats32, quarters: int) -> Floats32:
    return np.rot90(weights.reshape(CELLS, CELLS), quarters).ravel()


def _unit(films: Floats32) -> Floats32:
    films = films - films.mean(axis=(1, 2), keepdims=True)
    unit: Floats32 = films / np.maximum(np.linalg.norm(films, axis=(1, 2), keepdims=True), 1e-3)
    return unit
