"""What the user says of words: on the command line, and in a file to be filled in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.records import DataRequest, Silent
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.meaning.answers import file_to_fill, parse_classes
from pneumoscope.sources.meaning.cells import Question, read_cells
from pneumoscope.sources.meaning.words import fold


def test_words_are_folded_and_meanings_too() -> None:
    said = parse_classes(["COVID 19 = ignore", "positive=IGNORE", "Tb=pneumonia", "-1=ignore"])
    assert said == {"covid19": "ignore", "positive": "ignore", "tb": "pneumonia", "-1": "ignore"}


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
    assert parse_classes([str(file)]) == {"mass": "ignore", "tb": "ignore"}
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
