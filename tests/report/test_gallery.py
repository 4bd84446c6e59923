"""The gallery picks by rule, the same films each time, and never prints a patient's id."""

from __future__ import annotations

import pandas as pd
import pytest

from pneumoscope.report.kit.gallery import choose_films, evenly, printable_name, shown_rows


def table(*rows: tuple[str, int, float], patients: str = "") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["image_id", "label", "probability"])
    return frame.assign(patient_id=patients)


ROWS = table(
    ("a", 0, 0.1), ("b", 0, 0.9), ("c", 0, 0.7), ("d", 1, 0.2), ("e", 1, 0.45), ("f", 1, 0.99)
)


def ids(films: tuple) -> list[str]:
    return [film.image_id for film in films]


def test_errors_come_most_confident_first() -> None:
    gallery = choose_films(ROWS, 0.5)
    assert ids(gallery.false_positives) == ["b", "c"]
    assert ids(gallery.false_negatives) == ["d", "e"]
    assert ids(gallery.true_positives) == ["f"]
    assert ids(gallery.true_negatives) == ["a"]


def test_least_certain_is_nearest_to_the_threshold() -> None:
    assert ids(choose_films(ROWS, 0.5, count=2).least_certain) == ["e", "c"]


def test_probability_at_the_threshold_is_called_pneumonia() -> None:
    (row,) = shown_rows(table(("a", 0, 0.5)), 0.5)
    assert row.called == 1
    assert not row.right


def test_spread_runs_from_lowest_to_highest() -> None:
    found = [film.probability for film in choose_films(ROWS, 0.5, count=2).spread]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.1, 0.99)


def test_typical_films_are_the_middle_of_their_kind() -> None:
    rows = table(*[(f"{i:02d}", 1, 0.6 + i / 100) for i in range(11)])
    assert ids(choose_films(rows, 0.5, count=3).true_positives) == ["04", "05", "06"]


def test_choice_does_not_depend_on_the_order_of_rows() -> None:
    rows = table(*[(f"{i:02d}", i % 2, 0.5) for i in range(40)])
    assert choose_films(rows, 0.4, 4) == choose_films(rows.sample(frac=1, random_state=3), 0.4, 4)


def test_empty_table_gives_an_empty_gallery() -> None:
    gallery = choose_films(ROWS.iloc[:0], 0.5)
    assert gallery.spread == gallery.false_positives == gallery.samples_normal == ()


def test_evenly_takes_both_ends() -> None:
    rows = shown_rows(ROWS, 0.5)
    assert ids(evenly(rows, 3)) == ["a", "c", "f"]


@pytest.mark.parametrize(
    ("image_id", "patient_id", "expected"),
    [
        ("test/NORMAL/IM-0001-0001.jpeg", "", "…001-0001"),
        ("film-7.png", "", "film-7"),
        ("p12.png", "p12", "row 5"),
        ("p12-left.png", "p12", "row 5"),
        ("0004cfab-14fd-4e49", "0004cfab-14fd-4e49", "row 5"),
        ("person100_bacteria_475.jpeg", "person100", "…eria_475"),
        ("a-very-long-name-7", "7", "row 5"),
        ("IM-0022-0001.jpeg", "IM-0022", "row 5"),
        ("person100_virus_184.jpeg", "person184", "row 5"),
    ],
)
def test_printable_name_never_tells_the_patient(
    image_id: str, patient_id: str, expected: str
) -> None:
    assert printable_name(image_id, patient_id, 4) == expected
