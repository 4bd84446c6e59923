"""Pictures of other things and of parts of films, on which the gate's bounds are set.

None is among the 40 pictures and scikit-image's by which the gate is judged (``no_chest_films``).
All are uint8 (H, W). Faces, and random clouds that are alike left and right, are the hardest.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import networkx
import numpy as np
from benchmarks.no_chest_films import TREATMENTS, dicom, drawn, grey, page, scaled
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pneumoscope.records import Grey

_SIDE = 224
_DICOM = ("liver_1frame.dcm", "J2K_pixelrep_mismatch.dcm", "image_dfl.dcm")
_SKIMAGE = (
    *("cell.png", "clock_motion.png", "color.png", "hubble_deep_field.jpg"),
    *("ihc.png", "logo.png", "microaneurysms.png", "motorcycle_left.png", "phantom.png"),
    "retina.jpg",
)
_WORDS = ("a", "scan", "of", "the", "report", "says", "that", "nothing", "new", "was", "found")
Random = np.random.Generator


def _shuffled(film: Grey, parts: int) -> Grey:
    side = min(film.shape) // parts
    blocks = film[: side * parts, : side * parts].reshape(parts, side, parts, side).swapaxes(1, 2)
    order = np.random.default_rng(parts).permutation(parts * parts)
    mixed = blocks.reshape(parts * parts, side, side)[order].reshape(parts, parts, side, side)
    return mixed.swapaxes(1, 2).reshape(side * parts, side * parts)


MADE: dict[str, Callable[[Grey], Grey]] = {
    **TREATMENTS,
    "left half": lambda film: film[:, : film.shape[1] // 2],
    "upper half": lambda film: film[: film.shape[0] // 2],
    "in 16 blocks, shuffled": partial(_shuffled, parts=4),
    "two beside each other": lambda film: np.concatenate([film[:, ::2]] * 2, axis=1),
}
"""What makes of a film one that must not be read as it is."""


def _clouds(rng: Random, mirrored: bool) -> Grey:
    """Noise of which long waves are the stronger, by a power of .5 to 2.5."""
    ways = np.fft.fftfreq(_SIDE) * _SIDE
    waves = np.hypot(ways[:, None], ways)
    waves[0, 0] = 1
    plain = np.fft.fft2(rng.normal(size=waves.shape))
    found = np.real(np.fft.ifft2(plain / waves ** rng.uniform(0.5, 2.5)))
    return scaled(found + found[:, ::-1] if mirrored else found)


def _slope(rng: Random) -> Grey:
    y, x = np.mgrid[-0.5:0.5:224j, -0.5:0.5:224j]
    turn = rng.uniform(0, 2 * np.pi)
    noise = rng.normal(0, rng.uniform(0, 0.3), x.shape)
    return scaled(np.cos(turn) * x + np.sin(turn) * y + noise)


def _blob(rng: Random) -> Grey:
    y, x = np.mgrid[-0.5:0.5:224j, -0.5:0.5:224j]
    (right, down), (wide, high) = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.1, 0.6, 2)
    blob = np.exp(-(((x - right) / wide) ** 2) - ((y - down) / high) ** 2)
    return scaled(blob * rng.choice((-1, 1)) + rng.normal(0, rng.uniform(0, 0.2), x.shape))


def _text(rng: Random) -> Grey:
    lines = [" ".join(rng.choice(_WORDS, rng.integers(2, 12))) for _ in range(rng.integers(4, 26))]
    return page(lines, int(rng.integers(14, 30)))


def _shapes(rng: Random) -> Grey:
    picture = Image.new("L", (_SIDE, _SIDE), int(rng.integers(0, 256)))
    for _ in range(int(rng.integers(2, 12))):
        corners = np.sort(rng.uniform(0, _SIDE, (2, 2)), axis=0)
        draw = ImageDraw.Draw(picture)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape(corners.ravel().tolist(), fill=int(rng.integers(0, 256)))
    return np.asarray(picture)


def _scatter(rng: Random) -> Grey:
    return drawn(lambda ax: ax.scatter(rng.normal(size=60), rng.normal(size=60)))


def _bars(rng: Random) -> Grey:
    return drawn(lambda ax: ax.hist(rng.normal(size=200)))


_RANDOM: dict[str, tuple[int, Callable[[Random], Grey]]] = {
    "clouds": (200, partial(_clouds, mirrored=False)),
    "clouds alike left and right": (100, partial(_clouds, mirrored=True)),
    "slopes": (40, _slope),
    "blobs": (40, _blob),
    "pages of text": (30, _text),
    "shapes": (30, _shapes),
    "scatter plots": (20, _scatter),
    "histograms": (20, _bars),
}


def others() -> dict[str, list[Grey]]:
    """By kind; those of scikit-image only where it is installed."""
    found = {
        kind: [make(np.random.default_rng([77, row])) for row in range(count)]
        for kind, (count, make) in _RANDOM.items()
    }
    graphs = Path(networkx.__file__).parent / "drawing/tests/baseline"
    pictures = [*map(dicom, _DICOM), *map(grey, sorted(graphs.glob("*.png")))]
    spec: Any = importlib.util.find_spec("skimage")
    if spec is not None:
        folder = Path(spec.origin).parent / "data"
        pictures += [grey(folder / name) for name in _SKIMAGE]
        faces: NDArray[Any] = np.load(folder / "lfw_subset.npy")
        found["faces"] = [scaled(np.kron(face, np.ones((9, 9)))) for face in faces[::4]]
    return {**found, "pictures out of packages": pictures}
