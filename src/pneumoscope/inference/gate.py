"""Gate over a prepared set: which of its films ``predict`` would withhold, and why.

Judging keeps them all; their figures are given with and without those that would be withheld.
"""

from __future__ import annotations

import pandas as pd

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.imaging.thumbnails import batches
from pneumoscope.inference.image_warnings import of_pixels, withholding

_BATCH = 1024
"""Films of which pixels are held at a time."""


def gate_of(
    prepared: PreparedSet | None, judged: pd.Series[str], reference: Reference | None
) -> pd.DataFrame | None:
    """For each film of ``prepared`` whose image id is ``judged``: ``image_id``, and the gravest
    ``code`` for which it would be withheld, None where it would not.

    From the stored pixels, against the model's ``reference`` where there is one, and from what
    header and table say of view, modality and part of the body. None where that cannot be told:
    the films are gone, or stored with a part cut off or a border, by which none can be judged.
    """
    if prepared is None or prepared.spec.fit != "squash":
        return None
    rows = prepared.table["image_id"].isin(judged).to_numpy(bool).nonzero()[0]
    table = prepared.table.iloc[rows]
    seen = [
        codes
        for part in batches(len(rows), _BATCH)
        for codes in of_pixels(prepared.images[rows[part]], reference)
    ]
    aside = table["aside"] if "aside" in table else pd.Series(None, table.index, dtype="object")
    told = [(str(each),) if pd.notna(each) else () for each in aside]
    found = [withholding((*one, *other)) for one, other in zip(seen, told, strict=True)]
    return pd.DataFrame(
        {"image_id": table["image_id"].to_numpy(object), "code": pd.array(found, dtype="object")}
    )
