import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumoscope.audit.baselines import (
    baseline_findings,
    judge_baselines,
    measure_baselines,
    patient_folds,
)
from pneumoscope.audit.features import border_segments, metadata_features
from pneumoscope.imaging.thumbnails import thumbnails
from pneumoscope.plain import to_plain


def leaky(make_set, drawn, **columns):
    """300 films whose width tells the label in nine of ten."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    told = np.where(rng.random(300) < 0.9, labels, 1 - labels)
    return make_set(drawn, label=labels, width=400 + 100 * told, **columns)


def by_name(prepared):
    return {b.name: b for b in measure_baselines(prepared, thumbnails(prepared.images))}


def codes(prepared):
    return {f.code: f for f in baseline_findings(tuple(by_name(prepared).values()))}


def test_a_size_that_tells_the_label_is_severe(make_set, drawn) -> None:
    prepared = leaky(make_set, drawn)
    metadata = by_name(prepared)["metadata"]
    labels = prepared.table["label"].to_numpy(int)
    truth = roc_auc_score(labels, prepared.table["width"])
    singles = {each.feature: each.auroc.value for each in metadata.single}
    assert singles["width"] == pytest.approx(truth)
    assert metadata.cross_validated.value == pytest.approx(truth, abs=0.03)
    assert metadata.official_test.n == 75
    finding = codes(prepared)["SHORTCUT-METADATA"]
    assert finding.severity == ("severe" if metadata.cross_validated.low >= 0.85 else "warning")


def test_a_run_and_an_audit_have_the_same_figure_of_the_judged_films(make_set, drawn) -> None:
    prepared = leaky(make_set, drawn)
    thumbs = thumbnails(prepared.images)
    audited = {each.name: each.official_test for each in measure_baselines(prepared, thumbs)}
    judged = judge_baselines(prepared.table, thumbs)
    assert {each.name: each.auroc for each in judged} == audited
    assert all(each.split == "test" and each.auroc.n == 75 for each in judged)
    # The films of a split that cannot be judged say so; a set without the split says nothing.
    few = prepared.table.assign(split=["test" if i < 30 else "train" for i in range(300)])
    assert "fewer than 25" in judge_baselines(few, thumbs)[0].why_not
    assert judge_baselines(prepared.table.assign(split="train"), thumbs) == ()


def test_a_fact_alone_is_turned_to_the_side_that_tells(make_set, drawn) -> None:
    labels = np.arange(300) % 2
    prepared = make_set(drawn, label=labels, width=500 - 100 * labels)
    singles = {each.feature: each.auroc.value for each in by_name(prepared)["metadata"].single}
    assert singles == {"width": 1.0, "aspect": 1.0}


def test_facts_that_say_nothing_are_no_finding(make_set, drawn) -> None:
    rng = np.random.default_rng(0)
    prepared = make_set(drawn, width=rng.integers(300, 900, 300))
    found = by_name(prepared)
    assert found["metadata"].cross_validated.low < 0.6
    assert codes(prepared) == {}


def test_facts_that_restate_the_label_are_left_out(make_set, drawn) -> None:
    words = np.where(np.arange(300) // 4 % 2 == 1, "viral", "none")
    columns = {"fact_subtype": words, "fact_class": words, "fact_Finding": words}
    prepared = make_set(drawn, **columns)
    assert list(metadata_features(prepared.table)) == []
    assert "nothing is known" in by_name(prepared)["metadata"].why_not


def test_words_become_columns_numbers_stay_and_gaps_are_kept(make_set, drawn) -> None:
    prepared = make_set(
        drawn[:4],
        width=[100, 200, 300, 400],
        fact_view=["AP", None, "PA", "AP"],
        fact_age=[3.0, None, 5.0, 7.0],
        fact_bytes=[60_000, 30_000, 90_000, 120_000],
        fact_mode="L",
    )
    features = metadata_features(prepared.table)
    assert list(features) == ["width", "aspect", "view is AP", "age", "bytes", "bytes per pixel"]
    np.testing.assert_array_equal(features["view is AP"], [1, np.nan, 0, 1])
    np.testing.assert_array_equal(features["age"], [3, np.nan, 5, 7])
    np.testing.assert_allclose(features["bytes per pixel"], [2, 0.5, 1, 1])


def test_a_missing_fact_can_be_the_shortcut(make_set, drawn) -> None:
    labels = np.arange(300) % 2
    ages = np.where(labels == 1, np.nan, np.arange(300) % 7)
    prepared = make_set(drawn, label=labels, fact_age=ages)
    assert by_name(prepared)["metadata"].cross_validated.value > 0.99


def test_brightness_of_the_border_and_of_the_whole_are_found_apart(make_set, drawn) -> None:
    labels = np.arange(300) // 3 % 2
    films = drawn.copy()
    films[labels == 1, :5] = 200
    found = by_name(make_set(films, label=labels))
    assert found["border"].cross_validated.value > 0.95
    middle = drawn.copy()
    middle[labels == 1, 20:44, 20:44] //= 2
    found = by_name(make_set(middle, label=labels))
    assert found["border"].cross_validated.value < 0.7
    assert found["thumbnail"].cross_validated.value > 0.95


def test_a_thumbnail_that_tells_is_a_remark_and_a_border_a_warning(make_set, drawn) -> None:
    labels = np.arange(300) // 3 % 2
    films = drawn.copy()
    films[labels == 1, :5] = 200
    found = codes(make_set(films, label=labels))
    assert found["SHORTCUT-BORDER"].severity == "warning"
    assert found["SHORTCUT-THUMBNAIL"].severity == "info"


def test_border_segments_are_means_along_the_sides() -> None:
    film = np.zeros((1, 32, 32), np.uint8)
    film[:, :3, :2] = 90  # the left sixteenth of the upper edge
    segments = border_segments(film)[0]
    assert segments.shape == (64,)
    assert segments[0] == 90  # upper side
    assert segments[32] == pytest.approx(90 * 2 / 3)  # left side: two of three columns
    assert segments[33] == pytest.approx(90 / 2 * 2 / 3)  # its next two rows: one of two
    assert segments.sum() == pytest.approx(90 + 60 + 30)


def test_films_of_a_patient_and_equal_films_share_a_fold(make_set, drawn) -> None:
    patients = [f"p{i // 3}" if i < 200 else None for i in range(300)]
    hashes = [f"h{i}" if i < 200 else f"h{i // 2}" for i in range(300)]
    table = make_set(drawn, patient_id=patients, pixel_hash=hashes).table
    labels = table["label"].to_numpy(np.int64)
    fold = pd.Series(patient_folds(table, labels, 0))
    assert fold.groupby(table["patient_id"]).nunique().max() == 1
    assert fold[200:].groupby(table["pixel_hash"][200:]).nunique().max() == 1
    shares = [labels[fold == k].mean() for k in range(5)]
    assert max(shares) - min(shares) < 0.1


def test_memory_of_patients_is_not_taken_for_a_shortcut(make_set, drawn) -> None:
    # Each patient has a width of its own and one label: known patients would be recognised.
    patient = np.arange(300) // 4
    rng = np.random.default_rng(1)
    labels, widths = rng.integers(0, 2, 75), rng.permutation(75) + 300
    prepared = make_set(
        drawn, patient_id=[f"p{p}" for p in patient], label=labels[patient], width=widths[patient]
    )
    assert by_name(prepared)["metadata"].cross_validated.value < 0.65


def test_the_same_seed_gives_the_same_figures(make_set, drawn) -> None:
    prepared = leaky(make_set, drawn)
    thumbs = thumbnails(drawn)
    first, second = (
        [to_plain(b) for b in measure_baselines(prepared, thumbs, seed=4)] for _ in range(2)
    )
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"label": [0] * 300}, "fewer than 25 labelled films"),
        ({"label": [None] * 300}, "fewer than 25 labelled films"),
        ({"label": [1] * 20 + [0] * 280}, "fewer than 25 labelled films"),
        ({"patient_id": ["a", "b", "c"] * 100}, "fewer than 5 patients"),
    ],
)
def test_too_little_to_measure_is_not_provable(make_set, drawn, columns, why) -> None:
    prepared = make_set(drawn, height=range(100, 400), **columns)
    found = by_name(prepared)
    assert all(why in b.why_not for b in found.values())
    assert {f.status for f in codes(prepared).values()} == {"not provable"}


def test_unlabelled_films_are_left_out(make_set, drawn) -> None:
    labels = [None if i % 3 == 0 else i // 4 % 2 for i in range(300)]
    prepared = make_set(drawn, label=labels, split=["train", None, "test"] * 100)
    assert by_name(prepared)["thumbnail"].cross_validated.n == 200
