"""Pictures that are no frontal chest films: 40 of twelve kinds, out of packages and of phantoms.

    python benchmarks/no_chest_films.py [FOLDER]      # list them, or write them as PNG

Chosen before any bound was set on what is withheld, and never to be changed to fit one. All are
grey levels alone, uint8 (H, W): pictures out of DICOM files come without their header, which would
give them away. ``MORE`` are pictures of scikit-image, where that is installed; ``TREATMENTS`` make
of any film one that must not be read as it is. Real laterals, hands or abdomens are in no package.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import cbook
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits, load_sample_image

from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.records import Grey

_SIDE = 256


def scaled(array: NDArray[Any]) -> Grey:
    """Any numbers (H, W) as grey levels from 0, the least, to 255."""
    array = np.asarray(array, np.float64)
    array = np.nan_to_num(array, nan=float(np.nanmin(array)))
    span = float(np.ptp(array)) or 1.0
    return ((array - array.min()) / span * 255).round().astype(np.uint8)


def grey(picture: Any) -> Grey:
    """A picture file, or an array (H, W, 3), as Rec. 601 luma on white."""
    image = picture if isinstance(picture, np.ndarray) else Image.open(picture)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    ground = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("L"))


def _sample(name: str) -> Path:
    return Path(str(cbook.get_sample_data(name, asfileobj=False)))


def dicom(name: str) -> Grey:
    pixels = dcmread(str(get_testdata_file(name, download=False))).pixel_array
    if pixels.ndim == 4:
        pixels = pixels[0]
    return grey(pixels) if pixels.ndim == 3 else scaled(pixels)


def _head() -> Grey:
    with gzip.open(_sample("s1045.ima.gz")) as file:
        return scaled(np.frombuffer(file.read(), np.uint16).reshape(256, 256))


def page(lines: list[str], size: int) -> Grey:
    page = Image.new("L", (600, 800), 255)
    font = ImageFont.load_default(size)
    for row, line in enumerate(lines):
        ImageDraw.Draw(page).text((40, 40 + row * size * 1.5), line, fill=0, font=font)
    return np.asarray(page)


def drawn(draw: Callable[[Any], object]) -> Grey:
    figure = Figure(figsize=(4, 3))
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    canvas.draw()
    return grey(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _random() -> np.random.Generator:
    return np.random.default_rng(40)


def _axes() -> tuple[NDArray[Any], NDArray[Any]]:
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1)
    return y, x


def _film(label: int) -> Grey:
    return draw_phantom(40, label, label=label, size=_SIDE).image


def _part(film: Grey, down: float, right: float, share: float) -> Grey:
    """The part of a film whose upper left corner lies at (down, right), in parts of its sides."""
    height, width = film.shape
    top, left = int(down * height), int(right * width)
    return film[top : top + int(share * height), left : left + int(share * width)]


TREATMENTS: dict[str, Callable[[Grey], Grey]] = {
    "turned by 90 degrees": lambda film: np.rot90(film),
    "turned by 180 degrees": lambda film: np.rot90(film, 2),
    "turned by 270 degrees": lambda film: np.rot90(film, 3),
    "inverted": lambda film: 255 - film,
    "inverted and turned by 90 degrees": lambda film: np.rot90(255 - film),
    "upper left corner": lambda film: _part(film, 0.0, 0.0, 0.4),
    "lower right corner": lambda film: _part(film, 0.6, 0.6, 0.4),
    "one lung's middle": lambda film: _part(film, 0.3, 0.1, 0.3),
}

_LINES = [f"{n}. The films of the patient were taken at the ward, lying." for n in range(1, 26)]
_TABLE = [f"{n:3}   {n * 37 % 101:4}   {n * 53 % 997:5}   {n / 7:.3f}" for n in range(30)]

PICTURES: dict[str, tuple[str, Callable[[], Grey]]] = {
    "photograph of a palace (scikit-learn)": (
        "photograph",
        lambda: grey(load_sample_image("china.jpg")),
    ),
    "photograph of a flower (scikit-learn)": (
        "photograph",
        lambda: grey(load_sample_image("flower.jpg")),
    ),
    "portrait (matplotlib)": ("photograph", lambda: grey(_sample("grace_hopper.jpg"))),
    "logo (matplotlib)": ("drawing", lambda: grey(_sample("logo2.png"))),
    "ornament (matplotlib)": (
        "drawing",
        lambda: grey(_sample("Minduka_Present_Blue_Pack.png")),
    ),
    "chess board": (
        "drawing",
        lambda: (np.indices((_SIDE, _SIDE)) // 32).sum(0).astype(np.uint8) % 2 * 200 + 20,
    ),
    "stripes": ("drawing", lambda: scaled(np.sin(_axes()[1] * 40) + 0.2 * _axes()[0])),
    "line chart": ("chart", lambda: drawn(lambda ax: ax.plot(_random().normal(size=99).cumsum()))),
    "bar chart": ("chart", lambda: drawn(lambda ax: ax.bar(range(9), _random().random(9)))),
    "page of text": ("text", lambda: page(_LINES, 18)),
    "table of figures": ("text", lambda: page(_TABLE, 16)),
    "black": ("blank", lambda: np.zeros((_SIDE, _SIDE), np.uint8)),
    "white": ("blank", lambda: np.full((_SIDE, _SIDE), 255, np.uint8)),
    "grey with a little noise": (
        "blank",
        lambda: _random().integers(126, 131, (_SIDE, _SIDE)).astype(np.uint8),
    ),
    "gradient downwards": ("gradient", lambda: scaled(_axes()[0])),
    "gradient to the right": ("gradient", lambda: scaled(_axes()[1])),
    "bright in the middle": (
        "gradient",
        lambda: scaled(-np.hypot(_axes()[0] - 0.5, _axes()[1] - 0.5)),
    ),
    "white noise": ("noise", lambda: _random().integers(0, 256, (_SIDE, _SIDE)).astype(np.uint8)),
    "clouds": (
        "noise",
        lambda: scaled(gaussian_filter(_random().normal(size=(_SIDE, _SIDE)), 24)),
    ),
    "salt and pepper": (
        "noise",
        lambda: (_random().random((_SIDE, _SIDE)) < 0.5).astype(np.uint8) * 255,
    ),
    "CT, small (pydicom)": ("other modality", lambda: dicom("CT_small.dcm")),
    "CT, 512 px (pydicom)": ("other modality", lambda: dicom("693_J2KI.dcm")),
    "MR, small (pydicom)": ("other modality", lambda: dicom("MR_small.dcm")),
    "MR of an abdomen (pydicom)": ("other modality", lambda: dicom("examples_overlay.dcm")),
    "MR of a head (matplotlib)": ("other modality", _head),
    "ultrasound (pydicom)": ("other modality", lambda: dicom("examples_rgb_color.dcm")),
    "ultrasound, palette (pydicom)": ("other modality", lambda: dicom("examples_palette.dcm")),
    "scintigram (pydicom)": ("other modality", lambda: dicom("JPEG2000.dcm")),
    "elevation of a county (matplotlib)": (
        "map",
        lambda: scaled(np.load(_sample("jacksboro_fault_dem.npz"))["elevation"]),
    ),
    "elevation of the earth (matplotlib)": (
        "map",
        lambda: scaled(np.load(_sample("topobathy.npz"))["topo"]),
    ),
    "handwritten digit (scikit-learn)": ("drawing", lambda: scaled(load_digits().images[0])),
    "phantom turned by 90 degrees": (
        "turned film",
        lambda: TREATMENTS["turned by 90 degrees"](_film(0)),
    ),
    "phantom turned by 180 degrees": (
        "turned film",
        lambda: TREATMENTS["turned by 180 degrees"](_film(1)),
    ),
    "phantom turned by 270 degrees": (
        "turned film",
        lambda: TREATMENTS["turned by 270 degrees"](_film(0)),
    ),
    "phantom inverted, normal": ("inverted film", lambda: TREATMENTS["inverted"](_film(0))),
    "phantom inverted, pneumonia": ("inverted film", lambda: TREATMENTS["inverted"](_film(1))),
    "phantom inverted and turned": (
        "inverted film",
        lambda: TREATMENTS["inverted and turned by 90 degrees"](_film(0)),
    ),
    "phantom's upper left corner": (
        "part of a film",
        lambda: TREATMENTS["upper left corner"](_film(0)),
    ),
    "phantom's lower right corner": (
        "part of a film",
        lambda: TREATMENTS["lower right corner"](_film(1)),
    ),
    "phantom's lung": ("part of a film", lambda: TREATMENTS["one lung's middle"](_film(0))),
}
"""Name: its kind, and what makes it."""

MORE = (
    "astronaut",
    "brick",
    "camera",
    "cat",
    "checkerboard",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "horse",
    "moon",
    "page",
    "rocket",
    "text",
)
"""Pictures that scikit-image brings in its wheel, as functions of ``skimage.data``."""


def pictures() -> dict[str, Grey]:
    """All of ``PICTURES``, by name."""
    return {name: np.ascontiguousarray(make()) for name, (_, make) in PICTURES.items()}


def more() -> dict[str, Grey]:
    """Those of ``MORE``, empty where scikit-image is not installed. Raises ModuleNotFoundError
    where what it reads TIFF with is not."""
    if importlib.util.find_spec("skimage") is None:
        return {}
    if importlib.util.find_spec("tifffile") is None:
        raise ModuleNotFoundError(
            "scikit-image is installed without tifffile, with which it reads some of its pictures: "
            "install tifffile, or leave scikit-image out"
        )
    from skimage import data

    found = {name: np.asarray(getattr(data, name)()) for name in MORE}
    return {
        name: grey(array) if array.ndim == 3 else scaled(array) for name, array in found.items()
    }


if __name__ == "__main__":
    for number, (name, array) in enumerate({**pictures(), **more()}.items(), 1):
        print(number, name, array.shape)
        if len(sys.argv) > 1:
            Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(Path(sys.argv[1]) / f"{number:02d}.png")
