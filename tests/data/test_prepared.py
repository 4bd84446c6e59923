"""Whom a model of a prepared set knows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pneumoscope.data.prepared import PreparedSet, population
from pneumoscope.records import InputSpec


def prepared(name: str, ages: list[float | None] | None = None) -> PreparedSet:
    table = pd.DataFrame({"split": ["train"] * 10 + ["test"]})
    if ages is not None:
        table["fact_age"] = [*ages, 99.0]
    images = np.zeros((11, 4, 4), np.uint8)
    return PreparedSet(Path(), InputSpec(4, 4), images, None, table, {"source": {"name": name}})


def test_ages_are_those_of_the_training_films() -> None:
    got = population(prepared("rsna", [20.0, 81.5, None, *[40.0] * 7]))
    assert (got["youngest"], got["oldest"]) == (20.0, 81.5)


@pytest.mark.parametrize("name", ["kermany", "pneumoniamnist", "pneumoniamnist-128"])
def test_sets_of_children_are_known_by_name(name: str) -> None:
    assert population(prepared(name))["oldest"] == 5.0


def test_what_is_not_known_is_not_claimed() -> None:
    assert population(prepared("mine")) == {}
    assert population(prepared("mine", [20.0, *[None] * 9])) == {}
