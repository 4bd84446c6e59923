"""The shortcut check's verdict: what is left beyond chance, and when that is a finding."""

from __future__ import annotations

import re
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumoscope.errors import UnreadableData
from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain

N = 300
QUICK = IntervalSettings(resamples=400)
LABELS = (np.arange(N) < 180).astype(int)
NOISE = np.random.default_rng(0).normal(size=(4, N))
CENTRED = NOISE - np.where(
    LABELS, NOISE[:, LABELS == 1].mean(1)[:, None], NOISE[:, LABELS == 0].mean(1)[:, None]
)


def logits(auroc: float, noise: int) -> np.ndarray:
    """Logits whose AUROC is about this."""
    return CENTRED[noise] + NormalDist().inv_cdf(auroc) * 2**0.5 * LABELS


def judged(**aurocs: float) -> dict[str, dict[str, Any]]:
    full, hidden = tables(**aurocs)
    found = evaluate_shortcuts(full, hidden, split="test", settings=QUICK)
    return {each.variant: to_plain(each) for each in found}


def tables(**aurocs: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    wanted = {"full": 0.9, "border": 0.5, "centre": 0.85, "thumbnail": 0.5, **aurocs}
    columns = {name: logits(auroc, at) for at, (name, auroc) in enumerate(wanted.items())}
    table = pd.DataFrame({"image_id": [f"film {row:03d}" for row in range(N)]})
    full = table.assign(patient_id=None, split="test", label=LABELS, logit=columns["full"])
    full["probability"] = 1 / (1 + np.exp(-full["logit"]))
    del columns["full"]
    return full, table.assign(**columns)


def test_the_share_is_what_is_left_beyond_chance() -> None:
    found = judged(border=0.7)
    full, hidden = tables(border=0.7)
    ours = roc_auc_score(LABELS, hidden["border"]) - 0.5
    share = found["border"]["share"]
    assert share["value"] == pytest.approx(ours / (roc_auc_score(LABELS, full["logit"]) - 0.5))
    assert share["low"] < share["value"] < share["high"]
    assert share["method"] == "percentile bootstrap, 400 resamples"
    assert found["full"]["share"] is None


def test_its_interval_is_that_of_films_drawn_anew() -> None:
    full, hidden = tables(border=0.7)
    draw, parts = np.random.default_rng(5), []
    for _ in range(400):
        rows = np.concatenate([draw.choice(np.flatnonzero(k == LABELS), (k == LABELS).sum())
                               for k in (0, 1)])  # fmt: skip
        whole, left = (
            roc_auc_score(LABELS[rows], scores.to_numpy()[rows]) - 0.5
            for scores in (full["logit"], hidden["border"])
        )
        parts.append(left / whole)
    share = judged(border=0.7)["border"]["share"]
    low, high = np.quantile(parts, [0.025, 0.975])
    assert (share["low"], share["high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_a_border_is_a_finding_by_a_margin_and_not_by_a_trace() -> None:
    trace, strong = judged(border=0.62)["border"], judged(border=0.75)["border"]
    assert 0.5 < trace["auroc"]["low"] < 0.6
    assert trace["finding"] is None
    assert strong["auroc"]["low"] > 0.6
    said = re.search(r"little lung, .* AUROC (\S+) .*, (\d+)% \(\d+–\d+%\) of", strong["finding"])
    assert said and said[1] == f"{strong['auroc']['value']:.3f}"
    assert said[2] == f"{100 * strong['share']['value']:.0f}"


def test_a_border_that_tells_nothing_is_none() -> None:
    assert judged()["border"]["finding"] is None
    assert judged()["centre"]["finding"] is None


def test_a_thumbnail_is_a_finding_where_it_keeps_the_skill() -> None:
    full, hidden = tables()
    close = hidden.assign(thumbnail=full["logit"] + 0.05 * NOISE[3])
    found = evaluate_shortcuts(full, close, split="test", settings=QUICK)[3]
    assert found.share.low > 0.9
    assert "8 × 8 cells" in found.finding
    half = judged(thumbnail=0.7)["thumbnail"]
    assert half["share"]["high"] < 0.9
    assert half["finding"] is None


def test_a_model_that_knows_nothing_has_no_share() -> None:
    found = judged(full=0.52, thumbnail=0.52)
    assert {each["share"] for each in found.values()} == {None}
    assert found["thumbnail"]["finding"] is None


def test_several_films_of_a_patient_are_resampled_together() -> None:
    full, hidden = tables(border=0.7)
    first = np.arange(N) // 2 * 2  # each film twice: half as much is known as it seems
    full[["logit", "probability"]] = full[["logit", "probability"]].to_numpy()[first]
    hidden["border"] = hidden["border"].to_numpy()[first]
    paired = full.assign(patient_id=[f"p{row}" for row in first])
    alone, pairs = (
        evaluate_shortcuts(table, hidden, split="test", settings=QUICK)[1]
        for table in (full, paired)
    )
    assert alone.auroc.method.startswith("DeLong")
    for key in ("auroc", "difference", "share"):
        one, two = getattr(alone, key), getattr(pairs, key)
        assert two.method.startswith("patient-clustered"), key
        assert two.high - two.low == pytest.approx((one.high - one.low) * 2**0.5, rel=0.15), key
    assert pairs.share.value == alone.share.value


def test_films_are_matched_by_id_and_none_may_lack() -> None:
    full, hidden = tables(border=0.7)
    again = evaluate_shortcuts(full, hidden.iloc[::-1], split="test", settings=QUICK)
    assert again == evaluate_shortcuts(full, hidden, split="test", settings=QUICK)
    with pytest.raises(UnreadableData, match="lacks films"):
        evaluate_shortcuts(full, hidden.iloc[1:], split="test")
