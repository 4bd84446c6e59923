"""Splits: stratified, never dividing a patient, following the seed and nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import plan_splits, with_splits
from pneumoscope.data.together.deal import assign, folds
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.errors import InputError, UnreadableData
from pneumoscope.recipe import load_recipe
from pneumoscope.records import InputSpec
from pneumoscope.sections import DataChoices

CHOICES = load_recipe("default").data


def choices(**changes: object) -> DataChoices:
    return CHOICES.model_copy(update=changes)


def table(
    labels: list[int | None],
    patients: list[str | None] | None = None,
    splits: list[str | None] | None = None,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": pd.array(labels, dtype="Int8"),
            "patient_id": pd.array(patients or [None] * len(labels), dtype="string"),
            "split": pd.array(splits or [None] * len(labels), dtype="string"),
        }
    )


films = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40)), min_size=1, max_size=300)
shares = st.sampled_from([(0.8, 0.2), (0.9, 0.1), (0.5, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.2,) * 5])


@given(films, shares, st.integers(0, 2**32 - 1))
def test_no_group_is_ever_divided_and_every_film_is_dealt(
    drawn: list[tuple[int, int]], parts: tuple[float, ...], seed: int
) -> None:
    labels, groups = (np.array(column, np.int64) for column in zip(*drawn, strict=True))
    part = assign(labels, groups, parts, seed)
    assert part.min() >= 0 and part.max() < len(parts)
    for group in np.unique(groups):
        assert len(np.unique(part[groups == group])) == 1
    assert np.array_equal(part, assign(labels, groups, parts, seed))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=1, max_size=60), shares)
def test_no_part_lacks_a_label_that_enough_patients_have(
    patients: list[tuple[int, int]], parts: tuple[float, ...]
) -> None:
    labels = np.repeat([label for label, _ in patients], [films for _, films in patients])
    groups = np.repeat(np.arange(len(patients)), [films for _, films in patients])
    part = assign(labels, groups, parts, 0)
    for label in (0, 1):
        if len(np.unique(groups[labels == label])) >= len(parts):
            assert len(np.unique(part[labels == label])) == len(parts)


@given(
    st.integers(30, 400),
    st.floats(0.1, 0.9),
    st.sampled_from([(0.8, 0.2), (0.9, 0.1), (0.2,) * 5]),
    st.integers(0, 99),
)
def test_single_films_are_dealt_to_the_exact_share_of_each_class(
    count: int, positives: float, parts: tuple[float, ...], seed: int
) -> None:
    labels = (np.arange(count) < positives * count).astype(np.int64)
    part = assign(labels, np.arange(count), parts, seed)
    for label in (0, 1):
        members = int((labels == label).sum())
        for number, share in enumerate(parts):
            got = int(((part == number) & (labels == label)).sum())
            # The last films dealt may each miss by one; a class of a few keeps one everywhere.
            assert abs(got - share * members) <= len(parts)


def test_shares_hold_within_the_largest_patient() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(900), rng.integers(1, 9, 900))
    labels = (rng.random(900) < 0.3).astype(np.int64)[groups]
    part = assign(labels, groups, (0.7, 0.3), 1)
    for label in (0, 1):
        members = labels == label
        assert (part[members] == 1).mean() == pytest.approx(0.3, abs=0.005)
    sizes = np.bincount(groups)
    large = np.isin(groups, np.flatnonzero(sizes >= 7))
    assert (part[large] == 1).mean() == pytest.approx(0.3, abs=0.05)


def test_the_seed_moves_films_and_the_names_of_patients_do_not() -> None:
    labels = [i % 2 for i in range(200)]
    patients = [f"p{i // 2}" for i in range(200)]
    renamed = [f"zz{hash(p) % 997}-{p[::-1]}" for p in patients]
    first = plan_splits(table(labels, patients), CHOICES).split
    assert np.array_equal(first, plan_splits(table(labels, renamed), CHOICES).split)
    other = plan_splits(table(labels, patients), choices(split_seed=1)).split
    assert not np.array_equal(first, other)


def test_a_class_of_five_reaches_every_part() -> None:
    labels = np.array([1] * 5 + [0] * 500)
    part = assign(labels, np.arange(505), (0.9, 0.1), 0)
    assert set(part[labels == 1]) == {0, 1}


def test_without_official_splits_test_and_val_are_cut() -> None:
    plan = plan_splits(table([i % 2 for i in range(1000)]), CHOICES)
    counts = pd.Series(plan.split).value_counts().to_dict()
    assert counts == {"train": 720, "test": 200, "val": 80}
    assert [c[0] for c in plan.choices] == ["test split", "val split"]
    assert "patients unknown" in plan.choices[0][2]


def test_official_splits_are_kept_whole() -> None:
    splits = ["train"] * 400 + ["val"] * 100 + ["test"] * 100
    plan = plan_splits(table([i % 2 for i in range(600)], None, splits), CHOICES)
    assert plan.split.tolist() == splits
    assert plan.choices[0][1] == "official, 100 films"


def kaggle() -> pd.DataFrame:
    """5,216/16/624 in small: 260 train, 8 + 8 val, 60 test."""
    labels = [i % 2 for i in range(336)]
    splits = ["train"] * 260 + ["val"] * 16 + ["test"] * 60
    return table(labels, [f"p{i // 4}" for i in range(336)], splits)


def test_a_validation_split_that_tells_nothing_is_pooled_and_cut_anew() -> None:
    plan = plan_splits(kaggle(), CHOICES)
    assert (plan.split == "val").sum() == pytest.approx(0.1 * 276, abs=4)
    assert plan.split[276:].tolist() == ["test"] * 60
    assert "the official one of 16 films tells nothing" in plan.choices[1][2]
    kept = plan_splits(kaggle(), choices(val="official"))
    assert np.flatnonzero(kept.split == "val").tolist() == list(range(260, 276))


def test_a_small_official_validation_split_stays_where_a_new_one_would_be_smaller() -> None:
    splits = ["train"] * 60 + ["val"] * 16 + ["test"] * 20
    plan = plan_splits(table([i % 2 for i in range(96)], None, splits), CHOICES)
    assert plan.split.tolist() == splits


def test_a_validation_split_of_training_films_is_pooled_and_cut_anew() -> None:
    splits = ["train"] * 400 + ["val"] * 100 + ["test"] * 100
    frame = table([i % 2 for i in range(600)], None, splits)
    film = np.array([*range(400), *range(0, 60), *range(400, 440), *range(600, 700)])
    frame = frame.assign(pixel_hash=film.astype(str), group=film)
    plan = plan_splits(frame, CHOICES)
    assert not set(film[plan.split == "val"]) & set(film[plan.split == "train"])
    assert (plan.split == "test").sum() == 100
    assert "60 of the official 100 are films of train too" in plan.choices[1][2]
    kept = plan_splits(frame, choices(val="official"))
    assert (kept.split == "val").tolist() == [split == "val" for split in splits]


def test_new_splits_forget_the_official_ones() -> None:
    plan = plan_splits(kaggle(), choices(test="new", val="new"))
    assert (plan.split == "test").sum() == pytest.approx(0.2 * 336, abs=4)
    assert plan.split[276:].tolist() != ["test"] * 60
    assert set(plan.split) == {"train", "val", "test"}


def test_a_patient_of_the_official_validation_stays_out_of_a_test_that_is_cut() -> None:
    labels = [i % 2 for i in range(400)]
    patients = [f"p{i % 100}" for i in range(400)]  # every patient lies in train and in val
    plan = plan_splits(
        table(labels, patients, ["train"] * 200 + ["val"] * 100 + [None] * 100),
        choices(val="official", test="official"),
    )
    assert not (plan.split == "test").any()  # nobody is left for it: refused when training


def test_official_val_is_asked_for_where_there_is_none() -> None:
    with pytest.raises(InputError, match="data.val=official"):
        plan_splits(table([0, 1] * 50), choices(val="official"))


def test_films_without_a_label_are_in_no_split() -> None:
    plan = plan_splits(table([0, 1] * 50 + [None] * 7, None, ["train"] * 107), CHOICES)
    assert plan.split[100:].tolist() == [None] * 7


def test_a_film_without_patient_counts_as_its_own() -> None:
    codes = patient_codes(table([0, 1, 0, 1], ["a", None, "a", None]))
    assert codes.tolist() == [0, 1, 0, 2]


def test_folds_are_stratified_grouped_and_cover_all() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), rng.integers(1, 4, 200))
    labels = (rng.random(200) < 0.5).astype(np.int64)[groups]
    fold = folds(labels, groups, 5, 7)
    assert set(fold) == set(range(5))
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 6
    with pytest.raises(InputError, match="folds"):
        folds(labels, groups, 1, 0)


def test_an_id_that_covers_the_set_is_named_when_nothing_can_be_cut() -> None:
    rows = table([i % 2 for i in range(100)], ["device"] * 98 + ["p1", "p2"])
    images = np.zeros((100, 4, 4), np.uint8)
    about = {"source": {"name": "toy"}}
    mine = PreparedSet(Path("x"), InputSpec(4, 4), images, None, rows, about)
    with pytest.raises(UnreadableData, match="one patient id covers 98 of 100 films"):
        with_splits(mine, CHOICES)


def test_films_of_an_official_test_split_alone_are_not_asked_for_more() -> None:
    rows = table([i % 2 for i in range(100)], splits=["test"] * 100)
    about = {"source": {"name": "toy"}}
    mine = PreparedSet(
        Path("x"), InputSpec(4, 4), np.zeros((100, 4, 4), np.uint8), None, rows, about
    )
    with pytest.raises(UnreadableData) as error:
        with_splits(mine, CHOICES)
    assert "--set data.test=new" in error.value.remedy


@pytest.mark.parametrize("test", ["official", "new"])
def test_every_film_is_judged_in_one_fold_and_no_patient_is_divided(test: str) -> None:
    rng = np.random.default_rng(3)
    patient = rng.integers(0, 60, 200)
    drawn = table(
        [int(x) for x in rng.integers(0, 2, 200)],
        [str(p) for p in patient],
        ["test" if p < 12 else "val" if p < 15 else None for p in patient],
    )
    official = (drawn["split"] == "test").fillna(False).to_numpy(bool)
    plans = [plan_splits(drawn, choices(test=test, fold=f"{k} of 4")) for k in range(4)]
    judged = np.sum([plan.split == "test" for plan in plans], axis=0)
    assert np.array_equal(judged, np.ones(200) if test == "new" else ~official)
    for plan in plans:
        assert {"train", "val", "test"} <= set(plan.split)
        if test == "official":
            assert not any(plan.split[official])
            assert "left out" in plan.choices[0][2]
        known = pd.DataFrame({"patient": patient, "split": plan.split}).dropna()
        assert (known.groupby("patient")["split"].nunique() == 1).all()


def test_a_fold_beyond_the_last_is_refused() -> None:
    with pytest.raises(InputError, match="no such fold"):
        plan_splits(table([0, 1] * 20), choices(fold="4 of 4"))


@given(films, st.sampled_from([0.05, 0.1, 0.25, 0.5]), st.integers(0, 99))
def test_smaller_shares_of_the_training_patients_lie_within_larger_ones(
    drawn: list[tuple[int, int]], share: float, seed: int
) -> None:
    labels = [0, 1, *(label for label, _ in drawn)]
    patients = ["a", "b", *(f"{label}-{patient}" for label, patient in drawn)]
    rows = table(labels * 3, patients * 3, ["train"] * len(labels) + ["val"] * len(labels)
                 + ["test"] * len(labels))  # fmt: skip
    rows["patient_id"] = [f"{p}{s}" for p, s in zip(rows["patient_id"], rows["split"], strict=True)]
    said = choices(val="official", split_seed=seed, views="all", groups="patients")
    whole, some, more = (
        plan_splits(rows, said.model_copy(update={"train_share": part})).split
        for part in (1.0, share, 2 * share)
    )
    for other in (some, more):
        assert np.array_equal(other == "val", whole == "val")
        assert np.array_equal(other == "test", whole == "test")
    assert set(np.flatnonzero(some == "train")) <= set(np.flatnonzero(more == "train"))
    kept, left = (set(rows["patient_id"][mask]) for mask in (some == "train", _gone(some, whole)))
    assert not kept & left
    for label in (0, 1):
        there = whole == "train"
        all_ = set(rows["patient_id"][there & (rows["label"] == label)])
        assert len(kept & all_) == -(-len(all_) * round(100 * share) // 100)


def _gone(some: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return (whole == "train") & (some != "train")
