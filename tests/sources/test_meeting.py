"""Names of a table that meet films without what all of them share, and tables that meet none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscope.errors import BadLabels
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.meaning.answers import parse_classes
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells
from pneumoscope.sources.places.match import Names, meet


@pytest.mark.parametrize(
    ("ids", "films"),
    [
        ("{}_image", "{}.png"),
        ("{}_study", "{}.png"),
        ("img_{}", "{}.png"),
        ("{}.dcm.png", "{}.png"),
        ("{}", "img_{}.dcm.png"),
    ],
)
def test_ids_with_one_prefix_or_suffix_meet_without_it(
    ids: str, films: str, tmp_path: Path
) -> None:
    names = [f"{i:02d}ab{i * 7}" for i in range(12)]
    for name in names:
        (tmp_path / films.format(name)).write_bytes(b"x")
    rows = [f"{ids.format(name)},{('Normal', 'Pneumonia')[i % 2]}" for i, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("\n".join(("id,label", *rows)))
    found = open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert [record.label for record in found.records] == [0, 1] * 6
    assert any("Films were met without" in note for note in found.notes)


def _challenge(folder: Path, ids: str = "{}_image") -> Path:
    """Films and a table as of a challenge: boxes as ``label``, classes in columns of 0 and 1."""
    rows = ["id,label,Negative for Pneumonia,Typical Appearance,Indeterminate,fold"]
    for i in range(12):
        (folder / f"{i * 31:04x}.png").write_bytes(b"x")
        label = f"opacity 1 {i}.25 {i + 3}.5 {i + 40} {i + 90}.125" if i % 3 else "none 1 0 0 1 1"
        flags = ",".join(str(int(i % 3 == k)) for k in range(3))
        rows.append(f"{ids.format(f'{i * 31:04x}')},{label},{flags},{i % 5}")
    (folder / "train.csv").write_text("\n".join(rows))
    return folder


def test_columns_that_exclude_each_other_are_the_classes_and_boxes_are_none(tmp_path: Path) -> None:
    request = DataRequest(str(_challenge(tmp_path)))
    with pytest.raises(BadLabels) as error:
        open_source(request, tmp_path, Silent())
    answer = ("Typical Appearance=pneumonia", "uncertain=ignore")
    assert [word for word in error.value.answer if word != "--classes"] == list(answer)
    said = replace(request, classes=parse_classes(answer))
    found = open_source(said, tmp_path, Silent())
    assert [record.label for record in found.records] == [0, 1] * 4


def test_a_label_table_that_meets_no_film_is_asked_about(tmp_path: Path) -> None:
    folder = _challenge(tmp_path, "{}zz9")
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(folder)), tmp_path, Silent())
    told = "looked for as '0000zz9', and the most similar name of a film is '0000.png'"
    assert told in error.value.got
    assert "--form unlabelled" in error.value.remedy
    found = open_source(DataRequest(str(folder), form="unlabelled"), tmp_path, Silent())
    assert found.count == 12


def test_more_words_than_a_command_takes_are_written_down(tmp_path: Path) -> None:
    cells = {f"Pneumonie {side} {i}": 1 for i in range(8) for side in ("li", "re")}
    with pytest.raises(BadLabels) as error:
        read_cells({"normal": 3, **cells}, Question("here"), {})
    assert error.value.answer == ("--classes", "words.csv")


@pytest.mark.parametrize("form", ["{:02d}.03.2023", "2023-03-{:02d}", "{:02d}/03/2023 10:15"])
def test_a_column_of_dates_is_none_of_ids_that_repeat(form: str, tmp_path: Path) -> None:
    rows = ["image,label,Aufnahmedatum"]
    for i in range(24):
        (tmp_path / f"{i}.png").write_bytes(b"x")
        rows.append(f"{i}.png,{('normal', 'pneumonia')[i % 2]},{form.format(i // 2 + 1)}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    assert open_source(DataRequest(str(tmp_path)), tmp_path, Silent()).count == 24


@pytest.mark.parametrize("name", ["/data/upload/3/{:08x}-{}", "{}_{:08x}"])
def test_names_with_a_part_of_their_own_meet_by_the_rest(name: str) -> None:
    films = Names([f"images/0000{i}_00{i % 3}.png" for i in range(40)])
    stems = [path.rpartition("/")[2].removesuffix(".png") for path in films.paths]
    swap = name.startswith("{}")
    keys = [name.format(*((s, i * 77777) if swap else (i * 77777, s))) + ".png"
            for i, s in enumerate(stems)]  # fmt: skip
    met = meet(keys, films)
    assert met.places.tolist() == list(range(40))
    assert "a part of its own" in met.notes[0]
    assert not meet([*keys[:20], *(f"ff-{s}.png" for s in stems[:20])], films).found
    assert not meet([key.replace("_00", "_9") for key in keys], films).found
