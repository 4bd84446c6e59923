"""Films in one folder whose own names say what they show."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.opening import asked, counted, films, many, opened

from pneumoscope.errors import BadLabels
from pneumoscope.records import DataRequest
from pneumoscope.sources.asked import answered
from pneumoscope.sources.meaning.filenames import numbers_of, word_of

PLAIN = {
    "COVID-19 Radiography, taken together": (
        many("Normal-{}.png", 5) + many("Viral Pneumonia-{}.png", 4),
        {"normal": 5, "viral pneumonia": 4},
    ),
    "Kermany's, under new names": (
        many("person{}_virus_12.jpeg", 3)
        + many("person{}_bacteria_45.jpeg", 3, 9)
        + many("NORMAL2-IM-{:04}-0001.jpeg", 4),
        {"normal": 4, "virus": 3, "bacteria": 3},
    ),
    "behind a number, in folders of splits": (
        many("train/{:05}_pneumonia.jpg", 4)
        + many("train/{:05}_no_finding.jpg", 4, 50)
        + many("test/{:05}_pneumonia.jpg", 2, 80),
        {"pneumonia": 6, "no finding": 4},
    ),
    "Spanish": (
        many("sano_{:03}.png", 4) + many("neumonia_{:03}.png", 5),
        {"neumonia": 5, "sano": 4},
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_words_in_names_of_films_are_read_and_said(name: str, tmp_path: Path) -> None:
    paths, words = PLAIN[name]
    source = opened(films(tmp_path, *paths))
    assert source.form == "names" and source.why.startswith("words of the file names: ")
    assert {word.word: word.films for word in source.words} == words
    for record in source.records:
        assert record.label == (not any(w in record.image_id.lower() for w in ("no", "sano")))
    splits = Counter(split for _, split in counted(source))
    assert set(splits) == ({"train", "test"} if "splits" in name else {None})


def test_words_that_are_not_certain_are_asked_about(tmp_path: Path) -> None:
    films(tmp_path, *many("COVID-{}.png", 4), *many("Normal-{}.png", 5))
    error = asked(tmp_path)
    assert error.answer == ("--classes", "COVID=pneumonia") or error.answer == (
        "--classes",
        "covid=pneumonia",
    )
    found = opened(tmp_path, answered(DataRequest(str(tmp_path)), error.answer))
    assert counted(found) == {(0, None): 5, (1, None): 4}


@pytest.mark.parametrize(
    "names", [("MCUCXR_{:04}_0.png", "MCUCXR_{:04}_1.png"), ("{}-0.png", "{}-1.png")]
)
def test_numbers_behind_names_are_asked_about_and_never_guessed(
    names: tuple[str, str], tmp_path: Path
) -> None:
    films(tmp_path, *many(names[0], 5), *many(names[1], 4, 50))
    error = asked(tmp_path)
    assert isinstance(error, BadLabels) and error.answer == ("--classes", "words.csv")
    assert error.words == (("0", 5, ""), ("1", 4, ""))
    classes = {"0": "pneumonia", "1": "normal"}
    found = opened(tmp_path, DataRequest(str(tmp_path), classes=classes))
    assert counted(found) == {(1, None): 5, (0, None): 4}
    (tmp_path / "labels.txt").write_text("0: pneumonia\n1: normal\n")
    assert counted(opened(tmp_path)) == {(1, None): 5, (0, None): 4}


def test_numbers_that_count_views_of_one_thing_are_none_of_classes(tmp_path: Path) -> None:
    films(tmp_path, *many("exam{}_0.png", 4), *many("exam{}_1.png", 4))
    assert opened(tmp_path).form == "unlabelled"


def test_names_are_not_read_where_folders_or_a_table_say_it(tmp_path: Path) -> None:
    here = many("NORMAL/{}_normal.png", 4) + ["NORMAL/5_pneumonia.png"]
    films(tmp_path / "a", *here, *many("PNEUMONIA/{}_pneumonia.png", 4))
    source = opened(tmp_path / "a")
    assert source.form == "folder" and counted(source) == {(0, None): 5, (1, None): 4}
    assert sum("1 films have names that say another class" in note for note in source.notes) == 1
    films(tmp_path / "b", *many("normal_{}.png", 4), *many("pneumonia_{}.png", 4))
    rows = [f"normal_{i}.png,pneumonia\npneumonia_{i}.png,normal" for i in range(4)]
    (tmp_path / "b" / "t.csv").write_text("\n".join(["image,label", *rows]))
    source = opened(tmp_path / "b")
    assert source.form == "labelled" and counted(source) == {(0, None): 4, (1, None): 4}
    assert any("8 films have names that say another class" in note for note in source.notes)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("00012_pneumonia.jpg", "pneumonia"),
        ("x/no-pneumonia.3.png", "no pneumonia"),
        ("NotNormal_1.png", "not normal"),
        ("possible_pneumonia_1.png", "possible pneumonia"),
        ("abnormality.png", "abnormality"),
        ("paranormal1.png", ""),
        ("a_b_c.png", ""),
        ("000_1.png", ""),
    ],
)
def test_the_word_of_a_name(name: str, word: str) -> None:
    assert word_of(name) == word


@given(st.text(max_size=40), st.sampled_from(["NORMAL", "pneumonia"]))
def test_a_word_set_off_by_numbers_is_found_in_any_name(name: str, word: str) -> None:
    assert isinstance(word_of(name), str)
    assert word_of(f"{word}-12.png") == word.lower()
    assert len(numbers_of([name, word])) in (0, 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "bacteria\nnormal\nvirus\n"),
        ("label_map.json", '{"normal": 1, "bacteria": 0, "virus": 2}'),
        ("data.yaml", "nc: 3\nnames: [bacteria, normal, virus]\n"),
        ("README.md", "# Chest films\n\n1. Unpack\n- `0`: bacteria\n- 1: Normal\n- 2 = virus\n"),
    ],
)
def test_numbered_folders_are_read_by_the_legend_beside_them(
    name: str, text: str, tmp_path: Path
) -> None:
    paths = [f"{split}/{c}/{split}{c}{i}.png" for split in ("train", "test") for c in range(3)
             for i in range(3)]  # fmt: skip
    films(tmp_path, *paths)
    assert asked(tmp_path).answer == ("--classes", "words.csv")
    (tmp_path / name).write_text(text)
    source = opened(tmp_path)
    assert counted(source) == {(1, "train"): 6, (0, "train"): 3, (1, "test"): 6, (0, "test"): 3}
    assert any(f"is read from {name}: 0 is 'bacteria', " in note for note in source.notes)
    said = DataRequest(str(tmp_path), classes={"0": "normal", "1": "pneumonia", "2": "ignore"})
    assert counted(opened(tmp_path, said))[(0, "train")] == 3  # the user's word goes first
