"""Two-sample tests and the share of pneumonia, on scores and films whose truth is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.metrics.shift.distance import LEAST, set_difference
from pneumoscope.metrics.shift.share import Scored, ShareEstimate, estimate_share


def scores(count: int, share: float, draw: np.random.Generator, apart: float = 3.0) -> Scored:
    """Films of ``share`` pneumonia whose logits are normal, ``apart`` deviations apart."""
    labels = (draw.random(count) < share).astype(np.int64)
    logits = draw.normal(apart * (labels - 0.5), 1.0)
    return Scored(logits, labels, np.arange(count))


def estimated(share: float, seed: int, count: int = 300, **changes: float) -> ShareEstimate:
    draw = np.random.default_rng(seed)
    site = scores(count, share, draw, **changes)
    return estimate_share(scores(500, 0.7, draw), site.logits, site.patients, 0.0, seed)


def test_films_of_one_place_are_alike_and_of_another_are_not() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(150, 8)), draw.normal(size=(200, 8))
    same = set_difference(one, other, "training films")
    assert same.verdict == "alike" and same.auroc is not None and abs(same.auroc - 0.5) < 0.1
    near = set_difference(one + 0.25, other, "training films")
    assert near.verdict == "somewhat unlike" and not near.unlike
    far = set_difference(one + 2, other, "training films")
    assert far.verdict == "very unlike" and far.unlike
    assert far.p == 0.001 and (same.distance or 0) < (near.distance or 0) < (far.distance or 0)
    assert set_difference(one + 2, other, "training films") == far


def test_a_set_of_few_films_is_too_few_to_tell() -> None:
    draw = np.random.default_rng(1)
    found = set_difference(draw.normal(size=(LEAST - 1, 4)), draw.normal(9, size=(99, 4)), "x")
    assert (found.verdict, found.p, found.unlike) == ("too few to tell", None, False)


def test_a_set_is_called_unlike_by_chance_in_one_of_twenty() -> None:
    draw = np.random.default_rng(2)
    calls = [
        set_difference(draw.normal(size=(40, 3)), draw.normal(size=(40, 3)), "x").verdict
        for _ in range(60)
    ]
    assert sum(each != "alike" for each in calls) <= 8  # 3 expected; 9 have p = .004


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_the_share_is_found_where_it_alone_is_another(share: float) -> None:
    found = estimated(share, seed=3)
    assert found.refused is None and found.told is not None
    assert found.told.low <= share <= found.told.high
    assert found.black_box is not None and abs(found.black_box.value - share) < 0.1
    assert abs(found.trained - 0.7) < 0.06


def test_the_share_is_refused_where_more_is_another_or_too_little_is_known() -> None:
    moved = np.random.default_rng(4)
    known, site = scores(500, 0.7, moved), scores(300, 0.5, moved)
    squeezed = estimate_share(known, 0.3 * site.logits + 0.6, site.patients, 0.0)
    assert squeezed.told is None and "in more than their share of pneumonia" in str(
        squeezed.refused
    )
    assert squeezed.likelihood is not None  # what it would have been is kept
    assert "fewer than 50 films" in str(estimated(0.5, 6, count=30).refused)
    flat = Scored(np.zeros(30), np.zeros(30, np.int64), np.arange(30))
    one_class = estimate_share(flat, site.logits, site.patients, 0.0)
    assert "of a class" in str(one_class.refused) and one_class.likelihood is None


def test_a_model_that_tells_nothing_apart_tells_no_share() -> None:
    draw = np.random.default_rng(7)
    known, site = scores(400, 0.5, draw, apart=0.2), scores(300, 0.5, draw, apart=0.2)
    found = estimate_share(known, site.logits, site.patients, 0.0)
    assert found.told is None and "too poorly" in str(found.refused)
    assert found.black_box is None


def test_films_of_a_patient_widen_the_interval() -> None:
    draw = np.random.default_rng(8)
    known, site = scores(500, 0.7, draw), scores(100, 0.4, draw)
    alone = estimate_share(known, np.repeat(site.logits, 4), np.arange(400), 0.0)
    grouped = estimate_share(known, np.repeat(site.logits, 4), np.repeat(site.patients, 4), 0.0)
    widths = [each.likelihood.high - each.likelihood.low for each in (alone, grouped)]  # type: ignore[union-attr]
    assert widths[1] > 1.4 * widths[0]


@pytest.mark.slow
def test_the_interval_covers_the_share() -> None:
    shares = [0.1, 0.3, 0.5, 0.7, 0.9]
    found = [(share, estimated(share, 1000 + seed)) for share in shares for seed in range(60)]
    told = [(share, each.told) for share, each in found if each.told]
    held = [each.low <= share <= each.high for share, each in told]
    assert len(told) >= 0.8 * len(found) and np.mean(held) >= 0.9
