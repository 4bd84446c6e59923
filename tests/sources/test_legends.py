"""Numbers as labels: a legend beside them says what they stand for, and nothing else guesses."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import BadLabels
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import answered
from pneumoscope.sources.detect import open_source

FILMS = [f"images/c{i:02}.jpg" for i in range(12)]
CODES = [0, 1, 2, 1] * 3
LISTS = {"train_list.txt": range(6), "val_list.txt": range(6, 9), "test_list.txt": range(9, 12)}
RIGHT = {(1, "train"): 3, (0, "train"): 3, (1, "val"): 2, (0, "val"): 1, (1, "test"): 1}
RIGHT |= {(0, "test"): 2}

LEGENDS = {
    "label_list.txt": "0 bacteria\n1 normal\n2 virus\n",
    "labels.txt": "bacteria\nnormal\nvirus\n",
    "classes.names": "bacteria\nnormal\nvirus",
    "class_map.csv": "id,name\n2,virus\n0,bacteria\n1,normal\n",
    "class_to_idx.json": json.dumps({"NORMAL": 1, "bacteria": 0, "virus": 2}),
    "class_names.json": json.dumps(["bacteria", "normal", "virus"]),
    "labels.json": json.dumps({"0": "bacteria", "1": "normal", "2": "virus"}),
}


def films(root: Path) -> Path:
    for at, path in enumerate(FILMS):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 5), at, dtype=np.uint8)).save(root / path, "JPEG")
    return root


def lists(root: Path, codes: list[int] = CODES) -> Path:
    films(root)
    for name, rows in LISTS.items():
        (root / name).write_text("".join(f"{FILMS[i]} {codes[i]}\n" for i in rows))
    return root


def opened(root: Path, **said: dict[str, str]) -> Source:
    return open_source(DataRequest(str(root), **said), root, Silent())


def counted(source: Source) -> dict[tuple[int | None, str | None], int]:
    return dict(Counter((record.label, record.split) for record in source.records))


def asked(root: Path) -> BadLabels:
    with pytest.raises(BadLabels) as error:
        opened(root)
    return error.value


@pytest.mark.parametrize("name", LEGENDS)
def test_a_legend_says_what_numbers_stand_for(name: str, tmp_path: Path) -> None:
    (lists(tmp_path) / name).write_text(LEGENDS[name])
    source = opened(tmp_path)
    assert counted(source) == RIGHT
    said = next(note for note in source.notes if name in note)
    assert "0 is 'bacteria'" in said
    assert sum(name in note for note in source.notes) == 1


def test_one_list_is_read_with_its_sisters_and_its_legend(tmp_path: Path) -> None:
    (lists(tmp_path) / "label_list.txt").write_text(LEGENDS["label_list.txt"])
    assert counted(opened(tmp_path / "test_list.txt")) == RIGHT


@pytest.mark.parametrize(
    "rows",
    [
        '"Variable","Type","Choices"\n"dx","radio","0, Pneumonia | 1, Normal"\n'
        '"sex","radio","0, F | 1, M"\n',
        "column;meaning\nsex;0=F, 1=M\ndx;0=Pneumonia, 1=Normal\n".replace(";", "\t"),
        "name,values\nsex,0: F; 1: M\ndx,0: Pneumonia; 1: Normal\n",
        "Variable,Code,Meaning\nsex,0,F\nsex,1,M\nward,A,Acute\ndx,0,Pneumonia\ndx,1,Normal\n",
        "Variable;Code;Meaning\nsex;0;F\nsex;1;M\ndx;0;Pneumonia\ndx;1;Normal\n",
    ],
)
def test_a_data_dictionary_is_about_its_own_column(rows: str, tmp_path: Path) -> None:
    films(tmp_path)
    (tmp_path / "study_dictionary.csv").write_text(rows)
    lines = [f"{film},{i % 3 % 2},{i % 2}" for i, film in enumerate(FILMS)]
    (tmp_path / "data.csv").write_text("\n".join(["file,dx,sex", *lines]))
    assert counted(opened(tmp_path)) == {(1, None): 8, (0, None): 4}


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"label_list.txt": "0 bacteria\n1 normal\n"},  # 2 has no word
        {"labels.txt": "bacteria\nnormal\nvirus\n", "classes.txt": "normal\nbacteria\nvirus\n"},
    ],
)
def test_numbers_without_a_legend_are_asked_and_never_guessed(
    beside: dict[str, str], tmp_path: Path
) -> None:
    lists(tmp_path)
    for name, text in beside.items():
        (tmp_path / name).write_text(text)
    error = asked(tmp_path)
    assert error.answer[-2:] == ("--classes", "words.csv")
    assert {(word, offer) for word, _, offer in error.words} == {("0", ""), ("1", ""), ("2", "")}
    said = {"0": "pneumonia", "1": "normal", "2": "pneumonia"}
    columns = answered(DataRequest(str(tmp_path)), error.answer).columns
    assert counted(opened(tmp_path, classes=said, columns=dict(columns))) == RIGHT


def test_of_0_and_1_the_usual_meaning_is_offered_as_a_guess(tmp_path: Path) -> None:
    error = asked(lists(tmp_path, [i % 2 for i in range(12)]))
    assert error.answer[-4:] == ("--classes", "0=normal", "--classes", "1=pneumonia")
    assert "a guess to be checked" in str(error)


@pytest.mark.parametrize("numbers", [(1, 2), (3, 7), (0, 2)])
def test_other_pairs_of_numbers_are_not_guessed(numbers: tuple[int, int], tmp_path: Path) -> None:
    error = asked(lists(tmp_path, [numbers[i % 2] for i in range(12)]))
    assert error.answer[-2:] == ("--classes", "words.csv")


def test_what_the_user_says_of_numbers_goes_before_a_legend(tmp_path: Path) -> None:
    (lists(tmp_path) / "label_list.txt").write_text("0 normal\n1 virus\n2 bacteria\n")
    said = {"0": "pneumonia", "1": "normal", "2": "pneumonia"}
    columns = {"label": "column 2"}
    assert counted(opened(tmp_path, classes=said, columns=columns)) == RIGHT
