"""The whole judgement of one split, as a reviewer would ask for it: ``metrics.json`` in full."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pneumoscope.errors import InputError
from pneumoscope.evaluation.abstain import judge_abstention
from pneumoscope.evaluation.calibrate import calibrated, judge_calibration
from pneumoscope.evaluation.choices import Choices, check_choices
from pneumoscope.evaluation.evaluate import evaluate
from pneumoscope.evaluation.operating import at_prevalences, judge_points, net_benefit, said_of
from pneumoscope.evaluation.predictions import Rows, rows_of
from pneumoscope.evaluation.subgroups import judge_subgroups
from pneumoscope.metrics.thresholds import best_threshold
from pneumoscope.records import Estimate

EXTERNAL = "external"
"""The split that films of another data set are judged as."""
_NUMBERS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class How:
    """How figures are found: the level of intervals, and the bootstrap's resamples and seed."""

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0


def judge(
    predictions: pd.DataFrame,
    *,
    split: str,
    choices: Choices,
    facts: pd.DataFrame | None = None,
    prevalence: float | None = None,
    re_choose: bool = False,
    how: How | None = None,
) -> dict[str, Any]:
    """Judge the rows of ``split`` by choices made elsewhere: all that ``evaluate`` gives, and
    operating points, calibration, prevalence, net benefit, subgroups and abstention.

    ``facts`` has a row per film (``image_id`` and any columns). ``prevalence`` is a share of
    pneumonia to translate PPV and NPV to. ``re_choose``, for films of another source, adds what
    the best threshold of the judged rows themselves would reach, for reading only. Raises as
    ``evaluate``, and ``ChosenOnTest`` for choices made on other rows than val or train.
    """
    start, how = time.perf_counter(), how or How()
    check_choices(choices)
    _check_prevalence(prevalence)
    out = evaluate(
        predictions,
        split=split,
        operating_point=choices.points[0],
        level=how.level,
        resamples=how.resamples,
        seed=how.seed,
    )
    rows = rows_of(predictions, split).in_order()
    out |= _parts(rows, choices, out, how, prevalence)
    common = (how.level, (how.resamples, how.seed))
    out["subgroups"] = judge_subgroups(rows, facts, choices.points[0].threshold, *common)
    if re_choose and 0 < out["positives"] < out["n"]:
        out["re_chosen"] = _re_chosen(rows, *common)
    out["timing"] = {**out["timing"], "judge_seconds": time.perf_counter() - start}
    return out


def _parts(
    rows: Rows, choices: Choices, found: dict[str, Any], how: How, prevalence: float | None
) -> dict[str, Any]:
    """What the choices come to on these rows; ``found`` is what ``evaluate`` gave."""
    common = (how.level, (how.resamples, how.seed))
    metrics = found["metrics"]
    share = found["positives"] / found["n"] if found["n"] else float("nan")
    rates = Estimate.from_json(metrics["sensitivity"]), Estimate.from_json(metrics["specificity"])
    sure = calibrated(rows.checked_logits(), choices.calibration)
    fitted = choices.calibration is not None
    return {
        "operating_points": judge_points(rows, [said_of(p) for p in choices.points], *common),
        "calibration": judge_calibration(rows, choices.calibration, metrics, *common),
        "prevalence": at_prevalences(*rates, share, prevalence) if 0 < share < 1 else None,
        "decision_curve": net_benefit(rows, sure, *common, calibrated=fitted),
        "abstention": judge_abstention(rows, choices, *common),
        "notes": list(choices.notes),
    }


def _re_chosen(rows: Rows, level: float, bootstrap: Any) -> dict[str, Any]:
    """What the best threshold of these very rows would reach. It is never stored with a model."""
    threshold, rule = best_threshold("youden_smooth", rows.labels, rows.probabilities)
    said = {
        "name": "re-chosen",
        "threshold": threshold,
        "rule": f"{rule}; re-chosen on the external data, optimistic",
        "chosen_on": EXTERNAL,
    }
    return judge_points(rows, [(said, threshold)], level, bootstrap)[0]


def _check_prevalence(prevalence: float | None) -> None:
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(
            "the prevalence is out of range",
            got=prevalence,
            expected="a share of films above 0 and below 1",
            remedy="for example: --prevalence 0.1",
        )
