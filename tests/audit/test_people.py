"""Who is in each split, as far as the data says it."""

from __future__ import annotations

import pandas as pd

from pneumoscope.audit.people import AgeSpread, people_of


def test_each_split_with_what_is_known_of_it() -> None:
    table = pd.DataFrame(
        {
            "split": ["train", "train", "train", "test", None],
            "patient_id": ["a", "a", "b", None, "c"],
            "fact_age": ["40", "60", None, None, "9"],
            "fact_sex": ["F", "M", "F", None, "M"],
        }
    )
    train, test = people_of(table)
    assert (train.split, train.films, train.patients) == ("train", 3, 2)
    assert train.age == AgeSpread(40.0, 50.0, 60.0, 2)
    assert train.sex == {"F": 2, "M": 1} and train.view == {}
    assert (test.films, test.patients, test.age, test.sex) == (1, None, None, {})
