"""Pictures that are no frontal film of a chest: which they are, and which are left out of splits.

They stay in the prepared set, with the reason in the column ``aside``, so that every command can
count and name them; a recipe decides whether they train.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.imaging import pictures, views
from pneumoscope.records import Film

TOLD: Mapping[str, str] = {**pictures.TOLD, **views.TOLD}
"""What films with each reason are called."""

_MASK = "MASK"


def aside_of(film: Film, row: Mapping[str, Any]) -> str | None:
    """Why a film is none, or no frontal one of a chest: by its pixels, and by the facts of its
    ``row``; None where nothing says so."""
    kind = pictures.kind_of(film.pixels)
    if kind == _MASK:
        return kind
    facts = {name.removeprefix("fact_"): v for name, v in row.items() if name.startswith("fact_")}
    found = views.aside_of(facts)
    return found[0] if found else kind


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many films have each reason, the most frequent first."""
    if "aside" not in table:
        return {}
    return {str(reason): int(n) for reason, n in table["aside"].value_counts().items()}


def told(found: Mapping[str, int]) -> str:
    """``7 lateral views and 6 pictures of another modality``."""
    parts = [f"{count:,} {TOLD.get(reason, reason)}" for reason, count in found.items()]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def masks(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Bool (N,): what is no film at all, by its pixels; no command trains on it or judges it."""
    if "aside" not in table:
        return np.zeros(len(table), bool)
    found: NDArray[np.bool_] = (table["aside"] == _MASK).fillna(False).to_numpy(bool)
    return found


def left_out(table: pd.DataFrame, views_kept: str, *, official_test: bool) -> NDArray[np.bool_]:
    """Bool (N,): films that are in no split of a recipe with ``data.views``.

    Masks never are. Of films aside the others are left out by ``auto`` where they are not the most;
    those of an ``official_test`` split stay, for its figures are compared with others'.
    """
    mask = masks(table)
    if views_kept == "all" or "aside" not in table:
        return mask
    aside = table["aside"].notna().to_numpy(bool)
    rest = aside & ~mask
    if 2 * rest.sum() > (~mask).sum():  # the set is one of them
        rest[:] = False
    if official_test:
        rest &= ~(table["split"] == "test").fillna(False).to_numpy(bool)
    found: NDArray[np.bool_] = mask | rest
    return found
