"""What cells of a label mean: words, lists, paths, bare numbers, doubts, several readers."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels
from pneumoscope.sources.meaning.answers import parse_classes
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import IGNORED, UNSAID, parts_of, read_cells
from pneumoscope.sources.meaning.flags import Flags, about, find_flags, joined
from pneumoscope.sources.meaning.readers import TIED, TWO_LABELS, settle, vote
from pneumoscope.sources.meaning.words import fold

HERE = Question("the column 'x'")
OTHER = {"other": "ignore"}


def code(cell: str, said: dict[str, str] | None = None, question: Question = HERE) -> int:
    return read_cells({cell: 1}, question, said or {}).code[cell]


@pytest.mark.parametrize(
    "cell",
    [
        *("Pneumonia|Effusion", "Effusion|Pneumonia", "['pneumonia', 'infiltrates']"),
        *('["Mass", "Pneumonia"]', "Mass; pneumonia", "mass, Pneumonia", "['pneumonia']"),
        *("Pneumonia/Viral/COVID-19", "Pneumonia/Bacterial/Streptococcus", "(pneumonia, mass)"),
        *("Pneumonia/Lipoid", "Viral Pneumonia", "[pneumonia]"),
    ],
)
def test_a_cell_that_holds_pneumonia_is_pneumonia(cell: str) -> None:
    assert code(cell, OTHER) == 1


@pytest.mark.parametrize("cell", ["No Finding", "['normal']", '["No finding"]', "normal|healthy"])
def test_a_cell_that_says_normal_alone_is_normal(cell: str) -> None:
    assert code(cell) == 0


@pytest.mark.parametrize("cell", ["", " ", "nan", "[]", "None", "N/A", "()"])
def test_a_cell_that_holds_nothing_is_no_label(cell: str) -> None:
    assert code(cell) == UNSAID


@pytest.mark.parametrize("cell", ["Pneumonia|No Finding", "['normal', 'pneumonia']"])
def test_a_cell_that_contradicts_itself_is_asked_about(cell: str) -> None:
    with pytest.raises(BadLabels):
        code(cell, OTHER)


def test_everything_else_is_asked_for_once_with_one_answer() -> None:
    cells = {"No Finding": 50, "Pneumonia|Mass": 9}
    cells |= {f"Mass|w{i}": 1 for i in range(800)}
    with pytest.raises(BadLabels) as error:
        read_cells(cells, HERE, {})
    assert error.value.answer == ("--classes", "other=ignore")
    assert len(str(error.value)) < 900
    assert len(error.value.words) == 801
    for answer, expected in (("ignore", IGNORED), ("normal", 0)):
        meaning = read_cells(cells, HERE, {"other": answer})
        assert meaning.code["Mass|w7"] == expected and meaning.code["Pneumonia|Mass"] == 1
        assert sum(word.films for word in meaning.words if word.meaning == "pneumonia") == 9


@pytest.mark.parametrize(
    ("cells", "answer"),
    [
        ({"positive": 3, "negative": 4}, "--classes negative=normal --classes positive=pneumonia"),
        ({"0": 3, "1": 4}, "--classes 0=normal --classes 1=pneumonia"),
        ({"Healthy": 3, "Sick": 4}, "--classes Sick=pneumonia"),
        ({"Normal": 3, "Pnemonia": 4}, "--classes Pnemonia=pneumonia"),
        ({"Normal": 3, "COVID": 4}, "--classes COVID=pneumonia"),
        ({"Normal": 3, "Pneumonia": 4, "todo": 2}, "--classes todo=ignore"),
        ({"Normal": 3, "Pneumonia": 4, "suspected pneumonia": 1}, "--classes uncertain=ignore"),
        ({"Normal": 3, "Pneumonia": 4, "-1": 2}, "--classes=-1=ignore"),
    ],
)
def test_what_is_asked_carries_the_answer_that_works(cells: dict[str, int], answer: str) -> None:
    with pytest.raises(BadLabels) as error:
        read_cells(cells, HERE, {})
    assert sorted(shlex.split(answer)) == sorted(error.value.answer)
    words = [w.removeprefix("--classes=") for w in error.value.answer if w != "--classes"]
    assert read_cells(cells, HERE, parse_classes(words)).labels == {0, 1}


@pytest.mark.parametrize("word", ["Pnemonia", "positive", "COVID", "old pneumonia"])
def test_an_answer_for_the_rest_is_none_for_what_may_be_pneumonia(word: str) -> None:
    with pytest.raises(BadLabels):
        read_cells({"Normal": 1, "Pneumonia": 1, word: 1}, HERE, OTHER)


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        *(("pneumonia", c, 1) for c in ("1", "yes", "True", "positive", "1.0")),
        *(("has_pneumonia", c, 0) for c in ("0", "no", "False", "negative")),
        *(("No finding", "1", 0), ("NORMAL", "true", 0), ("is_healthy", "1", 0)),
        *(("no_pneumonia", "1", 0), ("Healthy", "yes", 0)),
    ],
)
def test_a_bare_word_is_read_by_the_name_of_its_column(name: str, cell: str, expected: int) -> None:
    assert code(cell, question=Question("x", about(name))) == expected


@pytest.mark.parametrize("name", ["No finding", "NORMAL", "is_healthy", "negative for pneumonia"])
def test_what_is_not_normal_is_asked_about_and_never_taken(name: str) -> None:
    with pytest.raises(BadLabels) as error:
        code("0", question=Question("x", about(name)))
    assert error.value.answer == ("--classes", "0=pneumonia")


def test_an_opacity_is_pneumonia_as_a_class_and_a_finding_in_a_list() -> None:
    assert code("Lung Opacity") == 1
    assert code("Lung Opacity", OTHER, Question("x", findings=True)) == IGNORED


@given(st.text(max_size=60))
def test_any_cell_is_read_or_asked_about(cell: str) -> None:
    try:
        found = read_cells({cell: 1}, HERE, {})
    except BadLabels as error:
        assert error.words and len(str(error)) < 2000
        return
    assert set(found.code.values()) <= {0, 1, UNSAID}


@given(st.lists(st.sampled_from(["pneumonia", "No Finding", "Mass", "Edema"]), min_size=1))
def test_all_spellings_of_a_list_mean_the_same(words: list[str]) -> None:
    spelt = [json.dumps(words), str(words), "|".join(words), "; ".join(words)]
    found = set()
    for cell in spelt:
        try:
            found.add(code(cell, OTHER))
        except BadLabels:
            found.add(-9)
    assert len(found) == 1
    if "pneumonia" in words and "No Finding" not in words:
        assert found == {1}


@given(st.text(max_size=40))
def test_taking_a_cell_apart_never_fails_and_loses_no_word(cell: str) -> None:
    parts = parts_of(cell)
    assert all(part.strip() == part and part in cell.replace("\\", "\\") for part in parts if part)


def test_columns_of_0_and_1_are_told_by_their_names() -> None:
    bits = ["0", "1"]
    flags = find_flags(
        {"Pneumonia": bits, "No Finding": bits, "Edema": ["0", "1", "-1", ""], "smoker": bits,
         "age": ["40", "1"]}
    )  # fmt: skip
    assert flags == Flags(("Pneumonia",), ("No Finding",), ("Edema",))
    frame = pd.DataFrame(
        {
            "Pneumonia": ["1", "0", "-1", "0", ""],
            "No Finding": ["0", "1", "", "0", ""],
            "Edema": ["1", "", "", "0", ""],
        },
        dtype="str",
    )
    assert joined(frame, flags).tolist() == [
        *("Pneumonia|Edema", "No Finding", "uncertain Pneumonia", "none of the columns", "")
    ]
    assert joined(frame, Flags(("Pneumonia",), (), ("Edema",))).tolist()[3] == "no finding"


def test_readers_are_a_majority_any_or_all() -> None:
    film = np.repeat(np.arange(4), 3)
    reader = np.tile(np.arange(3), 4)
    codes = np.array([1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
    for how, expected in (("majority", [1, 0, 1, 0]), ("any", [1, 1, 1, 0]), ("all", [0, 0, 1, 0])):
        label, note = vote(film, reader, codes, 4, how)  # type: ignore[arg-type]
        assert label.tolist() == expected and "disagree on 2 of 4" in note


def test_a_tie_of_readers_is_asked_about() -> None:
    film, reader, codes = np.array([0, 0]), np.array([0, 1]), np.array([0, 1])
    with pytest.raises(BadLabels) as error:
        vote(film, reader, codes, 1, "majority")
    assert error.value.answer == ("--readers", "strict")
    assert vote(film, reader, codes, 1, "strict")[0].tolist() == [TIED]
    assert vote(film, reader, codes, 1, "any")[0].tolist() == [1]
    assert vote(film, reader, codes, 1, "all")[0].tolist() == [0]


def test_what_is_offered_for_ties_changes_no_majority_and_what_would_is_counted() -> None:
    film = np.array([*np.repeat(np.arange(4), 3), 4, 4])
    reader = np.array([*np.tile(np.arange(3), 4), 0, 1])
    codes = np.array([0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1])
    with pytest.raises(BadLabels) as error:
        vote(film, reader, codes, 5, "majority")
    assert str(error.value.got) == "1 of 5 films; on 4 films readers disagree"
    counts = "--readers any.* 2 films that most .*--readers all.* 1 films that most"
    assert re.search(counts, " ".join(error.value.hints))
    label, note = vote(film, reader, codes, 5, "strict")
    assert label.tolist() == [0, 0, 1, 0, TIED] and "--readers strict" in note


def test_rows_of_one_reader_are_findings_of_one_film() -> None:
    film = np.array([0, 0, 1, 1, 2, 3])
    codes = np.array([1, IGNORED, 0, 1, UNSAID, IGNORED])
    assert settle(film, codes, 4).tolist() == [1, TWO_LABELS, UNSAID, IGNORED]


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        *(
            (name, "pneumonia")
            for name in ("abnormal", "unhealthy", "non_normal", "is_not_healthy")
        ),
        *((name, "pneumonia") for name in ("normal_vs_pneumonia", "label", "has_disease", "")),
        *((name, "normal") for name in ("label_negative", "Pneumonia ruled out", "no disease")),
        *((name, "normal") for name in ("pneumonia excluded", "not abnormal", "disease free")),
        ("label (0=normal, 1=pneumonia)", "pneumonia"),
        ("label (1 = normal; 0 = pneumonia)", "normal"),
    ],
)
@pytest.mark.parametrize("cells", [("1", "0"), ("yes", "no"), ("True", "False"), ("1.0", "0.0")])
def test_the_name_of_a_column_decides_what_is_offered_and_nothing_is_taken(
    name: str, offer: str, cells: tuple[str, str]
) -> None:
    with pytest.raises(BadLabels) as asked:
        read_cells(dict.fromkeys(cells, 5), Question("t", name=name), {})
    offers = {word: meaning for word, _, meaning in asked.value.words}
    assert offers[cells[0]] == offer != offers[cells[1]]
    said = parse_classes(asked.value.answer[1::2])
    assert read_cells(dict.fromkeys(cells, 5), HERE, said).code[cells[0]] == int(
        offer == "pneumonia"
    )


def test_minus_one_in_a_column_of_pneumonia_is_a_doubt() -> None:
    with pytest.raises(BadLabels) as asked:
        read_cells({"1": 5, "0": 5, "-1.0": 2}, Question("t", "pneumonia"), {})
    assert asked.value.answer == ("--classes", "uncertain=ignore")
    found = read_cells({"-1": 2}, Question("t", "pneumonia"), {"uncertain": "ignore"})
    assert found.code == {"-1": IGNORED}


@pytest.mark.parametrize(
    ("cells", "offers"),
    [
        # Beside normal films, those that deny one disease most often show another.
        (["Normal", "COVID-19", "Non-COVID"], ["COVID-19=pneumonia", "Non-COVID=pneumonia"]),
        (["Negative for Pneumonia", "Typical Appearance"], ["Typical Appearance=pneumonia"]),
        (["covid", "non covid"], ["covid=pneumonia", "non covid=normal"]),
        # A kind of pneumonia is never offered to be left out, a sign of one may be.
        (["Pneumonia|Mass", "No Finding", "COVID"], ["COVID=pneumonia"]),
        (["Pneumonia|Mass", "No Finding", "Infiltration"], ["Infiltration=ignore"]),
    ],
)
def test_what_is_offered_for_kinds_of_pneumonia(cells: list[str], offers: list[str]) -> None:
    with pytest.raises(BadLabels) as asked:
        read_cells(dict.fromkeys(cells, 5), HERE, {})
    assert sorted(asked.value.answer[1::2]) == sorted(offers)


def test_devices_may_be_seen_on_normal_films() -> None:
    assert code("No Finding|Support Devices") == 0
    assert code("Pneumonia|Support Devices") == 1
    with pytest.raises(BadLabels):
        code("Support Devices")


def test_a_measure_is_no_class_and_is_not_left_out() -> None:
    cells = {f"0.{i:02d}": 1 for i in range(1, 40)}
    with pytest.raises(BadLabels, match="a measure, not a class") as error:
        read_cells(cells, Question("t", "pneumonia"), {})
    assert error.value.answer == () and "threshold" in error.value.remedy


@pytest.mark.parametrize(
    ("cells", "asked"),
    [
        (("Heart failure, unspecified", "No finding", "Pneumonia"), {"Heart failure, unspecified"}),
        (("Bronchitis, acute", "Fracture, left", "Normal", "Pneumonia"),
         {"Bronchitis, acute", "Fracture, left"}),
        (("Effusion, Mass", "Normal", "Pneumonia"), {"Effusion", "Mass"}),
        (("foo, bar", "bar", "foo, baz", "baz", "Normal", "Pneumonia"), {"foo", "bar", "baz"}),
    ],
)  # fmt: skip
def test_a_diagnosis_with_a_comma_is_no_list(cells: tuple[str, ...], asked: set[str]) -> None:
    with pytest.raises(BadLabels) as error:
        read_cells(dict.fromkeys(cells, 2), Question("a table"), {})
    assert {word for word, _, _ in error.value.words} == asked
    said = dict.fromkeys(map(fold, asked), "ignore")
    code = read_cells(dict.fromkeys(cells, 2), Question("a table"), said).code
    assert (code["Pneumonia"], code[cells[0]]) == (1, 2)


@pytest.mark.parametrize(
    "word",
    [
        "J15.9 Unspecified bacterial pneumonia",
        "J18.2 Hypostatic pneumonia, unspecified organism",
        "J16.8 Pneumonia due to other specified infectious organisms",
        "J17 Pneumonia in diseases classified elsewhere",
        "J14 Pneumonia due to Hemophilus influenzae",
        "Unspecified bacterial pneumonia",
    ],
)
def test_kinds_of_pneumonia_are_never_offered_to_be_left_out(word: str) -> None:
    with pytest.raises(BadLabels) as error:
        read_cells({word: 3, "Normal": 3}, Question("a table"), {})
    assert error.value.words == ((word, 3, "pneumonia"),)
