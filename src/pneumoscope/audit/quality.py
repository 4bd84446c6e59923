"""Films that a model should not learn from: constant, tiny, turned, inverted, or of no chest.

Large sets are judged by their own kind: what an upright film looks like here is learnt from the
films that the drawn reference calls upright, and each film is judged by the half that it is not
in. Small sets are judged by the drawn reference alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.counts import Tally
from pneumoscope.audit.findings import Finding, Severity, few
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.formatting import plural
from pneumoscope.imaging.appearance import (
    FLAT,
    Upright,
    look,
    turn_back,
    turns,
    unit_films,
)
from pneumoscope.imaging.thumbnails import Floats32, batches, spreads

TINY = 64
"""Shorter native side in pixels below which little of a pneumonia's texture is left."""

ENOUGH = 200
"""Upright films from which a set's own look can be learnt."""

TURNED_HERE = 0.05
"""As ``appearance.TURNED``, by the set's own films: Kermany 0.2 % false alarms and 98.6 % of turned
films found, PneumoniaMNIST 0.3 % and 96.8 % or more."""

UNUSUAL = 4.5
"""Times the median distance from the set's middle beyond which a film is no film of its kind: with
the reference's verdict 0.6 % of Kermany and 0.3 % of PneumoniaMNIST, by the look of them all chests
in an unusual frame. Drawn knees and abdomens pass among real films, one kind of stranger passes
where it makes up 2 % or more."""

ROTATED_BY_CHANCE = 0.003
FOREIGN_BY_CHANCE = 0.01
"""Parts of sound sets that these two checks name by mistake, at most: measured above."""

_COMPONENTS = 20
_KIN = 0.97
_SAMPLE = 4000


@dataclass(frozen=True, slots=True)
class Quality:
    """What is odd about each film, bool arrays (N,); ``tiny`` by the native size."""

    constant: NDArray[np.bool_]
    tiny: NDArray[np.bool_]
    inverted: NDArray[np.bool_]
    rotated: NDArray[np.bool_]
    foreign: NDArray[np.bool_]

    def counts(self) -> Tally:
        """How many films of each kind."""
        return {each.name: int(getattr(self, each.name).sum()) for each in fields(self)}


def judge_quality(table: pd.DataFrame, thumbs: NDArray[np.uint8]) -> Quality:
    """Judge every film by its thumbnail, uint8 (N, 32, 32), and its native size."""
    constant = spreads(thumbs) < FLAT
    looks = look(thumbs)
    units = unit_films(thumbs)
    righted = np.where(looks.inverted[:, None, None], -units, units)
    plain = looks.chest & ~constant & (looks.turned == 0)
    turned, foreign = looks.turned, ~looks.chest
    if plain.sum() >= max(ENOUGH, len(units) / 2):
        turned = _turns_here(righted, plain)
        foreign = ~looks.chest | _unusual(turn_back(righted, turned), plain)
    tiny = (table[["height", "width"]].min(axis=1) < TINY).to_numpy(bool)
    known = ~constant & ~foreign
    return Quality(
        constant, tiny, looks.inverted & known, (turned > 0) & known, foreign & ~constant
    )


def _turns_here(units: Floats32, plain: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Turns of all films, each judged by the upright films of the other half of the set."""
    turned = np.zeros(len(units), np.int64)
    even = np.arange(len(units)) % 2 == 0
    for half in (even, ~even):
        teachers = np.flatnonzero(plain & ~half)
        upright = Upright.learnt(units[teachers[:: max(1, len(teachers) // _SAMPLE)]], penalty=0.3)
        pupils = np.flatnonzero(half)
        for part in batches(len(pupils)):
            turned[pupils[part]] = turns(upright.evidence(units[pupils[part]]), TURNED_HERE)
    return turned


def _unusual(units: Floats32, plain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Films far from the middle of the set, judged twice: a handful of equal strangers would make
    a component of their own, so the second time without the strangest."""
    flat = units.reshape(len(units), -1)
    distance = _distances(flat, plain)
    kin = plain & (distance <= np.quantile(distance[plain], _KIN))
    distance = _distances(flat, kin)
    unusual: NDArray[np.bool_] = distance > UNUSUAL * np.median(distance[plain])
    return unusual


def _distances(flat: Floats32, plain: NDArray[np.bool_]) -> Floats32:
    """How far each film (N, 256) is from the middle of ``plain`` ones, in and out of their
    principal components, float32 (N,)."""
    own = flat[plain][:: max(1, int(plain.sum()) // _SAMPLE)]
    middle = np.median(own, axis=0)
    components = np.linalg.svd(own - middle, full_matrices=False)[2][:_COMPONENTS]
    along = (flat - middle) @ components.T
    # Medians, so that the odd films themselves do not widen what is usual.
    scale = 1.4826 * np.median(np.abs(along[plain]), axis=0) + 1e-6
    apart = np.linalg.norm(flat - middle - along @ components, axis=1)
    usual = np.median(apart[plain]) + 1e-6
    distances: Floats32 = ((along / scale) ** 2).mean(axis=1) + (apart / usual) ** 2
    return distances


def quality_findings(prepared: PreparedSet, quality: Quality) -> list[Finding]:
    """One finding for each kind of odd film."""
    ids = prepared.table["image_id"].astype(str).to_numpy()
    by_design = bool(quality.tiny.all())
    # Films that look right to a computer may still be of a knee, so none is called severe.
    kinds: tuple[tuple[str, Severity, NDArray[np.bool_], str, str], ...] = (
        ("CONSTANT", "warning", quality.constant, "{} of one grey level all over", "Drop them."),
        (
            "TINY",
            "info" if by_design else "warning",
            quality.tiny,
            f"{{}} less than {TINY} pixels wide or high",
            "Prefer a larger edition of this set: small films have lost fine structure."
            if by_design
            else "Look for the originals: enlarging brings nothing back.",
        ),
        (
            "INVERTED",
            "warning",
            quality.inverted,
            "{} seemingly inverted, air bright and bone dark",
            "Look at them; invert or drop those that are.",
        ),
        (
            "ROTATED",
            _above(quality.rotated, ROTATED_BY_CHANCE),
            quality.rotated,
            "{} seemingly turned by a quarter or half",
            f"Look at them; turn or drop those that are. Of upright films {ROTATED_BY_CHANCE:.1%} "
            "are named here by mistake.",
        ),
        (
            "NOT-CHEST-LIKE",
            _above(quality.foreign, FOREIGN_BY_CHANCE),
            quality.foreign,
            "{} unlike frontal chest films, or framed unlike the rest of this set",
            "Look at them; drop what is no frontal chest film. Of true ones up to "
            f"{FOREIGN_BY_CHANCE:.0%} are named here for their framing.",
        ),
    )
    return [
        Finding(
            code, severity, title.format(plural(n, "film")) + ".", n, remedy, few(ids[mask][:20])
        )
        for code, severity, mask, title, remedy in kinds
        if (n := int(mask.sum()))
    ]


def _above(named: NDArray[np.bool_], by_chance: float) -> Severity:
    """A remark where no more films are named than sound sets have by mistake, else a warning."""
    return "info" if named.mean() <= by_chance else "warning"
