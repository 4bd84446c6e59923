"""The door: every film is used or left out for a reason, and nobody is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.data.door import HELD_BACK, Copies, Door, door_of
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import plan_splits
from pneumoscope.manifest import PreparedManifest
from pneumoscope.plain import from_plain, to_plain
from pneumoscope.recipe import load_recipe
from pneumoscope.records import InputSpec, Word

CHOICES = load_recipe("default").data
WORDS = (Word("COVID", "ignore", 4, True), Word("Normal", "normal", 50), Word("P", "pneumonia", 50))


def prepared(table: pd.DataFrame, **source: object) -> PreparedSet:
    about: PreparedManifest = {
        "flow": {
            "found": len(table) + 3,
            "kept": len(table),
            "dropped": [{"reason": "no image", "count": 2}, {"reason": "no label", "count": 1}],
            "dropped_by_class": {"no image": {"normal": 2}, "no label": {"unknown": 1}},
        },
        "source": {
            "name": "mine",
            "form": "folder",
            "why": "folders Normal and P",
            "fingerprint": "",
            "count": 0,
            "native_size": 64,
            "notes": [],
            "passed_over": {"masks and annotations": 7, "files of another kind": 3},
            "words": [word.to_json() for word in WORDS],
            "patients": "film names",
            "lost": {"links": {"pneumonia": 5}},
            **source,  # type: ignore[typeddict-item]
        },
        "chains": [(30, [(1, 2), (2, 3)])],
    }
    pixels = np.zeros((len(table), 8, 8), np.uint8)
    return PreparedSet(Path("nowhere"), InputSpec(8, 8), pixels, None, table, about)


def films(count: int = 100) -> pd.DataFrame:
    """Two films a patient; equal pixels in rows 0, 4 and 9."""
    hashes = [f"h{i}" for i in range(count)]
    hashes[4] = hashes[9] = hashes[0]
    group = np.arange(count) // 2
    group[[4, 5, 8, 9]] = group[0]
    return pd.DataFrame(
        {
            "image_id": [f"Meier_Anna/{i}.png" for i in range(count)],
            "patient_id": pd.array([f"p{i // 2}" for i in range(count)], dtype="string"),
            "split": pd.array([None] * count, dtype="string"),
            "label": pd.array([i // 2 % 2 for i in range(count)], dtype="Int8"),
            "pixel_hash": hashes,
            "group": group,
        }
    )


@given(
    st.lists(st.sampled_from([None, "train", "test"]), min_size=100, max_size=100),
    st.lists(st.sampled_from([None, None, None, "LATERAL", "MASK"]), min_size=100, max_size=100),
    st.sets(st.integers(0, 99), max_size=20),
    st.booleans(),
)
def test_films_found_are_used_or_left_out_for_a_reason(
    split: list[str | None], aside: list[str | None], unlabelled: set[int], cut: bool
) -> None:
    table = films().assign(split=pd.array(split, dtype="string"))
    table["aside"] = pd.array(aside, dtype="string")
    table.loc[list(unlabelled), "label"] = pd.NA
    plan = plan_splits(table, CHOICES).split if cut else None
    door = door_of(prepared(table), plan)
    assert door.found == door.used + sum(each.films for each in door.left_out) == 115
    assert door.used == sum(split.films for split in door.splits) + (
        0 if cut else int(table["split"].isna().sum())
    )


def test_what_is_lost_stands_first_with_its_classes() -> None:
    door = door_of(prepared(films()))
    told = [(each.films, each.reason, dict(each.classes)) for each in door.left_out]
    assert told == [
        (2, "no image", {"normal": 2}),
        (1, "no label", {"unknown": 1}),
        (5, "links", {"pneumonia": 5}),
        (7, "masks and annotations", {}),
    ]
    assert (door.normal, door.pneumonia, door.words) == (50, 50, WORDS)


def test_copies_are_those_of_several_patients() -> None:
    door = door_of(prepared(films()))
    assert door.copies == Copies(films=6, groups=1, pixels=3)
    assert door_of(prepared(films().drop(columns="group"))).copies is None
    assert (door.patients.patients, door.patients.films) == (50, 100)
    assert door.chains[0].films == 30 and door.chains[0].pairs == ((1, 2), (2, 3))


def test_a_split_is_official_where_the_data_has_it_so() -> None:
    table = films()
    table.loc[60:, "split"] = "test"
    door = door_of(prepared(table), plan_splits(table, CHOICES).split)
    assert {split.name: split.official for split in door.splits} == {
        "train": False,
        "val": False,
        "test": True,
    }
    folds = CHOICES.model_copy(update={"fold": "0 of 3"})
    door = door_of(prepared(table), plan_splits(table, folds).split)
    assert next(e.films for e in door.left_out if e.reason == HELD_BACK) == 40


@pytest.mark.parametrize("known", [0, 40, 100])
def test_a_split_counts_patients_where_all_are_known(known: int) -> None:
    table = films().assign(split=pd.array(["train"] * 100, dtype="string"))
    table.loc[known:, "patient_id"] = pd.NA
    (split,) = door_of(prepared(table, patients="")).splits
    assert split.patients == (50 if known == 100 else None)
    assert door_of(prepared(table)).patients.films == known


def test_it_is_kept_as_json_without_ids_and_read_back() -> None:
    table = films().assign(split=pd.array(["train", "test"] * 50, dtype="string"))
    door = door_of(prepared(table))
    kept = json.dumps(to_plain(door))
    assert "Meier" not in kept and '"p1"' not in kept
    assert from_plain(Door, json.loads(kept)) == door
    assert door.divided[0].films == door.divided[0].patients == 50
