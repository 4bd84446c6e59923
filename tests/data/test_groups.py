"""What no split and no fold may divide: patients, origins, equal pixels, copies; chains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.data.split import plan_splits
from pneumoscope.data.together.alike import Alike
from pneumoscope.data.together.groups import FEW, divided, group_codes, groups_of, patient_codes
from pneumoscope.recipe import load_recipe


def table(count: int, **columns: object) -> pd.DataFrame:
    plain = {
        "patient_id": pd.array([None] * count, dtype="string"),
        "split": pd.array([None] * count, dtype="string"),
        "label": pd.array([i % 2 for i in range(count)], dtype="Int8"),
        "pixel_hash": [f"h{i}" for i in range(count)],
    }
    return pd.DataFrame({**plain, **columns})


def alike(*pairs: tuple[int, int]) -> Alike:
    first, second = (np.array([p[k] for p in pairs], np.int64) for k in (0, 1))
    return Alike(first, second, np.ones(len(pairs), np.float32), True)


def test_patients_keep_their_numbers_where_nothing_joins_them() -> None:
    films = table(6, patient_id=list("aabbcc"))
    assert groups_of(films, alike()).codes.tolist() == patient_codes(films).tolist()


def test_pixels_origins_copies_and_patients_join() -> None:
    films = table(
        8,
        patient_id=["a", "a", "b", None, None, None, None, None],
        pixel_hash=["x", "y", "x", "z", "z", "q", "r", "s"],
        origin=[None, None, None, None, "o", "o", None, None],
    )
    codes = groups_of(films, alike((5, 6))).codes
    assert codes[0] == codes[1] == codes[2]
    assert codes[3] == codes[4] == codes[5] == codes[6]
    assert len(set(codes.tolist())) == 3


def test_a_long_chain_of_copies_is_named_and_not_followed() -> None:
    count = 200
    chain = [(i, i + 1) for i in range(FEW + 10)]
    found = groups_of(table(count), alike(*chain, (100, 101)))
    assert len(set(found.codes.tolist())) == count - 1
    ((joined, pairs),) = found.chains
    assert joined > FEW and pairs[0] == (0, 1)


def test_equal_pixels_are_followed_however_many() -> None:
    films = table(200, pixel_hash=["same"] * 60 + [f"h{i}" for i in range(140)])
    found = groups_of(films, alike())
    assert len(set(found.codes[:60].tolist())) == 1 and found.chains == ()


def test_one_patient_with_many_films_is_no_chain() -> None:
    films = table(200, patient_id=["a"] * 60 + [f"p{i}" for i in range(140)])
    found = groups_of(films, alike((0, 100)))
    assert found.codes[0] == found.codes[100] and found.chains == ()


@given(
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=15),
    st.lists(st.integers(0, 12), min_size=40, max_size=40),
    st.sampled_from(["none", "0 of 3", "2 of 3"]),
)
def test_no_cut_divides_what_belongs_together(
    pairs: list[tuple[int, int]], patients: list[int], fold: str
) -> None:
    hashes = [f"h{i}" for i in range(40)]
    for a, b in pairs[:4]:
        hashes[b] = hashes[a]
    films = table(40, patient_id=[f"p{p}" for p in patients], pixel_hash=hashes)
    together = groups_of(films, alike(*pairs[4:]))
    films["group"] = together.codes
    choices = load_recipe("default").data.model_copy(update={"fold": fold})
    split = pd.array(plan_splits(films, choices).split, dtype="string")
    films = films.assign(split=split)
    # What a chain that was not followed divides is told, not kept together.
    assert divided(films, None if together.chains else alike(*pairs[4:])) == ()
    splits_of = films[films["split"].notna()].groupby("group")["split"].nunique()
    assert (splits_of == 1).all()


def test_a_recipe_of_before_groups_by_patients_alone() -> None:
    films = table(4, patient_id=list("abcd"), group=[0, 0, 1, 1])
    assert group_codes(films, "patients").tolist() == [0, 1, 2, 3]
    assert group_codes(films, "alike").tolist() == [0, 0, 1, 1]
    assert group_codes(films.drop(columns="group"), "alike").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("what", ["patients", "pixels", "copies", "origins"])
def test_what_official_splits_divide_is_counted(what: str) -> None:
    films = table(4, patient_id=list("abcd"), origin=[None] * 4)
    films["split"] = pd.array(["train", "test", "train", None], dtype="string")
    column = {"patients": "patient_id", "pixels": "pixel_hash", "origins": "origin"}.get(what)
    pairs = ((0, 1), (2, 3)) if column is None else ()
    if column:
        films.loc[[0, 1], column] = "one"
        films.loc[[2, 3], column] = "other"  # one is in no split, so divided from nobody
    (found,) = divided(films, alike(*pairs))
    kind = "copies" if what == "origins" else what
    assert (found.split, found.other, found.films) == ("test", "train", 1)
    assert getattr(found, kind) == 1 == found.patients + found.pixels + found.copies


def test_a_copy_of_equal_pixels_is_as_near_as_the_first_of_them() -> None:
    films = table(4, pixel_hash=["x", "x", "y", "y"])
    films["split"] = pd.array(["val", "train", "val", "test"], dtype="string")
    found = {(each.split, each.other): each for each in divided(films, alike((0, 2)))}
    assert found["test", "train"].copies == 1  # row 3 is row 2, which is like row 0, which is row 1
    assert found["test", "val"].pixels == 1 and found["test", "val"].copies == 0
    assert found["val", "train"].films == 2 and found["val", "train"].pixels == 1
