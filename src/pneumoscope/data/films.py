"""Films of a prepared set: each is read, made square, and becomes a row of the table."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from pneumoscope.data.aside import aside_of
from pneumoscope.data.draft import FilmRow, Outcome
from pneumoscope.data.ids import Pseudonym
from pneumoscope.errors import Unreachable, UnreadableImage
from pneumoscope.imaging.geometry import boxes_on, fit_square, fit_square_mask
from pneumoscope.imaging.thumbnails import coarse_of, looks_of
from pneumoscope.records import Film, InputSpec, Record

_PIECE, _PIECE_BYTES = 16, 2 << 20
"""Films a worker takes at once, at least, and more of them while they are small: the cost of
handing them over is spread, memory stays small."""


def at_once(spec: InputSpec) -> int:
    """How many films a worker takes at once."""
    return max(_PIECE, min(4 * _PIECE, _PIECE_BYTES // spec.stored**2))


def read_films(records: list[Record], spec: InputSpec, pseudonym: Pseudonym) -> list[Outcome]:
    """What became of each film, in the order of ``records``."""
    outcomes = [_read(record, spec, pseudonym) for record in records]
    looks = iter(looks_of([outcome.look for outcome in outcomes if outcome.look is not None]))
    return [o if o.look is None else replace(o, look=next(looks)) for o in outcomes]


def _read(record: Record, spec: InputSpec, pseudonym: Pseudonym) -> Outcome:
    known = pseudonym if record.private else str
    image_id = known(record.image_id)
    try:
        film = record.read(spec.stored)
    except UnreadableImage as error:
        unreached = isinstance(error, Unreachable)
        lost: FilmRow = {"image_id": image_id, "label": record.label}
        return Outcome(lost, reason=error.what, unreached=unreached)
    # An id that the file itself names is a person's, whatever the source thought of the file.
    patient = known(record.patient_id) if record.patient_id else None
    if patient is None and film.patient_id:
        patient = pseudonym(film.patient_id)
    row: FilmRow = {
        "image_id": image_id,
        "patient_id": patient,
        "split": record.split,
        "label": record.label,
        "height": film.height,
        "width": film.width,
        "pixel_hash": pixel_hash(film),
        **{f"fact_{name}": fact for name, fact in {**film.facts, **record.facts}.items()},
    }
    if aside := aside_of(film, row):
        row["aside"] = aside
    if record.origin:
        row["origin"] = known(record.origin)
    if record.boxes:
        boxes = boxes_on(record.boxes, (film.height, film.width), record.boxes_drawn_on)
        row["boxes"] = [list(box) for box in boxes]
        row["boxes_lost"] = len(record.boxes) - len(boxes)
    mask = None
    if record.mask is not None:
        mask = fit_square_mask(record.mask(), spec).astype(np.uint8)
    return Outcome(row, fit_square(film.pixels, spec), coarse_of(film), mask)


def pixel_hash(film: Film) -> str:
    """32 hex digits, equal for films of equal native size and equal pixels as decoded."""
    # SHA-256 is the fast one where the processor computes it itself, as most do.
    hasher = hashlib.sha256(f"{film.height}x{film.width}".encode())
    hasher.update(np.ascontiguousarray(film.pixels).data)
    return hasher.hexdigest()[:32]
