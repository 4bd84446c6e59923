"""What the user says of words: on the command line, and in a file to be filled in."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import answered, open_or_ask
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.meaning.answers import file_to_fill, parse_classes
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells
from pneumoscope.sources.meaning.words import fold
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.label import find_label


def test_words_are_folded_and_meanings_too() -> None:
    said = parse_classes(["COVID 19 = ignore", "positive=IGNORE", "Tb=pneumonia", "-1=ignore"])
    assert said == {"covid19": "ignore", "positive": "ignore", "tb": "pneumonia", "-1": "ignore"}


@example("0: 1", "normal")  # without letters, and with what parts a column from its words
@given(st.text(min_size=1), st.sampled_from(["normal", "pneumonia", "ignore"]))
def test_any_word_can_be_mapped_and_is_found_again(word: str, verdict: str) -> None:
    if "=" in word or not fold(word.strip()):
        return
    said = parse_classes([f"{word}={verdict}"])
    cell = word.strip()
    code = {"normal": 0, "pneumonia": 1, "ignore": 2}[verdict]
    assert read_cells({cell: 1}, Question("here"), said).code == {cell: code}


@pytest.mark.parametrize(
    "said", ["COVID", "", "=normal", "COVID=", "  =ignore", "A=normal,B=ignore", "a=b=normal"]
)
def test_another_form_is_refused(said: str) -> None:
    with pytest.raises(InputError) as error:
        parse_classes([said])
    assert error.value.expected is not None
    assert "normal" in error.value.expected


def test_an_unknown_meaning_gets_the_nearest_word() -> None:
    with pytest.raises(InputError, match="unknown meaning") as error:
        parse_classes(["COVID=pnuemonia"])
    assert error.value.expected == "nearest: 'pneumonia'"


def test_a_word_is_said_once() -> None:
    with pytest.raises(InputError, match="as ignore and as normal"):
        parse_classes(["COVID=ignore", "covid=normal"])
    with pytest.raises(InputError, match="names 'Co-vid' twice"):
        parse_classes(["COVID=ignore", "Co-vid=ignore"])


def test_a_file_of_words_is_read_and_a_new_one_is_to_be_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "words.csv"
    assert file_to_fill([str(file), "a=normal"]) == file
    assert parse_classes([str(file)]) == {}
    file.write_text("word,meaning,films\nMass,ignore,3\n'Edema',normal,2\nopen,,1\n")
    assert file_to_fill([str(file)]) is None
    assert parse_classes([str(file), "tb=ignore"]) == {
        **{"mass": "ignore", "edema": "normal", "tb": "ignore"}
    }
    file.write_text("Mass=ignore\nEdema = normal\n")
    assert parse_classes([str(file)]) == {"mass": "ignore", "edema": "normal"}
    file.write_text("word,meaning\nMass,perhaps\n")
    with pytest.raises(InputError, match="unknown meaning"):
        parse_classes([str(file)])
    file.write_bytes(b"\xff\xfe\0bad")
    with pytest.raises(InputError, match="cannot be read"):
        parse_classes([str(file)])


def test_words_that_are_asked_about_are_written_down(tmp_path: Path) -> None:
    rows = "\n".join(f"{i}.png,{w}" for i, w in enumerate(("Normal", "Pneumonia", "Mass", "TB")))
    (tmp_path / "t.csv").write_text("image,label\n" + rows)
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(b"x")
    file = tmp_path / "words.csv"
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(tmp_path / "t.csv"), fill_in=file), tmp_path, Silent())
    assert "was written" in str(error.value)
    assert parse_classes([str(file)]) == {"label: mass": "ignore", "label: tb": "ignore"}
    request = DataRequest(str(tmp_path / "t.csv"), classes=parse_classes([str(file)]))
    assert open_source(request, tmp_path, Silent()).count == 2


def test_a_request_of_version_0_1_0_goes_on_without_asking(tmp_path: Path) -> None:
    for name in ("positive/a.png", "negative/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    asked = DataRequest(str(tmp_path))
    with pytest.raises(BadLabels):
        open_source(asked, tmp_path, Silent())
    old = {k: v for k, v in asked.to_json().items() if k not in ("readers", "links", "assumed")}
    again = DataRequest.from_json(old)  # type: ignore[arg-type]
    assert [r.label for r in open_source(again, tmp_path, Silent()).records] == [0, 1]
    assert DataRequest.from_json(again.to_json()).assumed == again.assumed
    assert DataRequest.from_json(asked.to_json()).assumed == {}


def _covidx(folder: Path, films: int = 24) -> Path:
    """A table without a header, as COVIDx has it: a number that repeats, a file, a vague word."""
    lines = []
    for i in range(films):
        name = f"f{i:03d}.png"
        (folder / name).write_bytes(b"x")
        lines.append(f"{i // 2 * 7} {name} {('negative', 'positive')[i % 4 == 0]} rsna")
    (folder / "list.txt").write_text("\n".join(lines))
    return folder / "list.txt"


def test_all_that_is_unknown_is_asked_in_one_message(tmp_path: Path) -> None:
    request = DataRequest(str(_covidx(tmp_path)))
    options = ["--column", "--classes", "--classes"]
    with pytest.raises(BadLabels) as error:
        open_source(request, tmp_path, Silent())
    assert [word for word in error.value.answer if word.startswith("--")] == options
    words = [word for point in error.value.points for word in point.answer]
    assert tuple(words) == error.value.answer
    starts = [line[:4] for line in str(error.value).splitlines()]  # a problem a line
    assert ("  1." in starts) and ("  2." in starts)
    found = open_source(answered(request, error.value.answer), tmp_path, Silent())
    assert {record.label for record in found.records} == {0, 1}


def test_words_are_asked_about_before_readers_who_tie(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(b"x")
    rows = [
        f"{i}.png,{one},{'AB'[j]}" for i, both in enumerate(_VOTES) for j, one in enumerate(both)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["image,label,reader", *rows]))
    request = DataRequest(str(tmp_path / "t.csv"))
    for options in (["--classes"] * 3, ["--readers"]):
        with pytest.raises(BadLabels) as error:
            open_source(request, tmp_path, Silent())
        assert [word for word in error.value.answer if word.startswith("--")] == options
        assert any("readers disagree" in hint for hint in error.value.hints) == (options[1:] != [])
        request = answered(request, error.value.answer)
    found = open_source(request, tmp_path, Silent())
    assert [record.label for record in found.records] == [0, 1, 1]


_GRADE = "{} Appearance".format
_VOTES = (
    ("Negative for Pneumonia", "Negative for Pneumonia"),
    (_GRADE("Typical"), _GRADE("Indeterminate")),
    (_GRADE("Atypical"), _GRADE("Atypical")),
    (_GRADE("Typical"), "Negative for Pneumonia"),
)


def test_of_a_folder_the_table_and_its_words_are_asked_in_one_message(tmp_path: Path) -> None:
    table = _covidx(tmp_path)
    for name in ("one", "two"):
        words = table.read_text().replace(" ", ",")
        if name == "two":  # another reading of the same films
            words = words.replace("negative", "positive", 1)
        (tmp_path / f"{name}.csv").write_text(f"patient_id,file,label,place\n{words}")
    table.unlink()
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    answer = error.value.answer
    assert answer[:2] == ("--labels", str(tmp_path / "one.csv"))
    assert answer[2:] == ("--classes", "negative=normal", "--classes", "positive=pneumonia")
    found = open_source(answered(DataRequest(str(tmp_path)), answer), tmp_path, Silent())
    assert {word.word: word.films for word in found.words} == {"negative": 18, "positive": 6}


def test_what_is_asked_beside_words_is_asked_when_these_are_written_down(tmp_path: Path) -> None:
    file = tmp_path / "words.csv"
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(_covidx(tmp_path)), fill_in=file), tmp_path, Silent())
    assert error.value.answer == ("--column", "patient=column 1")
    assert parse_classes([str(file)]) == {
        "column3: negative": "normal",
        "column3: positive": "pneumonia",
    }


def test_an_answer_that_is_no_option_of_data_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="no option of data"):
        answered(DataRequest("x"), ("--set", "data.most_bad=.1"))
    request = answered(DataRequest("x"), ("--classes=-1=ignore", "--links", "/a"))
    assert request.classes == {"-1": "ignore"} and request.links == (Path("/a"),)


def test_each_kind_of_unknown_word_has_a_line_of_its_own(tmp_path: Path) -> None:
    words = ["No finding", "Pnemonia", "positive", "possible pneumonia", "COPD"]
    with pytest.raises(BadLabels) as error:
        read_cells(dict.fromkeys(words, 3), Question("the column 'dx' of t.csv"), {})
    assert [point.got for point in error.value.points] == [
        f"{word!r} × 3 (films)" for word in ("positive", "Pnemonia", "possible pneumonia", "COPD")
    ]
    lines = str(error.value).splitlines()
    assert sum("note:" in line or line[2].isdecimal() for line in lines[1:]) == 8
    assert not any("; " in line for line in lines[1:])
    assert pickle.loads(pickle.dumps(error.value)).message() == str(error.value)


def test_a_question_about_a_table_in_parts_names_all_of_them(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        names = [f"{split}{i}.png" for i in range(4)]
        for name in names:
            (tmp_path / name).write_bytes(b"x")
        (tmp_path / f"{split}_list.txt").write_text(
            "\n".join(f"{n} {i % 2}" for i, n in enumerate(names))
        )
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert f"test_list.txt, train_list.txt, val_list.txt in {tmp_path}" in str(error.value)


def test_words_filled_in_for_one_column_are_asked_about_again_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.chdir(tmp_path)
    rows = ["image,first,second"]
    for i in range(6):
        (data / f"f{i}.png").write_bytes(b"x")
        rows.append(f"f{i}.png,{'sí' if i % 2 else 'grado'},{'grado' if i % 2 else 'sí'}")
    (data / "t.csv").write_text("\n".join(rows))
    one = DataRequest(str(data), columns={"label": "first"}, fill_in=Path("words.csv"))
    with pytest.raises(BadLabels):
        open_source(one, tmp_path, Silent())
    written = Path("words.csv").read_text()
    assert written.splitlines()[0] == "word,meaning,films,column" and ",first" in written
    Path("words.csv").write_text(
        "word,meaning,films,column\nsí,pneumonia,3,first\ngrado,normal,3,first\n"
    )
    classes = parse_classes(["words.csv"])
    found = open_source(replace(one, classes=classes, fill_in=None), tmp_path, Silent())
    assert [record.label for record in found.records] == [0, 1] * 3
    other = DataRequest(str(data), columns={"label": "second"}, classes=classes)
    with pytest.raises(BadLabels) as error:
        open_source(other, tmp_path, Silent())
    assert error.value.answer == ("--classes", "words2.csv") and "words.csv" not in str(error.value)
    Path("words.csv").write_text("word,meaning\nsí,pneumonia\ngrado,normal\n")  # of any column
    classes = parse_classes(["words.csv"])
    found = open_source(replace(other, classes=classes), tmp_path, Silent())
    assert [record.label for record in found.records] == [1, 0] * 3


def test_words_of_two_questions_are_written_into_one_file(tmp_path: Path) -> None:
    def opened(request: DataRequest) -> Source:
        for column, word in (("first", "Edema"), ("second", "Mass")):
            if fold(word) not in request.classes:
                error = BadLabels("unknown", answer=("--classes", f"{word}=ignore"))
                error.words, error.column = ((word, 3, "ignore"),), column
                raise error
        return cast(Source, None)

    file = tmp_path / "words.csv"
    with pytest.raises(BadLabels):
        open_or_ask(DataRequest("x", fill_in=file), opened)
    assert parse_classes([str(file)]) == {"first: edema": "ignore", "second: mass": "ignore"}


@pytest.mark.parametrize("name", ["finding___{}", "chest_x___{}", "befund___{}"])
def test_choices_of_a_checkbox_are_asked_about_as_such(name: str, tmp_path: Path) -> None:
    rows = [",".join(["record_id", "image", *map(name.format, (1, 2, 3))])]
    for i in range(12):
        (tmp_path / f"f{i}.png").write_bytes(b"x")
        rows.append(f"{i + 1},f{i}.png," + ",".join(str(int(i % 3 == k)) for k in range(3)))
    (tmp_path / "export.csv").write_text("\n".join(rows))
    with pytest.raises(BadLabels) as error:
        open_source(DataRequest(str(tmp_path)), tmp_path, Silent())
    assert "REDCap's checkboxes" in str(error.value) and "data dictionary" in str(error.value)
    assert error.value.answer[:2] == ("--column", f"label={name.format(1)}")
    request = answered(DataRequest(str(tmp_path)), error.value.answer)
    assert open_source(request, tmp_path, Silent()).count == 12


def test_an_answer_for_the_rest_of_one_column_makes_no_label_of_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"label": ["a", "b"] * 3, "diagnosis": ["normal", "pneumonia"] * 3})
    table = Table(tmp_path / "t.csv", frame, "")
    assert find_label(table, None, {"label: other": "ignore"}, ()).name == "diagnosis"


def test_a_word_of_a_legend_is_one_of_the_numbered_folders(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / str(i % 3)).mkdir(exist_ok=True)
        (tmp_path / f"{i % 3}/{i}.png").write_bytes(b"x")
    (tmp_path / "classes.txt").write_text("normal\npneumonia\nmass\n")
    found = open_source(DataRequest(str(tmp_path), classes={"mass": "ignore"}), tmp_path, Silent())
    assert found.count == 4 and not any("no folder" in note for note in found.notes)
