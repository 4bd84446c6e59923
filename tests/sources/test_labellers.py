"""Columns of 0 and 1 by several readers or programs, and in other words than 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.opening import asked, opened

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import answered
from pneumoscope.sources.meaning.labellers import labellers

SICK = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
WELL = [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]
HEART = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
OTHERS = [1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
"""Of another labeller, who differs in 6 of 12 films."""


def table(root: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    names = [f"rx{i:03}.png" for i in range(12)]
    (root / "films").mkdir()
    for at, name in enumerate(names):
        Image.fromarray(np.full((3, 5), at, dtype=np.uint8)).save(root / "films" / name)
    rows = [",".join(("film", *columns))]
    rows += [",".join(map(str, row)) for row in zip(names, *columns.values(), strict=True)]
    (root / "sheet.csv").write_text("\n".join(rows), "utf-8")
    return root


def labels(source: Source) -> dict[int, int | None]:
    return {int(r.image_id.rpartition("rx")[2][:3]): r.label for r in source.records}


def followed(root: Path, error: InputError) -> dict[int, int | None]:
    return labels(opened(root, answered(DataRequest(str(root)), error.answer)))


def truth(sick: Sequence[int], well: Sequence[int]) -> dict[int, int | None]:
    return {i: s for i, (s, w) in enumerate(zip(sick, well, strict=True)) if s or w}


SOURCES = {
    "EGD-CXR": ("{}", "{}__chx", "CHF"),
    "in front": ("{}", "nb_{}", "Heart failure"),
    "a reader": ("{}", "{} (reader 2)", "Other"),
}


@pytest.mark.parametrize("form", SOURCES)
def test_columns_named_for_findings_alone_go_before_those_of_a_labeller(
    form: str, tmp_path: Path
) -> None:
    mine, theirs, third = SOURCES[form]
    columns = {
        mine.format("Normal"): WELL,
        third: HEART,
        mine.format("Pneumonia"): SICK,
        "consolidation": OTHERS,
        theirs.format("no_finding"): OTHERS[::-1],
        theirs.format("pneumonia"): OTHERS,
    }
    error = asked(table(tmp_path, columns))
    assert isinstance(error, BadLabels)
    assert error.words == ((third, 3, "ignore"),)
    assert followed(tmp_path, error) == truth(SICK, WELL)
    source = opened(tmp_path, answered(DataRequest(str(tmp_path)), error.answer))
    assert any("Not read" in note and "pneumonia" in note for note in source.notes)
    facts = {fact for record in source.records for fact in record.facts}
    assert not {fact for fact in facts if "pneumonia" in fact or "finding" in fact}


ASKED = {
    "behind": (("{}_chexpert", "{}_negbio"), "*_chexpert"),
    "in front": (("cx_{}", "nb_{}"), "cx_*"),
    "in brackets": (("{} [radiologist 1]", "{} [radiologist 2]"), "*[radiologist 1]"),
}


@pytest.mark.parametrize("form", ASKED)
def test_labellers_of_whom_none_is_plain_are_asked_about_and_never_mixed(
    form: str, tmp_path: Path
) -> None:
    (one, two), pattern = ASKED[form]
    columns = {
        one.format("Pneumonia"): SICK,
        one.format("No Finding"): WELL,
        one.format("Edema"): HEART,
        two.format("Pneumonia"): OTHERS,
        two.format("No Finding"): WELL,
    }
    error = asked(table(tmp_path, columns))
    assert "several readers or programs" in str(error)
    assert "(4 pneumonia, 5 normal)" in str(error) and error.answer[0] == "--column"
    assert pattern.strip("*") in error.answer[1]
    assert followed(tmp_path, error) == truth(SICK, WELL)


@pytest.mark.parametrize(
    "names", ["pneumonia_reader{}", "rad{}: pneumonia", "Pneumonia (expert {})"]
)
def test_one_column_of_each_reader_is_asked_about(names: str, tmp_path: Path) -> None:
    columns = {names.format(1): SICK, names.format(2): OTHERS}
    error = asked(table(tmp_path, columns))
    assert error.answer[:2] == ("--column", f"label={names.format(1)}")
    assert "(4 pneumonia, 8 normal)" in str(error)
    assert followed(tmp_path, error) == dict(enumerate(SICK))


@pytest.mark.parametrize("final", ["pneumonia_final", "pneumonia (consensus)", "Pneumonia"])
def test_of_readers_what_they_agreed_on_is_offered(final: str, tmp_path: Path) -> None:
    root = table(tmp_path, {"pneumonia_rad1": OTHERS, "pneumonia_rad2": HEART, final: SICK})
    error = asked(root)
    assert error.answer == ("--column", f"label={final}")
    assert followed(root, error) == dict(enumerate(SICK))


def test_names_that_say_more_of_a_pneumonia_are_of_no_labeller() -> None:
    near = ("Brocho-pneumonia", "Bronko-pneumonia", "pneumonia_suspected", "history_pneumonia")
    for other in near:
        (one,) = labellers(["Pneumonia", "No finding", other])
        assert one.flags.pneumonia[:1] == ("Pneumonia",) and other in one.flags.names
    (one,) = labellers(["Pneumonia", "history_pneumonia", "history_asthma", "Edema"])
    assert one.flags.pneumonia == ("Pneumonia",)
    (one,) = labellers(["prior pneumonia", "prior edema", "suspected pneumonia", "suspected edema"])
    assert not one.flags.pneumonia


WORDS = {
    "REDCap": ("Checked", "Unchecked", "Findings (choice={})"),
    "of a kind": ("Yes", "No", "Dx: {}"),
    "German": ("ja", "nein", "{}"),
    "French": ("oui", "non", "{}?"),
    "Spanish": ("Sí", "No", "has_{}"),
    "signs": ("+", "-", "finding___{}"),
    "crosses": ("x", "", "Film shows {}"),
    "presence": ("present", "absent", "{}"),
    "truth": ("True", "False", "is_{}"),
}


@pytest.mark.parametrize("form", WORDS)
def test_two_words_for_yes_and_no_are_read_as_0_and_1(form: str, tmp_path: Path) -> None:
    yes, no, name = WORDS[form]
    both = [*SICK[:4], 1, *SICK[5:]]
    cells = {"Normal": WELL, "Pneumonia": both, "Pleural effusion": HEART[:-1] + [0]}
    columns = {name.format(n): [yes if v else no for v in c] for n, c in cells.items()}
    error = asked(table(tmp_path, columns))
    assert isinstance(error, BadLabels)
    said = {word: (films, offer) for word, films, offer in error.words}
    assert said["none of the columns"] == (1, "ignore")
    assert (1, "ignore") in [v for word, v in said.items() if "|" in word]
    found = followed(tmp_path, error)
    assert found == {i: v for i, v in truth(SICK, WELL).items() if i != 4}


def test_a_column_of_pneumonia_alone_may_say_no_in_other_words(tmp_path: Path) -> None:
    root = table(tmp_path, {"Pneumonia?": ["Checked" if v else "Unchecked" for v in SICK]})
    assert labels(opened(root)) == dict(enumerate(SICK))


def test_1_and_2_are_no_yes_and_no(tmp_path: Path) -> None:
    columns = {"Normal": [2 - v for v in WELL], "Pneumonia": [2 - v for v in SICK]}
    error = asked(table(tmp_path, columns))
    assert isinstance(error, BadLabels)


def test_several_columns_can_be_named(tmp_path: Path) -> None:
    root = table(tmp_path, {"Normal": WELL, "CHF": HEART, "Pneumonia": SICK, "Edema": OTHERS})
    said = {"chf": "ignore"}
    found = opened(
        root, DataRequest(str(root), classes=said, columns={"label": "Normal,Pneumonia,CHF"})
    )
    assert labels(found) == truth(SICK, WELL)
    with pytest.raises(InputError, match="no column 'Normale'"):
        opened(root, DataRequest(str(root), columns={"label": "Normale,Pneumonia"}))


@pytest.mark.parametrize("rest", [",,", "Unchecked,Unchecked,Unchecked", "nan,NA,null"])
def test_rows_of_patients_without_a_film_cost_no_film(rest: str, tmp_path: Path) -> None:
    cells = {"Normal": WELL, "Pneumonia": SICK, "Other": HEART}
    columns = {
        f"Findings (choice={name})": ["Checked" if v else "Unchecked" for v in column]
        for name, column in cells.items()
    }
    root = table(tmp_path, columns)
    with (root / "sheet.csv").open("a") as file:
        file.write(f"\n,{rest}" * 9)
    for data in (root, root / "sheet.csv"):
        found = opened(root, DataRequest(str(data), classes={"other": "ignore"}))
        assert labels(found) == truth(SICK, WELL) and found.count == 9
        assert any(note.startswith("9 rows of the table name no film") for note in found.notes)


@pytest.mark.parametrize("base", ["findings", "cxr_result", "diagnosis"])
def test_boxes_of_choices_are_named_by_the_data_dictionary(base: str, tmp_path: Path) -> None:
    columns = {f"{base}___{number}": cells for number, cells in ((1, WELL), (2, SICK), (9, HEART))}
    root = table(tmp_path, columns)
    head = '"Variable / Field Name","Field Type","Choices, Calculations, OR Slider Labels"'
    choices = f'"{base}","checkbox","1, Normal | 2, Pneumonia | 9, Other"'
    (root / "Study_DataDictionary.csv").write_text(
        f'{head}\n"sex","radio","1, M | 2, F"\n{choices}'
    )
    found = opened(root, DataRequest(str(root), classes={"other": "ignore"}))
    assert labels(found) == truth(SICK, WELL)
    assert any("data dictionary" in note for note in found.notes)
