"""Does the model read the lungs? Its AUROC on films of which a part is hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.errors import UnreadableData
from pneumoscope.evaluation.rows import Rows, rows_of
from pneumoscope.metrics.intervals import bootstrap, delong
from pneumoscope.metrics.paired import (
    Difference,
    delong_paired,
    paired_bootstrap,
    resampled_scores,
)
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Estimate

BORDER_FROM = 0.6
"""The border alone predicts where the lower end of its AUROC lies above this: .5 is chance."""
NEAR = 0.03
"""A thumbnail comes near the full film where it may lose (upper end of the loss) at most this."""


def judge_shortcuts(
    predictions: pd.DataFrame,
    hidden: pd.DataFrame,
    *,
    split: str,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """AUROC of the full film and of each variant, and each one's difference to the full film.

    ``hidden`` has ``image_id`` and a column of logits for each variant (border, centre,
    thumbnail). Each answer is {"variant", "auroc", "difference", "finding"}, the full film first;
    ``finding`` is one sentence or None. DeLong, or a bootstrap of whole patients where a patient
    has several films. Raises UnreadableData where a film of ``split`` lacks a logit.
    """
    rows = rows_of(predictions, split).in_order()
    table = hidden.assign(image_id=hidden["image_id"].astype(str)).set_index("image_id")
    table = table.reindex(rows.image_ids).astype(np.float64)
    if table.index.has_duplicates or not np.isfinite(table.to_numpy()).all():
        raise UnreadableData(
            f"the shortcut check lacks films of the {split} split",
            expected="one finite logit for each film and variant",
        )
    how = (level, resamples, seed)
    full = rows.probabilities
    out = [_judged("full", _auroc(rows, full, *how), None)]
    for variant in table.columns:
        scores = 0.5 * (1 + np.tanh(table[variant].to_numpy() / 2))
        difference = _difference(rows, scores, *how)
        out.append(_judged(str(variant), _auroc(rows, scores, *how), difference))
    return out


def _auroc(rows: Rows, scores: Floats, level: float, resamples: int, seed: int) -> Estimate:
    if rows.patients is None:
        return delong(rows.labels, scores, level)
    found = bootstrap(rows.labels, scores, 0.5, rows.patients, level, resamples, seed)
    return found["auroc"]


def _difference(rows: Rows, scores: Floats, level: float, resamples: int, seed: int) -> Difference:
    plain = delong_paired(rows.labels, rows.probabilities, scores, level)
    if rows.patients is None:
        return plain
    runs = [(rows.probabilities, 0.5), (scores, 0.5)]
    drawn = resampled_scores(rows.labels, runs, rows.patients, resamples, seed)["auroc"]
    first, second = {"auroc": drawn[0]}, {"auroc": drawn[1]}
    known = {"auroc": plain.value}
    return paired_bootstrap(rows.labels, first, second, known, rows.patients, level)["auroc"]


def _judged(variant: str, auroc: Estimate, difference: Difference | None) -> dict[str, Any]:
    return {
        "variant": variant,
        "auroc": auroc.to_json(),
        "difference": difference.to_json() if difference else None,
        "finding": _finding(variant, auroc, difference),
    }


def _finding(variant: str, auroc: Estimate, difference: Difference | None) -> str | None:
    said = f"AUROC {auroc.value:.3f} ({auroc.low:.3f}–{auroc.high:.3f})"
    if variant == "border" and auroc.low > BORDER_FROM:
        return (
            f"From the outer tenth alone, where there is hardly any lung, the model reaches {said}."
        )
    # A model that knows nothing is as good on thumbnails, which is no shortcut.
    able = variant == "thumbnail" and auroc.low > BORDER_FROM
    if able and difference is not None and difference.low > -NEAR:
        return f"From thumbnails of 8 × 8 cells the model reaches {said}, near the full film."
    return None
