"""Columns found by the user's word, by name and by content; facts that name nobody."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.records import DataRequest
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells
from pneumoscope.sources.tables.bounds import Table
from pneumoscope.sources.tables.columns import Columns, find_columns
from pneumoscope.sources.tables.facts import fact_columns, fact_name, is_view

FILMS = [f"f{i}.png" for i in range(10)]
ONES = ["0", "1"] * 5


def films(cells: list[str]) -> float:
    """The share of the cells that name a film: those that end in .png."""
    return sum(cell.endswith(".png") for cell in cells) / max(len(cells), 1)


def find(
    columns: dict[str, list[str]],
    said: dict[str, str] | None = None,
    classes: dict[str, str] | None = None,
    fits: Callable[[list[str]], float] = films,
    unread: tuple[str, ...] = (),
) -> Columns:
    table = Table(Path("t.csv"), pd.DataFrame(columns), "", unread)
    return find_columns(
        table, DataRequest("t.csv", columns=said or {}, classes=classes or {}), fits
    )


@pytest.mark.parametrize(
    "image",
    [
        *("path", "Path", "file_name", "File Name", "filename", "image_path", "IMAGE-PATH"),
        *("filepath", "image", "Image Index", "image_id", "id", "patientId", "dicom", "img"),
    ],
)
@pytest.mark.parametrize("label", ["label", "Target", "class", "Finding Labels", "pneumonia", "y"])
def test_common_names_are_known(image: str, label: str) -> None:
    found = find({"note": ["x"] * 10, label: ONES, image: FILMS})
    assert (found.image, found.label.name) == (image, label)


@pytest.mark.parametrize("name", ["patient", "PatientID", "patient_id", "Subject", "subject_id"])
def test_the_patient_column_is_found(name: str) -> None:
    assert find({"path": FILMS, "label": ONES, name: list("aabbccddee")}).patient == name


def test_without_patient_split_or_box_columns_there_are_none() -> None:
    found = find({"path": FILMS, "label": ONES})
    assert (found.patient, found.split, found.box, found.reader) == (None, None, None, None)


def test_of_two_image_columns_the_one_that_names_films_is_taken_and_said() -> None:
    both = {"image_id": [str(i) for i in range(10)], "file": FILMS, "label": ONES}
    assert find(both).image == "file"
    found = find(both | {"image_id": FILMS[:5] + ["-"] * 5})
    assert found.image == "file"
    assert "'image_id'" in found.notes[0]


def test_an_image_column_of_another_name_is_found_by_its_cells() -> None:
    found = find({"radiograph of the chest": FILMS, "label": ONES})
    assert found.image == "radiograph of the chest"
    assert "'radiograph of the chest'" in found.notes[0]


def test_cells_that_name_films_win_over_a_name_that_does_not() -> None:
    table = {"id": [str(i) for i in range(10)], "radiograph": FILMS, "label": ONES}
    assert find(table).image == "radiograph"
    assert find(table, fits=lambda cells: 0.0).image == "id"


def test_without_any_column_of_films_the_user_is_asked() -> None:
    with pytest.raises(InputError, match="add a column of their file names") as caught:
        find({"a": ["1"] * 10, "label": ONES}, fits=lambda cells: 0.0)
    assert caught.value.what == "no column of the table names the films"
    assert caught.value.answer == ()
    with pytest.raises(InputError, match="--column image=no") as caught:
        numbers = [str(i) for i in range(10)]
        find({"no": numbers, "label": ONES}, fits=lambda cells: float(cells[:1] == numbers[:1]) / 2)
    assert caught.value.answer == ("--column", "image=no")


def test_a_label_column_of_another_name_is_found_by_words_but_not_by_numbers() -> None:
    words = ["Normal", "PNEUMONIA"] * 5
    assert find({"path": FILMS, "outcome": words}).label.name == "outcome"
    with pytest.raises(BadLabels, match="'outcome': '0' × 5, '1' × 5") as asked:
        find({"path": FILMS, "outcome": ONES})
    assert asked.value.answer == ("--column", "label=outcome")
    with pytest.raises(BadLabels, match="'outcome': .*\n *'outcome2': "):
        find({"path": FILMS, "outcome": words, "outcome2": words[::-1]})


def test_two_label_columns_that_agree_are_said_and_that_differ_are_refused() -> None:
    words = ["normal", "pneumonia"] * 5
    found = find({"path": FILMS, "class": words, "target": words})
    assert found.label.name == "target"
    assert "'class'" in found.notes[0]
    with pytest.raises(BadLabels, match="'label' and 'class'.*(\n.*)*--column label=label"):
        find({"path": FILMS, "class": words[::-1], "label": words})
    with pytest.raises(BadLabels, match="'class' and 'pneumonia'"):
        find({"path": FILMS, "class": words[::-1], "pneumonia": ONES})
    said = find({"path": FILMS, "class": words[::-1], "label": words}, {"label": "class"})
    assert said.label.name == "class"


def test_bare_numbers_give_way_to_words() -> None:
    words = ["normal", "pneumonia"] * 5
    assert find({"path": FILMS, "label": ONES, "class": words}).label.name == "class"
    assert find({"path": FILMS, "label": ONES, "pneumonia": ONES}).label.name == "pneumonia"


def test_columns_of_findings_are_read_together_and_none_is_a_fact() -> None:
    table = {"path": FILMS, "Pneumonia": ONES, "No Finding": ONES[::-1], "Edema": ["0", "1"] * 5}
    found = find(table | {"smoker": ONES})
    assert set(found.label.cells) == {"No Finding", "Pneumonia|Edema"}
    assert found.facts == ("smoker",)
    words = ["normal", "pneumonia"] * 5
    assert find(table | {"label": words}).facts == ()


def test_a_column_of_normal_films_is_the_label_only_where_nothing_else_is() -> None:
    found = find({"path": FILMS, "is_healthy": ONES})
    assert (found.label.name, found.label.question.about) == ("is_healthy", "normal")
    words = ["Healthy", "Sick"] * 5
    assert find({"path": FILMS, "label": words, "is_healthy": ONES}).label.name == "label"


@pytest.mark.parametrize(
    "name",
    [
        *("deid_patient_id", "empi_anon", "participant_id", "MRN", "Patient Number", "PatientName"),
        *("uid", "StudyInstanceUID", "accession_number", "exam id"),
    ],
)
def test_columns_of_ids_that_repeat_are_those_of_patients(name: str) -> None:
    assert find({"path": FILMS, "pneumonia": ONES, name: list("aabbccddee")}).patient == name


def test_ids_of_single_films_are_no_patients_but_where_the_name_says_so() -> None:
    table = {"path": FILMS, "pneumonia": ONES}
    assert find(table | {"uid": list("abcdefghij")}).patient is None
    assert find(table | {"patient": list("abcdefghij")}).patient == "patient"


@pytest.mark.parametrize(
    "cells",
    [
        [f"K{i // 2:04d}" for i in range(10)],
        [f"{7700000 + i // 2}" for i in range(10)],
        [f"3f2a-{i // 2:04x}" for i in range(10)],
    ],
)
def test_a_column_that_looks_like_ids_and_repeats_is_asked_about(cells: list[str]) -> None:
    table = {"path": FILMS, "pneumonia": ONES, "who": cells}
    with pytest.raises(InputError, match="holds ids that repeat") as error:
        find(table)
    assert error.value.answer == ("--column", "patient=who")
    assert find(table, {"patient": "who"}).patient == "who"
    assert find(table, {"patient": "none"}).patient is None


def test_ages_sizes_and_visits_are_no_ids() -> None:
    table = {"path": FILMS, "pneumonia": ONES, "age": [str(40 + i // 2) for i in range(10)]}
    table |= {"width": [str(1000 + i // 2) for i in range(10)], "follow-up #": list("0012301234")}
    assert find(table).patient is None


def test_a_label_column_with_foreign_words_gives_way_to_one_that_can_be_read() -> None:
    found = find({"path": FILMS, "label": ["covid", "tb"] * 5, "pneumonia": ONES})
    assert found.label.name == "pneumonia"
    assert "'label'" in found.notes[0]


def test_the_users_classes_make_a_column_readable() -> None:
    table = {"path": FILMS, "diagnosis": ["opaque", "lucid"] * 5, "class": ["a", "b"] * 5}
    classes = {"opaque": "pneumonia", "lucid": "normal"}
    assert find(table, classes=classes).label.name == "diagnosis"


@pytest.mark.parametrize(
    ("said", "what", "more"),
    [
        ({"label": "Targt"}, "the table has no column 'Targt'", "nearest: 'Target'"),
        ({"image": "raw"}, "the column 'raw' holds neither text nor numbers", ""),
        ({"age": "Target"}, "a column was named for an unknown use", "nearest: 'image'"),
    ],
)
def test_a_named_column_that_is_not_there_is_refused(
    said: dict[str, str], what: str, more: str
) -> None:
    with pytest.raises(InputError) as caught:
        find({"path": FILMS, "Target": ONES}, said, unread=("raw",))
    assert caught.value.what == what
    assert more in str(caught.value)


def test_named_columns_win_over_names_and_content() -> None:
    table = {"path": FILMS, "other": FILMS[::-1], "label": ONES, "who": list("aabbccddee")}
    table |= {"part": ["train"] * 5 + ["test"] * 5, "truth": ONES[::-1]}
    said = {"image": "OTHER", "label": "truth", "patient": "who", "split": "part"}
    found = find(table, said)
    assert (found.image, found.label.name, found.patient, found.split) == (
        *("other", "truth", "who", "part"),
    )


def test_two_patient_columns_must_group_alike() -> None:
    table = {"path": FILMS, "label": ONES, "patient_id": list("aabbccddee")}
    assert find(table | {"subject": list("1122334455")}).patient == "patient_id"
    with pytest.raises(InputError, match="'patient_id' and 'subject'"):
        find(table | {"subject": list("1112334455")})


def test_a_split_column_of_a_vague_name_counts_only_when_it_holds_splits() -> None:
    table = {"path": FILMS, "label": ONES}
    assert find(table | {"set": ["A", "B"] * 5}).split is None
    assert find(table | {"fold": list("0123401234")}).split is None
    assert find(table | {"set": ["Train", "Test"] * 5}).split == "set"
    assert find(table | {"split": ["A", "B"] * 5}).split == "split"


def test_two_split_columns_that_differ_are_refused() -> None:
    table = {"path": FILMS, "label": ONES, "split": ["train", "test"] * 5}
    assert find(table | {"subset": ["TRAINING", "Testing"] * 5}).split == "split"
    with pytest.raises(InputError, match="'split' and 'subset'"):
        find(table | {"subset": ["test", "train"] * 5})


def test_box_columns_are_found_and_y_is_then_no_label() -> None:
    box = {name: ["1"] * 10 for name in ("x", "y", "width", "height")}
    found = find({"patientId": FILMS, **box, "Target": ONES})
    assert found.box == ("x", "y", "width", "height")
    assert found.label.name == "Target"
    assert find({"path": FILMS, "y": ONES}).box is None


def test_the_columns_of_rsna_are_found() -> None:
    box = {name: [""] * 10 for name in ("x", "y", "width", "height")}
    found = find({"patientId": FILMS, **box, "Target": ONES})
    assert (found.image, found.label.name, found.patient) == ("patientId", "Target", "patientId")
    assert found.box == tuple(box)
    assert found.label.question.about == "pneumonia"


def test_facts_are_numbers_and_few_words() -> None:
    frame = pd.DataFrame(
        {
            "Patient Age": [str(20 + i) for i in range(10)],
            "View Position": ["PA", "AP"] * 5,
            "score": ["0.5", "", "nan", *["1.25"] * 7],
            "remark": [f"free text {i}" for i in range(10)],
            "constant": ["x"] * 10,
        }
    )
    kept, left_out = fact_columns(frame, ())
    assert kept == ("Patient Age", "View Position", "score")
    assert left_out == ["remark", "constant"]


@pytest.mark.parametrize(
    "name",
    [
        *("name", "PatientName", "patientname", "patient_id", "StudyInstanceUID", "case_id"),
        *("birth_date", "DOB", "PatientBirthDate", "studydate", "Study Date", "Address", "ZIP"),
        *("phone", "e-mail", "accession", "AccessionNumber", "hospital", "Referring Physician"),
        *("Unnamed: 0", "comments", "report", "MRN", "subjectid", "acquisition_time"),
    ],
)
def test_columns_that_may_name_a_person_are_no_facts(name: str) -> None:
    assert fact_columns(pd.DataFrame({name: ["a", "b"] * 10}), ())[0] == ()
    assert fact_columns(pd.DataFrame({name: ["1", "2"] * 10}), ())[0] == ()


@pytest.mark.parametrize(
    "cells",
    [
        ["2019-03-01", "2020-04-02"] * 10,
        ["20190301", "20200402"] * 10,
        ["01.03.2019", "2/4/20"] * 10,
        [str(4000 + i) for i in range(30)],
        ["1234567", "2345678"] * 10,
        ["Anna", "Berta", "Clara", "Dora"] * 2,
        ["inf", "1"] * 10 + ["2"] * 80 + [str(i) for i in range(100)],
        ["x" * 50, "y"] * 10,
    ],
    ids=[
        "dates",
        "dicom-dates",
        "written-dates",
        "running-numbers",
        "long-numbers",
        "names",
        "infinite",
        "long",
    ],
)
def test_cells_that_may_name_a_person_are_no_facts(cells: list[str]) -> None:
    assert fact_columns(pd.DataFrame({"k": cells}), ())[0] == ()


def test_a_second_label_column_is_no_fact() -> None:
    found = find({"path": FILMS, "label": ONES, "class": ["normal", "pneumonia"] * 5})
    assert found.facts == ()


@pytest.mark.parametrize(
    ("column", "fact"),
    [
        ("Patient Age", "age"),
        ("viewPosition", "view"),
        ("Patient Gender", "sex"),
        ("A-B c", "a_b_c"),
    ],
)
def test_names_of_facts(column: str, fact: str) -> None:
    assert fact_name(column) == fact


@pytest.mark.parametrize(
    "name",
    [
        *("abnormal", "unhealthy", "normal_vs_pneumonia", "Normal/Pneumonia", "label_negative"),
        *("label (0=normal, 1=pneumonia)", "pneumonia_prob", "Pneumonia ruled out"),
    ],
)
@pytest.mark.parametrize("cells", [["0", "1"] * 5, ["Y", "N"] * 5, ["True", "False"] * 5])
def test_a_column_that_speaks_of_films_is_asked_about(name: str, cells: list[str]) -> None:
    found = find({"path": FILMS, name: cells})
    assert (found.label.name, found.label.question.about) == (name, "")


@pytest.mark.parametrize("name", ["Pneumothorax", "smoker", "male", "AP", "Patient no"])
def test_a_column_that_speaks_of_something_else_is_no_label(name: str) -> None:
    with pytest.raises(BadLabels, match="no column of the table holds labels"):
        find({"path": FILMS, name: ONES})


def test_a_study_may_be_named_by_its_film() -> None:
    found = find({"study_id": FILMS, "findings": ["normal", "pneumonia"] * 5})
    assert (found.image, found.label.name, found.patient) == ("study_id", "findings", None)


@pytest.mark.parametrize("name", ["Subj", "pat", "PT", "id_paciente", "Patientennummer"])
def test_more_names_of_patients_are_known(name: str) -> None:
    assert find({"path": FILMS, "label": ONES, name: list("aabbccddee")}).patient == name


def test_of_studies_and_their_patients_the_patients_are_asked_for() -> None:
    """A column of studies alone would let a patient lie in two splits."""
    films_, labels = [f"f{i}.png" for i in range(24)], ["normal", "pneumonia"] * 12
    studies = [f"1.2.840.{i // 2}" for i in range(24)]
    table = {"path": films_, "label": labels, "StudyInstanceUID": studies}
    assert find(table).patient == "StudyInstanceUID"
    pseudonyms = [f"anon{i // 4:04d}" for i in range(24)]
    with pytest.raises(InputError) as asked:
        find({**table, "pseudonym": pseudonyms})
    assert asked.value.answer == ("--column", "patient=pseudonym")
    assert find({**table, "HospitalNo": pseudonyms}).patient == "HospitalNo"


def test_numbers_of_a_table_without_names_may_be_patients() -> None:
    frame = pd.DataFrame(
        {
            "column 1": [str(100 + i // 2) for i in range(24)],
            "column 2": [f"f{i}.png" for i in range(24)],
            "column 3": ["normal", "pneumonia"] * 12,
        }
    )
    table = Table(Path("t.txt"), frame, "", headless=True)
    with pytest.raises(InputError) as asked:
        find_columns(table, DataRequest("t.txt"), films)
    assert asked.value.answer == ("--column", "patient=column 1")
    assert "--column patient=none" in asked.value.remedy
    named = Table(Path("t.txt"), frame.rename(columns={"column 1": "weight"}), "")
    assert find_columns(named, DataRequest("t.txt"), films).patient is None


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("AP/PA", ["AP", "PA"]),
        ("taken", ["Frontal", "Lateral"]),
        ("projection_type", ["AP_horizontal", "PA", "L"]),
        ("how", ["PA", "AP Supine", ""]),
    ],
)
def test_columns_of_views_are_told_by_their_cells_and_are_no_labels(
    name: str, cells: list[str]
) -> None:
    count = 12
    table = {
        "path": [f"{i}.png" for i in range(count)],
        name: [cells[i % len(cells)] for i in range(count)],
        "outcome": [("normal", "pneumonia")[i % 2] for i in range(count)],
    }
    found = find(table)
    assert found.label.name == "outcome"
    assert found.patient is None
    assert found.facts == (name,)
    assert is_view(pd.Series(table[name], dtype="str"))


@pytest.mark.parametrize("cells", [["L", "R"], ["normal", "AP"], ["left", "right"]])
def test_a_side_of_the_body_is_no_view(cells: list[str]) -> None:
    assert not is_view(pd.Series(cells * 5, dtype="str"))


@pytest.mark.parametrize("name", ["scanner_id", "doctor code", "WardNumber", "serial_no"])
def test_ids_of_places_machines_and_staff_are_not_asked_about_as_patients(name: str) -> None:
    count = 24
    table = {
        "path": [f"{i}.png" for i in range(count)],
        name: [f"X{i % 8}901" for i in range(count)],
        "label": [("normal", "pneumonia")[i % 2] for i in range(count)],
    }
    assert find(table).patient is None


def test_a_0_of_pneumonia_is_said_to_be_no_normal_film_where_others_show_findings() -> None:
    columns = {"path": FILMS, "Pneumonia": ONES, "Edema": ["1", "0"] * 5, "Normal": ["0", "1"] * 5}
    notes = find(columns, {"label": "Pneumonia"}).label.notes
    assert len(notes) == 1 and notes[0].startswith(
        "A 0 in 'Pneumonia' says no pneumonia, not normal"
    )
    assert find({"path": FILMS, "Pneumonia": ONES}, {"label": "Pneumonia"}).label.notes == ()


def test_rows_that_no_column_marks_are_counted() -> None:
    pneumonia, effusion = ["1"] * 4 + ["0"] * 6, ["0"] * 4 + ["1"] * 2 + ["0"] * 4
    found = find({"image": FILMS, "Pneumonia": pneumonia, "Effusion": effusion})
    assert any("4 rows marked in none of them count as 'no finding'" in n for n in found.notes)


def test_a_finding_that_is_not_named_makes_no_film_normal() -> None:
    said = {"image": FILMS, "Abnormal": ["YES"] * 8 + ["NO"] * 2}
    marks = {"Pneumonia": 4, "Effusion": 5, "Other": 6}  # up to which film, from the one before
    starts = dict(zip(marks, (0, 4, 5), strict=True))
    said |= {
        name: ["YES" if starts[name] <= i < end else "NO" for i in range(len(FILMS))]
        for name, end in marks.items()
    }
    cells = find(said).label.cells.tolist()
    assert cells[:6] == ["Pneumonia"] * 4 + ["Effusion", "Other"]
    assert cells[6:] == ["unnamed finding"] * 2 + ["no finding"] * 2
    with pytest.raises(BadLabels, match="unnamed finding"):
        read_cells({"Pneumonia": 4, "unnamed finding": 2, "no finding": 2}, Question("here"), {})
    lone = {"image": FILMS, "Pneumonia": ONES, "Abnormal": ["1"] * 10}
    assert set(find(lone).label.cells) == {"Pneumonia", "unnamed finding"}
