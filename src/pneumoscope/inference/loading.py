"""Loading films: from files or arrays to the squares that the network takes, in threads, in order.

A few films at a time are in memory. Films pass the door and the resizer that training uses, so
the same film gives the same square.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pneumoscope.data.pool import cores, in_order, pieces
from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.imaging.pictures import kind_of
from pneumoscope.imaging.read import quiet_decoders
from pneumoscope.inference import image_warnings
from pneumoscope.inference.films import FilmInput
from pneumoscope.manifest import Population
from pneumoscope.records import Grey, InputSpec

_PIECE = 16
_LOOK = InputSpec(64, 64)
"""Warnings are calibrated on squashed squares, whatever shape the network takes."""


@dataclass(frozen=True, slots=True)
class LoadedFilm:
    """A film as the network takes it, uint8 (S, S), or the reason why there is none.
    ``patient_id`` is the one that the file itself names."""

    name: str
    square: Grey | None = None
    findings: tuple[str, ...] = ()
    error: str | None = None
    patient_id: str | None = None


def load_films(
    films: Iterable[FilmInput],
    spec: InputSpec,
    population: Population,
    reference: Reference | None = None,
) -> Iterator[LoadedFilm]:
    """Read ``films`` on all cores and make them square by ``spec``, in their order.

    A film that cannot be read comes with its reason, which names no file and no person.
    ``population`` as ``image_warnings.of_header`` takes it, ``reference`` as ``of_pixels``.
    Decoders are silenced while this runs.
    """
    work = partial(load_piece, spec=spec, population=population, reference=reference)
    with quiet_decoders():
        for piece in in_order(work, pieces(films, _PIECE), cores()):
            yield from piece


def load_piece(
    films: Sequence[FilmInput],
    spec: InputSpec,
    population: Population,
    reference: Reference | None = None,
) -> list[LoadedFilm]:
    """A few films as ``load_films`` gives them, in this thread; decoders are as loud as they are
    outside."""
    loaded = [_load(film, spec, population) for film in films]
    # Together, for the reference that appearance is judged against costs most of the time.
    seen = [looks for _, looks in loaded if looks is not None]
    if not seen:
        return [film for film, _ in loaded]
    squares = [film.square for film, _ in loaded if film.square is not None]
    stored = None if spec.fit == "squash" else np.stack(squares)
    codes = iter(image_warnings.of_pixels(np.stack(seen), reference, stored))
    return [film if looks is None else _with(film, next(codes)) for film, looks in loaded]


def _load(
    film: FilmInput, spec: InputSpec, population: Population
) -> tuple[LoadedFilm, Grey | None]:
    """The film with what its header says, and the square that its appearance is judged by."""
    try:
        read = film.read(spec.stored)
    except UnreadableImage as error:
        return LoadedFilm(film.name, error=error.what), None
    found = image_warnings.of_header(read.facts, population)
    if (kind := kind_of(read.pixels)) is not None:
        found = (*found, kind)
    if image_warnings.is_small(read.height, read.width, spec.stored):
        found = (*found, "SMALL")
    square = fit_square(read.pixels, spec)
    looks = square if spec.fit == "squash" else fit_square(read.pixels, _LOOK)
    return LoadedFilm(film.name, square, found, patient_id=read.patient_id), looks


def _with(film: LoadedFilm, codes: tuple[str, ...]) -> LoadedFilm:
    return replace(film, findings=image_warnings.merge_codes(film.findings, codes))
