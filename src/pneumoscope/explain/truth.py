"""Truth of location: where the abnormality of a film is known to be, masks or boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.explain.localise import Masks, boxes_to_mask
from pneumoscope.explain.overlay import Box
from pneumoscope.imaging.geometry import fit_boxes


def truth_known(prepared: PreparedSet) -> str:
    """``masks``, ``boxes``, or nothing where no film says where its abnormality is."""
    if prepared.masks is not None:
        return "masks"
    has = "boxes" in prepared.table and bool(prepared.table["boxes"].notna().any())
    return "boxes" if has else ""


def boxes_of(prepared: PreparedSet, row: int) -> tuple[Box, ...]:
    """The boxes of a film in pixels of the stored square; none where none are known."""
    if "boxes" not in prepared.table:
        return ()
    found = prepared.table["boxes"].iloc[row]
    if found is None or isinstance(found, float):
        return ()
    about = prepared.table.iloc[row]
    boxes = [(float(x), float(y), float(w), float(h)) for x, y, w, h in found]
    return fit_boxes(boxes, (int(about["height"]), int(about["width"])), prepared.spec)


def masks_of(prepared: PreparedSet, rows: NDArray[np.int64]) -> Masks:
    """Bool (n, S, S), true inside the abnormality; all false where the truth is not known."""
    if prepared.masks is not None:
        return np.asarray(prepared.masks[rows]) > 0
    side = prepared.spec.stored
    masks = [boxes_to_mask(boxes_of(prepared, int(row)), side) for row in rows]
    return np.stack(masks) if masks else np.zeros((0, side, side), np.bool_)


def marks_of(prepared: PreparedSet, row: int) -> tuple[Box, ...]:
    """What to draw of a film's truth: its boxes, else a box around each part of its mask."""
    boxes = boxes_of(prepared, row)
    if boxes or prepared.masks is None:
        return boxes
    return boxes_around(np.asarray(prepared.masks[row]) > 0)


def boxes_around(mask: NDArray[np.bool_]) -> tuple[Box, ...]:
    """A box around each connected part of a mask bool (S, S)."""
    from scipy.ndimage import find_objects, label  # a tenth of a second that boxes never need

    return tuple(
        (float(x.start), float(y.start), float(x.stop - x.start), float(y.stop - y.start))
        for y, x in find_objects(label(mask)[0])
    )


def located_rows(prepared: PreparedSet, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Those of ``rows`` whose abnormality is marked, at most ``most`` at even distances."""
    # In pieces: all masks of a large set at once would fill the memory.
    found = [masks_of(prepared, part).any(axis=(1, 2)) for part in _pieces(rows)]
    marked: NDArray[np.int64] = rows[np.concatenate([np.zeros(0, np.bool_), *found])]
    if len(marked) <= most:
        return marked
    return marked[np.linspace(0, len(marked) - 1, most).round().astype(np.int64)]


def mean_mask(prepared: PreparedSet, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Float32 (S, S): the part of these films, of which there is one at least, that is marked at
    each pixel."""
    total = sum(masks_of(prepared, part).sum(axis=0, dtype=np.int64) for part in _pieces(rows))
    return np.asarray(total / len(rows), np.float32)


def _pieces(rows: NDArray[np.int64], size: int = 64) -> Iterator[NDArray[np.int64]]:
    """The rows, ``size`` at a time."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def patients_of(prepared: PreparedSet, rows: NDArray[np.int64]) -> NDArray[Any] | None:
    """Patient ids of rows as text, None where any is unknown."""
    ids = prepared.table["patient_id"].iloc[rows]
    return ids.astype(str).to_numpy() if bool(ids.notna().all()) else None
