"""From files or arrays to the squares that the network takes, in threads, in order.

A few films at a time are in memory. Films pass the door and the resizer that training uses, so
the same film gives the same square.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from pneumoscope.data.pool import cores, in_order, pieces
from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.read import quiet_decoders
from pneumoscope.inference import oddities
from pneumoscope.inference.films import FilmFile
from pneumoscope.records import Film, Grey, InputSpec
from pneumoscope.sources.files import read_file

_PIECE = 16
_LOOK = InputSpec(64, 64)
"""Oddities are calibrated on squashed squares, whatever shape the network takes."""


@dataclass(frozen=True, slots=True)
class GivenFilm:
    """A film that is in memory already: ``pixels`` uint8 (H, W), 0–255, air dark."""

    name: str
    pixels: Grey


@dataclass(frozen=True, slots=True)
class ReadyFilm:
    """A film as the network takes it, uint8 (S, S), or the reason why there is none."""

    name: str
    square: Grey | None = None
    findings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Fitted:
    ready: ReadyFilm
    looks: Grey | None


def ready_films(
    films: Iterable[FilmFile | GivenFilm], spec: InputSpec, population: Mapping[str, Any]
) -> Iterator[ReadyFilm]:
    """Read ``films`` on all cores and make them square by ``spec``, in their order.

    A film that cannot be read comes with its reason, which names no file and no person.
    ``population`` as ``oddities.of_header`` takes it. Decoders are silenced while this runs.
    """
    work = partial(_ready_piece, spec=spec, population=population)
    with quiet_decoders():
        for piece in in_order(work, pieces(films, _PIECE), cores()):
            yield from piece


def given_film(name: str, pixels: Any) -> GivenFilm:
    """Check an array, uint8 (H, W) or (H, W, 3), and make colour Rec. 601 luma, as for files.

    Raises UnreadableImage.
    """
    shape, dtype = getattr(pixels, "shape", None), getattr(pixels, "dtype", None)
    colour = shape is not None and len(shape) == 3 and shape[2] == 3
    if dtype != np.uint8 or shape is None or not (len(shape) == 2 or colour) or 0 in shape:
        raise UnreadableImage(
            f"{name} is no film",
            got=f"{type(pixels).__name__} {shape or ''} {dtype or ''}".strip(),
            expected="a path, or a uint8 array (H, W) or (H, W, 3), 0–255, air dark",
            remedy="scale deeper arrays to 0–255 first, or give the file itself",
        )
    array = np.asarray(pixels)
    if colour:
        array = np.asarray(Image.fromarray(np.ascontiguousarray(array)).convert("L"))
    return GivenFilm(name, array)


def _ready_piece(
    films: list[FilmFile | GivenFilm], spec: InputSpec, population: Mapping[str, Any]
) -> list[ReadyFilm]:
    fitted = [_fit(film, spec, population) for film in films]
    seen = [each.looks for each in fitted if each.looks is not None]
    codes = iter(oddities.of_pixels(oddities.stack(seen)))
    return [each.ready if each.looks is None else _with(each.ready, next(codes)) for each in fitted]


def _fit(film: FilmFile | GivenFilm, spec: InputSpec, population: Mapping[str, Any]) -> _Fitted:
    try:
        read = _read(film, spec.stored)
    except UnreadableImage as error:
        return _Fitted(ReadyFilm(film.name, error=error.what), None)
    found = oddities.of_header(read.facts, population)
    if oddities.is_small(read.height, read.width, spec.stored):
        found = (*found, "SMALL")
    square = fit_square(read.pixels, spec)
    looks = square if spec.fit == "squash" else fit_square(read.pixels, _LOOK)
    return _Fitted(ReadyFilm(film.name, square, found), looks)


def _read(film: FilmFile | GivenFilm, side: int) -> Film:
    if isinstance(film, GivenFilm):
        return Film(film.pixels, *film.pixels.shape)
    if film.error is not None:
        raise UnreadableImage(film.error)
    return read_file(film.path, side)


def _with(ready: ReadyFilm, codes: tuple[str, ...]) -> ReadyFilm:
    found = oddities.merge_codes(ready.findings, codes)
    return ReadyFilm(ready.name, ready.square, found)
