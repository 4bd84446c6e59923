"""Learn by which contours a chest film is told from other pictures, and write the weights.

    python benchmarks/contours.py FOLDER src/pneumoscope/imaging/known/contours.npz

FOLDER holds Kaggle's training films (chest_xray/train). Learnt from: films of half the patients and
phantoms of children, adults and adults who lie ill, each after up to four changes of
``site_changes``; against the same in the other seven positions (turned, inverted), and the families
``LEARNT`` of ``pictures_of_bodies``. Three minutes of one core.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.adult_phantoms import draw_adult, draw_ill_adult
from benchmarks.pictures_of_bodies import drawn_families
from benchmarks.site_changes import several
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.contours import contours
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import Floats32, thumbnails, without_borders
from pneumoscope.records import Grey, InputSpec

_SPEC = InputSpec(224, 224)
_SEED, _HALF = 7, 303
_FILMS, _PHANTOMS = 2500, 1200
_LOOSE = 0.05
"""The regression's C on contours of deviation 1: how little its weights are held back."""

_KINDS: dict[str, Callable[[int], Grey]] = {
    "phantoms": lambda i: draw_phantom(_SEED, i, label=i % 2, size=128).image,
    "adults": lambda i: draw_adult(_SEED, i, 128),
    "ill adults": lambda i: draw_ill_adult(_SEED, i, 128),
}


def _square(film: Grey) -> Grey:
    return fit_square(np.ascontiguousarray(film), _SPEC)


def _learnt(folder: Path) -> list[Grey]:
    """Thumbnails of each kind of films that should pass."""
    files = sorted(folder.rglob("*.jpeg"))
    whose = np.array([re.split(r"_|-\d+-|-\d+\.", f.name.replace("IM-", "IM"))[0] for f in files])
    people = np.random.default_rng(_HALF).permutation(np.unique(whose))
    mine = np.flatnonzero(np.isin(whose, people[: len(people) // 2]))
    rng = np.random.default_rng(_SEED)

    def seen(film: Grey) -> Grey:
        # Squares first, as a model stores them: changes are drawn for these.
        return _square(several(_square(film), rng, int(rng.integers(0, 5))))

    chosen = rng.choice(mine, _FILMS, replace=False)
    kinds = [np.stack([seen(np.asarray(Image.open(files[i]).convert("L"))) for i in chosen])]
    kinds += [np.stack([seen(draw(i)) for i in range(_PHANTOMS)]) for draw in _KINDS.values()]
    return [without_borders(thumbnails(films)) for films in kinds]


def _positions(films: Grey) -> list[Grey]:
    """Films in the seven positions in which they must not be read."""
    made = [np.rot90(one, -turn, (1, 2)) for one in (films, 255 - films) for turn in range(4)]
    return made[1:]


def _others() -> list[Grey]:
    families = drawn_families("learnt", 1, 300).values()
    return [
        without_borders(thumbnails(np.stack([_square(picture) for picture in family])))
        for family in families
    ]


def learn(chests: list[Floats32], others: list[Floats32]) -> tuple[NDArray[np.float64], float]:
    """Weights (128,) and intercept, from contours."""
    seen = np.concatenate([*chests, *others]).astype(np.float64)
    truth = np.repeat((1, 0), (sum(map(len, chests)), sum(map(len, others))))
    mean, spread = seen.mean(axis=0), seen.std()
    fitted = LogisticRegression(C=_LOOSE, max_iter=5000).fit((seen - mean) / spread, truth)
    weights = fitted.coef_[0] / spread
    return weights, float(fitted.intercept_[0] - mean @ weights)


def main(folder: Path, file: Path) -> None:
    """Write the weights."""
    films = _learnt(folder)
    chests = [contours(kind) for kind in films]
    turned = [contours(made)[::5] for kind in films for made in _positions(kind[::2])]
    weights, intercept = learn(chests, [*(contours(kind) for kind in _others()), *turned])
    np.savez_compressed(file, weights=weights.astype(np.float32), intercept=np.float32(intercept))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
