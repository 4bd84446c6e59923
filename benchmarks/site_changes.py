"""Changes that other sites make to a film: what the gate's bounds must let pass.

    python benchmarks/site_changes.py FOLDER [SEED]     # Kaggle's training films: chest_xray/train

A film of another hospital is exposed, processed, framed, marked and stored otherwise than those a
model learnt from. Each change is drawn anew for each film, within what is seen between sites.
Printed are the films withheld, and those decided without a remark (bare): of 1,000 of patients of
whom no film is in the model's reference, of phantoms (of children and of adults), and of what must
not be read (``other_pictures``, ``pictures_of_bodies``), with the reference and without one.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from benchmarks.adult_phantoms import draw_adult, draw_ill_adult
from benchmarks.other_pictures import MADE, others
from benchmarks.pictures_of_bodies import PARTS, drawn_families
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, rotate

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import Reference, make_reference
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.inference.image_warnings import of_pixels, withholding
from pneumoscope.records import Grey, InputSpec

Random = np.random.Generator
Change = Callable[[Grey, Random], Grey]


def _grey(levels: NDArray[np.floating]) -> Grey:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _toned(film: Grey, tone: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Grey:
    """``film`` with each grey level, 0 to 1, moved by ``tone``."""
    return _grey(255 * tone(np.linspace(0, 1, 256)))[film]


def gamma(film: Grey, rng: Random) -> Grey:
    power = np.exp(rng.uniform(np.log(0.5), np.log(2.0)))
    return _toned(film, lambda level: level**power)


def exposure(film: Grey, rng: Random) -> Grey:
    """A window set too narrow or too wide, and off the middle: parts burnt out or flat."""
    width, middle = rng.uniform(0.6, 1.6), rng.uniform(0.4, 0.6)
    return _toned(film, lambda level: np.clip((level - middle) / width + 0.5, 0, 1))


def s_curve(film: Grey, rng: Random) -> Grey:
    """The sigmoid lookup table of a digital system, up to as hard as old film."""
    steep, middle = rng.uniform(4, 10), rng.uniform(0.35, 0.65)
    return _toned(film, lambda level: 1 / (1 + np.exp(steep * (middle - level))))


def equalised(film: Grey, rng: Random) -> Grey:
    """Large-scale contrast taken away, as multiscale processing and CLAHE do."""
    levels = film.astype(np.float64)
    sigma, share = rng.uniform(0.08, 0.25) * film.shape[0], rng.uniform(0.3, 0.7)
    rest = levels - share * gaussian_filter(levels, sigma, mode="nearest")
    low, high = np.quantile(rest, (0.005, 0.995))
    return _grey((rest - low) / max(high - low, 1.0) * 255)


def framed(film: Grey, rng: Random, level: int) -> Grey:
    """Shutters or an edge of the plate, on up to four sides, to 12 % of the film each."""
    film = film.copy()
    height, width = film.shape
    sides = rng.uniform(0, 0.12, 4) * (rng.random(4) < 0.6)
    top, bottom, left, right = (int(part * height) for part in sides)
    film[:top], film[height - bottom :] = level, level
    film[:, :left], film[:, width - right :] = level, level
    return film


def barred(film: Grey, rng: Random) -> Grey:
    """Padded to a square: black bars beside a portrait film, or above and below a landscape."""
    part = rng.uniform(0.7, 1.0)
    upright = rng.random() < 0.5
    height, width = film.shape
    size = (int(width * part), height) if upright else (width, int(height * part))
    small = np.asarray(Image.fromarray(film).resize(size))
    whole = np.zeros_like(film)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    whole[top : top + small.shape[0], left : left + small.shape[1]] = small
    return whole


def window(film: Grey, rng: Random, parts: tuple[float, float], apart: float = 0.0) -> Grey:
    """A part of the film, or more than it, its edges carried on: ``parts`` of its sides, which
    differ by a factor of up to ``1 + apart``; then squashed to a square again."""
    height, width = film.shape
    zoom, aspect = rng.uniform(*parts), np.exp(rng.uniform(-1, 1) * np.log1p(apart) / 2)
    high, wide = zoom * aspect, zoom / aspect
    top, left = ((1 - part) * (0.5 + rng.uniform(-0.3, 0.3)) for part in (high, wide))
    beyond = np.pad(film, film.shape[0] // 2, mode="edge")
    box = (left * width, top * height, (left + wide) * width, (top + high) * height)
    moved = tuple(at + film.shape[0] // 2 for at in box)
    return np.asarray(
        Image.fromarray(beyond).resize((width, height), Image.Resampling.BILINEAR, box=moved)
    )


def tilted(film: Grey, rng: Random) -> Grey:
    turned: Grey = rotate(film, rng.uniform(-10, 10), reshape=False, order=1, mode="nearest")
    return turned


def marked(film: Grey, rng: Random) -> Grey:
    """Letters and lines of text burnt in, white, near the edges."""
    page = Image.fromarray(film.copy())
    draw, side = ImageDraw.Draw(page), film.shape[0]
    words = ("R", "L", "PORTABLE", "AP ERECT 12:40", "SEMI-UPRIGHT", "WARD 7")
    for _ in range(int(rng.integers(1, 5))):
        font = ImageFont.load_default(int(rng.uniform(0.05, 0.12) * side))
        down = rng.choice((rng.uniform(0.01, 0.2), rng.uniform(0.8, 0.9)))
        place = (rng.uniform(0.01, 0.7) * side, down * side)
        draw.text(place, str(rng.choice(words)), fill=int(rng.integers(200, 256)), font=font)
    return np.asarray(page)


def wired(film: Grey, rng: Random) -> Grey:
    """Leads, a tube, a line, electrodes, and the box of a pacemaker."""
    page = Image.fromarray(film.copy())
    draw, side = ImageDraw.Draw(page), film.shape[0]
    for _ in range(int(rng.integers(2, 7))):
        ends = rng.uniform(0, side, (4, 2))
        curve = np.stack([_bezier(ends, at) for at in np.linspace(0, 1, 30)])
        shade, broad = int(rng.integers(190, 256)), int(rng.integers(1, 1 + side // 70))
        draw.line([tuple(point) for point in curve], fill=shade, width=broad)
    for reach in rng.uniform(0.015, 0.03, int(rng.integers(0, 5))) * side:
        x, y = rng.uniform(0.15, 0.85, 2) * side
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=235)
    if rng.random() < 0.5:
        x, y = rng.uniform(0.1, 0.8) * side, rng.uniform(0.15, 0.35) * side
        draw.rounded_rectangle((x, y, x + side * 0.12, y + side * 0.1), side * 0.04, fill=250)
    return np.asarray(page)


def _bezier(ends: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    shares = np.array([(1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3])
    point: NDArray[np.float64] = shares @ ends
    return point


def noisy(film: Grey, rng: Random) -> Grey:
    return _grey(film + rng.normal(0, rng.uniform(5, 25), film.shape))


def coarse(film: Grey, rng: Random) -> Grey:
    """A thumbnail of 64 to 128 px, kept as a JPEG of little quality."""
    side = int(rng.integers(64, 129))
    with io.BytesIO() as file:
        Image.fromarray(film).resize((side, side)).save(
            file, "JPEG", quality=int(rng.integers(15, 50))
        )
        small = Image.open(file)
        return np.asarray(small.resize(film.shape[::-1], Image.Resampling.BILINEAR))


def opaque(film: Grey, rng: Random) -> Grey:
    """One lung, or the lower part of both, white: an effusion, a collapse, a high diaphragm."""
    y, x = np.mgrid[0 : 1 : complex(0, film.shape[0]), 0 : 1 : complex(0, film.shape[1])]
    below = rng.uniform(0.45, 0.7)
    cover = 1 / (1 + np.exp((below - y) * 25))
    if rng.random() < 0.7:
        side = rng.choice((-1.0, 1.0))
        cover = cover / (1 + np.exp(-side * (x - 0.5) * 25))
    share = cover * rng.uniform(0.4, 0.9)
    return _grey(film * (1 - share) + float(np.quantile(film, 0.85)) * share)


_ONE: dict[str, Change] = {
    "gamma .5 to 2": gamma,
    "exposure": exposure,
    "S-shaped contrast": s_curve,
    "equalised": equalised,
    "black frame": partial(framed, level=0),
    "white frame": partial(framed, level=255),
    "black bars": barred,
    "other aspect": partial(window, parts=(0.85, 1.05), apart=0.4),
    "narrower field": partial(window, parts=(0.8, 1.0)),
    "wider field": partial(window, parts=(1.0, 1.25)),
    "tilted to 10 degrees": tilted,
    "text and markers": marked,
    "leads and tubes": wired,
    "noise": noisy,
    "64 to 128 px, JPEG": coarse,
    "opaque part": opaque,
}


def several(film: Grey, rng: Random, count: int) -> Grey:
    """``count`` of the changes one after the other."""
    for name in rng.choice(list(_ONE), count, replace=False):
        film = _ONE[str(name)](film, rng)
    return film


CHANGES: dict[str, Change] = {
    "as it is": lambda film, _: film,
    **_ONE,
    "two at once": partial(several, count=2),
    "three at once": partial(several, count=3),
}
"""Name: what makes of a square film, uint8 (S, S), one of another site."""


def _square(films: list[Grey]) -> Grey:
    spec = InputSpec(224, 224)
    return np.stack([fit_square(np.ascontiguousarray(film), spec) for film in films])


def _halves(folder: Path, seed: int) -> tuple[Grey, Grey]:
    """Films of one half of the patients, and 1,000 films of the other half, squares of 224 px."""
    files = sorted(folder.rglob("*.jpeg"))
    whose = np.array([re.split(r"_|-\d+-|-\d+\.", f.name.replace("IM-", "IM"))[0] for f in files])
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(whose))
    mine = np.isin(whose, people[: len(people) // 2])
    held_out = rng.choice(np.flatnonzero(~mine), 1000, replace=False)
    films = [np.asarray(Image.open(file).convert("L")) for file in files]
    return _square([films[i] for i in np.flatnonzero(mine)]), _square([films[i] for i in held_out])


def _print(name: str, films: Grey, reference: Reference) -> None:
    parts = []
    for known in (reference, None):
        codes = of_pixels(films, known)
        withheld = 100 * np.mean([withholding(each) is not None for each in codes])
        bare = 100 * np.mean([each == () for each in codes])
        parts.append(f"withheld {withheld:5.1f} %, bare {bare:5.1f} %")
    print(f"{name:40}{len(films):6}: {parts[0]}; without a reference {parts[1]}", flush=True)


def main(folder: Path, seed: int) -> None:
    """Print what is withheld."""
    mine, held_out = _halves(folder, seed)
    reference = make_reference(mine, ["train"] * len(mine))
    phantoms = _square([draw_phantom(seed, i, label=i % 2, size=224).image for i in range(400)])
    adults = _square([draw_adult(seed, i, 224) for i in range(400)])
    kinds = {"training films": held_out, "phantoms": phantoms, "adult phantoms": adults}
    kinds["ill adults"] = _square([draw_ill_adult(seed, i, 224) for i in range(400)])
    for kind, films in kinds.items():
        for name, change in CHANGES.items():
            rng = np.random.default_rng(seed)
            _print(f"{kind}, {name}", np.stack([change(film, rng) for film in films]), reference)
    for name, make in MADE.items():
        _print(f"of films: {name}", _square([make(film) for film in held_out]), reference)
    drawn = {name: each for part in PARTS for name, each in drawn_families(part, seed).items()}
    for name, pictures in {**others(), **drawn}.items():
        _print(name, _square(pictures), reference)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15)
