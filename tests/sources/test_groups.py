"""Tables that name exams, studies or patients instead of films, and say what they show by codes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.dicom import save_dicom

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import answered
from pneumoscope.sources.detect import open_source
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells

EXAMS = [f"CR{2301000 + 7 * i}" for i in range(12)]
WORDS = ["Pneumonia", "Normal"] * 6


def opened(root: Path, request: DataRequest | None = None) -> Source:
    return open_source(request or DataRequest(str(root)), root, Silent())


def png(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((3, 5), value, dtype=np.uint8)).save(path, "PNG")


def table(file: Path, header: str, *columns: list[str]) -> None:
    rows = [",".join(row) for row in zip(*columns, strict=True)]
    file.write_text("\n".join([header, *rows]))


def labels(source: Source) -> Counter[int | None]:
    return Counter(record.label for record in source.records)


def by_film(source: Source) -> dict[str, int | None]:
    return {record.image_id: record.label for record in source.records}


@pytest.mark.parametrize(
    ("pattern", "header", "ids"),
    [
        ("{}/IM0001.png", "MRN,ACCESSION,finding", EXAMS),
        ("export/{}/SE1/a.png", "patient,exam,diagnosis", EXAMS),
        ("p{}/s1/x.png", "pid,study folder,label", [f"p{exam}".lower() for exam in EXAMS]),
    ],
)
def test_films_meet_the_row_of_their_folder(
    pattern: str, header: str, ids: list[str], tmp_path: Path
) -> None:
    for value, exam in enumerate(EXAMS):
        png(tmp_path / pattern.format(exam), value)
    png(tmp_path / pattern.format(EXAMS[0]).replace(".png", "2.png"), 99)  # a second film of one
    patients = [str(1000 + i // 2) for i in range(12)]
    table(tmp_path / "ris.csv", header, patients, ids, WORDS)
    source = opened(tmp_path)
    assert labels(source) == {1: 7, 0: 6}
    for film, label in by_film(source).items():
        at = next(i for i, exam in enumerate(EXAMS) if exam in film)
        assert label == (WORDS[at] == "Pneumonia")
    assert any("the folders that they lie in: 13 of 13" in note for note in source.notes)
    assert all(record.private for record in source.records)


def test_a_folder_that_is_there_twice_meets_no_row(tmp_path: Path) -> None:
    for value, exam in enumerate(EXAMS):
        png(tmp_path / "a" / exam / "i.png", value)
    png(tmp_path / "b" / EXAMS[0] / "i.png", 99)
    table(tmp_path / "ris.csv", "accession,label", EXAMS, WORDS)
    source = opened(tmp_path)
    assert labels(source) == {1: 5, 0: 6, None: 2}


def test_several_rows_of_an_exam_are_said(tmp_path: Path) -> None:
    for value, exam in enumerate(EXAMS):
        png(tmp_path / exam / "i.png", value)
    table(tmp_path / "ris.csv", "accession,label", [*EXAMS, EXAMS[0]], [*WORDS, "Normal"])
    source = opened(tmp_path)
    assert any("1 ids of the column 'accession' have several rows" in n for n in source.notes)
    reasons = [r for r in source.records if r.label is None]
    assert len(reasons) == 1  # pneumonia and normal


@pytest.mark.parametrize(
    ("attribute", "header"),
    [
        ("AccessionNumber", "AccessionNumber,report_label"),
        ("StudyInstanceUID", "StudyInstanceUID,report_label"),
        ("PatientID", "mrn,report_label"),
    ],
)
def test_films_meet_the_row_of_their_header(attribute: str, header: str, tmp_path: Path) -> None:
    ids = [f"1.2.840.{1000 + 3 * i}" for i in range(12)]
    for at, one in enumerate(ids):
        path = tmp_path / "dicom" / f"IM{at:04}.dcm"
        path.parent.mkdir(exist_ok=True)
        pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) + at
        save_dicom(path, pixels, **{"PatientID": f"p{at}", attribute: one})
    table(tmp_path / "labels.csv", header, ids[::-1], WORDS)
    found = by_film(opened(tmp_path))
    assert [found[f"dicom/IM{at:04}.dcm"] for at in range(12)] == [0, 1] * 6


def test_a_column_of_class_words_names_no_folders(tmp_path: Path) -> None:
    for value in range(12):
        png(tmp_path / f"{'AB'[value % 2]}/{value}.png", value)
    table(tmp_path / "notes.csv", "group,label", ["A", "B"] * 3, WORDS[:6])
    with pytest.raises(InputError, match="no column of the table names the films"):
        opened(tmp_path)


CODES = ["J18.9", "Z00.00", "I50.9", "Z87.01"] * 3
TEXTS = {
    "J18.9": "Pneumonia, unspecified organism",
    "Z00.00": "Encounter for general adult medical examination without abnormal findings",
    "I50.9": "Heart failure, unspecified",
    "Z87.01": "Personal history of pneumonia (recurrent)",
}


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("ACCESSION,ICD10_CODE,ICD10_DESC", [CODES, [f'"{TEXTS[code]}"' for code in CODES]]),
        ("ACCESSION,ICD10_CODE", [CODES]),
        ("ACCESSION,dx", [[f"{code} - {TEXTS[code].partition(',')[0]}" for code in CODES]]),
    ],
)  # fmt: skip
def test_codes_are_asked_about_and_the_answer_is_right(
    header: str, cells: list[list[str]], tmp_path: Path
) -> None:
    for value, exam in enumerate(EXAMS):
        png(tmp_path / exam / "i.png", value)
    table(tmp_path / "ris.csv", header, EXAMS, *cells)
    with pytest.raises(BadLabels) as error:
        opened(tmp_path)
    source = opened(tmp_path, answered(DataRequest(str(tmp_path)), error.value.answer))
    assert labels(source) == {1: 3, 0: 3}
    assert source.passed_over["films of a class that was said to be ignored"] == 6


@pytest.mark.parametrize(
    ("word", "offer"),
    [
        ("J18.9", "pneumonia"),
        ("J159", "pneumonia"),
        ("J13 Pneumonia due to Streptococcus pneumoniae", "pneumonia"),
        ("J18.1 lobar pneumonia, ruled out by film", "ignore"),
        ("Z87.01", "ignore"),
        ("Z87.01 pneumonia", "ignore"),
        ("J69.0 Pneumonitis due to inhalation of food", "ignore"),
        ("Z00.00", "normal"),
        ("Z00.01", "ignore"),
    ],
)
def test_what_is_offered_for_a_code(word: str, offer: str) -> None:
    with pytest.raises(BadLabels) as error:
        read_cells({"Normal": 3, "Pneumonia": 3, word: 1}, Question("x"), {})
    assert offer in {found for _, _, found in error.value.words}
    assert offer == "pneumonia" or "pneumonia" not in {o for _, _, o in error.value.words}


@pytest.mark.parametrize("what", ["ruled out by film", "excluded", "not seen"])
def test_a_pneumonia_that_is_taken_back_is_none(what: str) -> None:
    with pytest.raises(BadLabels):
        read_cells({"Normal": 3, "Pneumonia": 3, f"Pneumonia, {what}": 1}, Question("x"), {})


@pytest.mark.parametrize("word", ["J18.9", "Z00.00"])
def test_an_answer_for_all_others_is_none_for_codes_that_tell(word: str) -> None:
    with pytest.raises(BadLabels):
        read_cells({"Normal": 3, "Pneumonia": 3, word: 1}, Question("x"), {"other": "ignore"})
