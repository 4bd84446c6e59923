"""Tables whose ids meet films by their number alone, and those that must not be met so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.opening import films, opened

from pneumoscope.errors import InputError
from pneumoscope.sources.places.numbers import by_number

SHOWN = ["Pneumonia", "Normal"]


def table(root: Path, column: str, ids: list[str]) -> Path:
    rows = [f"{one},{SHOWN[i % 2]}" for i, one in enumerate(ids)]
    (root / "clinical.csv").write_text("\n".join([f"{column},Diagnosis", *rows]))
    return root


@pytest.mark.parametrize(
    ("column", "key", "names"),
    [
        ("ID", "{}", ["films/CXR_{:04}.png"]),
        ("Patient ID", "HOSP1-{:04}", ["{:04}_PA.png", "{:04}_AP.png"]),
        ("subject_id", "{}", ["xrays/Patient {}/image1.png", "xrays/Patient {}/image2.png"]),
        ("study", "S{:03}", ["exam_{}/a.png"]),
    ],
)
def test_ids_meet_films_by_their_number(
    column: str, key: str, names: list[str], tmp_path: Path
) -> None:
    films(tmp_path, *(name.format(i) for i in range(1, 13) for name in names))
    source = opened(table(tmp_path, column, [key.format(i) for i in range(1, 13)]))
    shown = {record.image_id: record.label for record in source.records}
    assert shown == {name.format(i): i % 2 for i in range(1, 13) for name in names}
    assert any("by the number of each id" in note for note in source.notes)


@pytest.mark.parametrize(
    "name",
    [
        "CXR_{0:04}_{1:03}.png",  # which of two numbers is the id?
        "IM-{1:04}-{0:04}.png",
        "CXR_{2:04}.png",  # counted from 0, and the ids from 1
        "CXR_{3:04}.png",  # other films
    ],
)
def test_numbers_that_may_be_of_others_are_not_met(name: str, tmp_path: Path) -> None:
    films(tmp_path, *(name.format(i, 7 * i + 3, i - 1, i + 500) for i in range(1, 31)))
    with pytest.raises(InputError, match="no film has a row|names the films"):
        opened(table(tmp_path, "ID", [str(i) for i in range(1, 31)]))


def test_ids_that_share_a_number_meet_nothing() -> None:
    paths = [f"CXR_{i}.png" for i in range(10)]
    assert by_number(paths, [[f"{letter}{i}" for i in range(5) for letter in "ab"]]) is None
    assert by_number(paths, [["7"] * 10, [f"p{i}" for i in range(10)]]) is not None
