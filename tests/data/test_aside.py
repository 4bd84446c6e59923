"""Pictures that are no frontal film: counted, named, and left out of training where few."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pneumoscope.data import aside
from pneumoscope.data.split import plan_splits
from pneumoscope.recipe import load_recipe
from pneumoscope.records import Film

CHOICES = load_recipe("default").data


def films(*reasons: str | None, split: list[str | None] | None = None) -> pd.DataFrame:
    count = len(reasons)
    return pd.DataFrame(
        {
            "patient_id": pd.array([None] * count, dtype="string"),
            "split": pd.array(split or [None] * count, dtype="string"),
            "label": pd.array([i % 2 for i in range(count)], dtype="Int8"),
            "aside": pd.array(reasons, dtype="string"),
        }
    )


def test_laterals_are_left_out_where_few_and_said() -> None:
    table = films(*[None] * 30, *["LATERAL"] * 6, *["OTHER-MODALITY"] * 2)
    plan = plan_splits(table, CHOICES)
    assert [part is None for part in plan.split] == [False] * 30 + [True] * 8
    what, told, why = plan.choices[-1]
    assert what == "left out" and "6 lateral views" in told and "data.views=all" in why


def test_one_switch_keeps_all_but_masks() -> None:
    table = films(*[None] * 30, *["LATERAL"] * 6, "MASK", "MASK")
    plan = plan_splits(table, CHOICES.model_copy(update={"views": "all"}))
    assert [part is None for part in plan.split] == [False] * 36 + [True] * 2


def test_a_set_of_laterals_is_kept_and_said() -> None:
    plan = plan_splits(films(*[None] * 6, *["LATERAL"] * 30), CHOICES)
    assert not any(part is None for part in plan.split)
    assert plan.choices[-1][0] == "kept"


def test_films_of_an_official_test_split_stay_and_are_named() -> None:
    table = films(
        *[None] * 30, *["LATERAL"] * 8, split=["train"] * 20 + ["test"] * 14 + ["train"] * 4
    )
    plan = plan_splits(table, CHOICES)
    assert list(plan.split[30:34]) == ["test"] * 4 and all(part is None for part in plan.split[34:])
    assert {choice[0] for choice in plan.choices} >= {"left out", "kept"}
    new = plan_splits(table, CHOICES.model_copy(update={"test": "new"}))
    assert all(part is None for part in new.split[30:])


def test_what_a_film_is_follows_from_pixels_then_from_its_facts() -> None:
    grey = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    mask = np.zeros((64, 64), np.uint8)
    mask[10:50, 10:30] = 255
    assert aside.aside_of(Film(mask, 64, 64), {"fact_view": "LL"}) == "MASK"
    assert aside.aside_of(Film(grey, 64, 64), {"fact_view": "LL"}) == "LATERAL"
    assert aside.aside_of(Film(grey, 64, 64), {"fact_view": "PA", "fact_modality": "DX"}) is None


def test_what_is_aside_is_told_in_words() -> None:
    assert aside.told({"LATERAL": 7, "OTHER-MODALITY": 6}) == (
        "7 lateral views and 6 pictures of another modality"
    )
    assert aside.told({}) == ""
    assert aside.counts(films(None, "MASK", "MASK")) == {"MASK": 2}
