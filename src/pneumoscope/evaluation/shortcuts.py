"""Shortcuts: does the model read the lungs? Its AUROC on films of which a part is hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pneumoscope.errors import UnreadableData
from pneumoscope.evaluation.predictions import SplitRows, rows_of
from pneumoscope.evaluation.results import ShortcutResult
from pneumoscope.metrics.intervals import bootstrap, delong, structural_components
from pneumoscope.metrics.paired import Difference, delong_paired, paired_bootstrap
from pneumoscope.metrics.resample import DEFAULT_INTERVALS, IntervalSettings, resampled_sums
from pneumoscope.metrics.scores import Floats, probability, ratio
from pneumoscope.readings import Estimate

CHANCE = 0.5
MARGIN = 0.1
"""Beyond chance, a fifth of the way to a perfect reader. Of a trace every border has some (arms, a
child's size), and on enough films the least of it lies above .5 with all its interval."""
KEPT = 0.9
"""A thumbnail is as good as the film where it keeps this part of what the film tells beyond chance,
by the lower end of its interval: the margin of a trial of non-inferiority, as a part of the
effect that is to be preserved."""


def read_shortcuts(file: Path) -> pd.DataFrame | None:
    """``shortcuts.csv``: ``image_id`` and a column of logits for each part of the film that was
    left; None where there is no such file, for the run was not checked for shortcuts."""
    if not file.is_file():
        return None
    names = ("border", "centre", "thumbnail")
    return pd.read_csv(
        file,
        dtype={"image_id": "string"},
        converters=dict.fromkeys(names, float),
        keep_default_na=False,  # an image may be called "NA"
    )


def shortcuts_text(table: pd.DataFrame) -> str:
    """The table of ``read_shortcuts`` as CSV, by the fewest digits that bring every logit back."""
    return str(table.to_csv(index=False))


def evaluate_shortcuts(
    predictions: pd.DataFrame,
    hidden: pd.DataFrame,
    *,
    split: str,
    settings: IntervalSettings = DEFAULT_INTERVALS,
) -> tuple[ShortcutResult, ...]:
    """AUROC of the full film and of each variant, and how each compares to the full film.

    ``hidden`` has ``image_id`` and a column of logits for each variant (border, centre,
    thumbnail). The full film comes first. ``share`` is the part that is left of what the full
    film tells beyond chance,
    (AUROC − .5) / (AUROC of full films − .5), None where that is not shown to be more than
    ``MARGIN``; ``finding`` is one sentence or None. DeLong for AUROC and difference, or a bootstrap
    of whole patients where a patient has several films. Raises UnreadableData where a film of
    ``split`` lacks a logit.
    """
    rows = rows_of(predictions, split).in_order()
    table = hidden.assign(image_id=hidden["image_id"].astype(str)).set_index("image_id")
    table = table.reindex(rows.image_ids).astype(np.float64)
    if table.index.has_duplicates or not np.isfinite(table.to_numpy()).all():
        raise UnreadableData(
            f"the shortcut check lacks films of the {split} split",
            expected="one finite logit for each film and variant",
        )
    scores = {name: probability(table[name]) for name in table.columns}
    seen = [rows.probabilities, *scores.values()]
    drawn = _resampled(rows, seen, settings)
    full = _auroc(rows, rows.probabilities, settings)
    able = full.low > CHANCE + MARGIN
    out = [ShortcutResult("full", full, None)]
    for at, (variant, score) in enumerate(scores.items(), 1):
        auroc = _auroc(rows, score, settings)
        share = _share(full, auroc, drawn[[0, at]], settings.level, rows) if able else None
        difference = _difference(rows, score, drawn[[0, at]], settings.level)
        finding = _finding(str(variant), auroc, share)
        out.append(ShortcutResult(str(variant), auroc, difference, share, finding))
    return tuple(out)


def _auroc(rows: SplitRows, scores: Floats, settings: IntervalSettings) -> Estimate:
    if rows.patients is None:
        return delong(rows.labels, scores, settings.level)
    return bootstrap(rows.labels, scores, CHANCE, rows.patients, settings)["auroc"]


def _resampled(rows: SplitRows, seen: Sequence[Floats], settings: IntervalSettings) -> Floats:
    """AUROC of each of K scores (N,) on the same resamples, float (K, R), to first order: by the
    sums of its structural components, which is one matrix product."""
    ill = rows.labels == 1
    if ill.all() or not ill.any():
        return np.full((len(seen), settings.resamples), np.nan)
    columns = np.zeros((ill.size, 2 * len(seen) + 2))
    columns[ill, -2], columns[~ill, -1] = 1.0, 1.0
    values = np.empty((len(seen), 1))
    for at, scores in enumerate(seen):
        won, lost = structural_components(rows.labels, scores)
        columns[ill, 2 * at], columns[~ill, 2 * at + 1] = won, lost
        values[at] = won.mean()
    sums = resampled_sums(columns, rows.labels, rows.patients, settings).T
    return ratio(sums[0:-2:2], sums[-2]) + ratio(sums[1:-2:2], sums[-1]) - values


def _difference(rows: SplitRows, scores: Floats, drawn: Floats, level: float) -> Difference:
    """``drawn`` (2, R) is AUROC of full films and of ``scores`` on the same resamples."""
    plain = delong_paired(rows.labels, rows.probabilities, scores, level)
    if rows.patients is None:
        return plain
    first, second = {"auroc": drawn[0]}, {"auroc": drawn[1]}
    known = {"auroc": plain.value}
    return paired_bootstrap(rows.labels, first, second, known, rows.patients, level)["auroc"]


def _share(
    full: Estimate, auroc: Estimate, drawn: Floats, level: float, rows: SplitRows
) -> Estimate:
    """What is left beyond chance, with percentiles of its resamples; ``drawn`` as above."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (drawn[1] - CHANCE) / (drawn[0] - CHANCE)
    parts = parts[np.isfinite(parts)]
    low, high = np.quantile(parts, [(1 - level) / 2, (1 + level) / 2]).tolist()
    clustered = "" if rows.patients is None else "patient-clustered "
    method = f"{clustered}percentile bootstrap, {drawn.shape[1]} resamples"
    value = (auroc.value - CHANCE) / (full.value - CHANCE)
    return Estimate(value, low, high, level, method, auroc.n)


def _finding(variant: str, auroc: Estimate, share: Estimate | None) -> str | None:
    said = f"AUROC {auroc.value:.3f} ({auroc.low:.3f}–{auroc.high:.3f})"
    if variant == "border" and auroc.low > CHANCE + MARGIN:
        return (
            f"From the outer tenth alone, which holds little lung, the model reaches {said}"
            f"{_beyond(share)}. It may go by how films were taken or framed."
        )
    # A model that knows nothing is as good on thumbnails, which is no shortcut: it has no share.
    if variant == "thumbnail" and share is not None and share.low > KEPT:
        return (
            f"From thumbnails of 8 × 8 cells the model reaches {said}{_beyond(share)}. "
            "It hardly needs what has a shape on the film."
        )
    return None


def _beyond(share: Estimate | None) -> str:
    if share is None or not math.isfinite(share.value):
        return ""
    value, low, high = (f"{100 * part:.0f}" for part in (share.value, share.low, share.high))
    return f", {value}% ({low}–{high}%) of what it reaches beyond chance on full films"
