"""What the service answers of films: what ``predict`` writes, and a reason for what is no film."""

import base64
import json
import logging
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.helpers.bad_films import (
    Cases,
    bad_dicom,
    bombs,
    cut_or_lying,
    foreign,
    modes,
    odd_dicom,
)
from tests.helpers.dicom import dataset, file_of
from tests.helpers.images import encode, film
from tests.helpers.serving import MODEL, Running

from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.inference.classifier import Classifier
from pneumoscope.inference.output import json_rows
from pneumoscope.serve.border.guard import PATHS
from pneumoscope.serve.built_in import DRAWN, built_in_pixels

SLOW = pytest.mark.slow
MARK = "ZQXMARK"
"""Stands in every identifying element of a film."""


def parts(*films: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """A form with the films, whose names tell of a patient."""
    return [(f"{MARK}-part", (f"{MARK} {number}.dcm", data)) for number, data in enumerate(films)]


def predicted(folder: Path, *films: bytes, point: str | None = None) -> list[dict[str, object]]:
    """The rows of ``predict --json``, without names."""
    files = [folder / f"{number}.film" for number in range(len(films))]
    for file, data in zip(files, films, strict=True):
        file.write_bytes(data)
    with json_rows(str(folder / "out.json")) as add:
        for reading in Classifier(MODEL).read(files, point=point):
            add(reading)
    rows = json.loads((folder / "out.json").read_text("utf-8"))
    return [{name: value for name, value in row.items() if name != "name"} for row in rows]


def test_a_film_is_answered_as_predict_answers_it(up: Running, tmp_path: Path) -> None:
    chests = [encode(film(i), "JPEG") for i in range(3)]
    odd = [encode(255 - film(1)), encode(np.full((50, 50), 7, np.uint8))]
    films = [*chests, *odd, b"\xff\xd8\xff"]
    for point in (None, "sensitivity"):
        asked = {"point": point} if point else {}
        answer = up.client.post("/v1/read", params=asked, files=parts(*films))
        assert answer.status_code == 200
        rows = answer.json()["films"]
        assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6]
        for row, wanted in zip(rows, predicted(tmp_path, *films, point=point), strict=True):
            for name in ("probability", "logit"):
                expected = wanted.pop(name)
                assert row[name] == (expected and pytest.approx(expected, abs=1e-9))
            assert {name: row[name] for name in wanted} == wanted
        (tmp_path / "out.json").unlink()
    assert [row["outcome"] for row in rows][-3:] == ["withheld", "withheld", "not read"]
    assert [each["code"] for each in rows[3]["remarks"]] == rows[3]["findings"]
    assert any(each["withholds"] for each in rows[3]["remarks"])
    alone = up.client.post("/v1/read", content=films[0], params={"point": "sensitivity"})
    assert alone.json()["films"][0] == rows[0]
    assert alone.json()["request"] == alone.headers["x-request-id"]


def test_pictures_are_there_where_they_are_asked_for(up: Running) -> None:
    asked = {"heatmap": "png", "film": "png"}
    answer = up.client.post("/v1/read", params=asked, content=encode(film(0)))
    (row,) = answer.json()["films"]
    assert base64.b64decode(row["heatmap"]) == b"heat of 40"
    assert base64.b64decode(row["film"]).startswith(b"\x89PNG")
    wrong = up.client.post("/v1/read", params={"heatmap": "jpeg"}, content=encode(film(0)))
    assert wrong.status_code == 422 and "heatmap" in wrong.json()["what"]


@pytest.mark.parametrize(
    "makers",
    [(foreign, cut_or_lying), pytest.param((modes, odd_dicom, bad_dicom, bombs), marks=SLOW)],
)
def test_every_bad_film_has_its_reason_and_none_is_the_fault_of_the_service(
    up: Running, makers: Sequence[Callable[[], Cases]]
) -> None:
    cases = {name: case for make in makers for name, case in make().items()}
    named = list(cases.values())
    assert len(named) > 30
    for start in range(0, len(named), 16):
        piece = named[start : start + 16]
        answer = up.client.post("/v1/read", files=parts(*(data for data, _ in piece)))
        assert answer.status_code in (200, 422)
        for row, (_, wanted) in zip(answer.json()["films"], piece, strict=True):
            assert row["error"] == (wanted if isinstance(wanted, str) else None)
    assert up.client.get("/readyz").json() == {"status": "ready"}


def test_one_film_that_cannot_be_read_is_a_problem(up: Running) -> None:
    data, reason = cut_or_lying()["cut.jpg"]
    alone = up.client.post("/v1/read", content=data)
    assert alone.status_code == 422
    assert alone.headers["content-type"] == "application/problem+json"
    assert alone.json()["what"] == f"the film cannot be read: {reason}"
    empty = up.client.post("/v1/read", content=b"")
    assert empty.status_code == 422 and "the file is empty" in empty.json()["what"]


def test_the_built_in_film_is_the_one_that_is_drawn() -> None:
    seed, index, label, size = DRAWN
    drawn = draw_phantom(seed, index, label=label, size=size).image
    assert np.array_equal(built_in_pixels(), drawn)


def marked() -> Dataset:
    """A film with the mark in each element that may tell who somebody is (PS3.15, E.1)."""
    ds = dataset(film(0))
    for name in (
        "PatientName", "PatientID", "OtherPatientNames", "PatientAddress", "PatientComments",
        "InstitutionName", "InstitutionAddress", "ReferringPhysicianName", "OperatorsName",
        "PhysiciansOfRecord", "AccessionNumber", "StudyID", "StudyDescription",
        "SeriesDescription", "ProtocolName", "StationName", "PatientMotherBirthName",
        "MilitaryRank", "EthnicGroup", "Occupation", "AdditionalPatientHistory", "ImageComments",
        "RequestingPhysician", "PerformingPhysicianName", "DeviceSerialNumber", "IssuerOfPatientID",
    ):  # fmt: skip
        setattr(ds, name, MARK)
    ds.add_new(0x00091001, "LO", MARK)
    return ds


def test_nothing_of_a_film_but_its_reading_is_kept_or_said(
    up: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Where nothing can be kept, who tries to fails.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    caplog.set_level(logging.DEBUG)
    whole = file_of(marked())
    assert whole.count(MARK.encode()) > 25
    large = whole + bytes(3 << 20)  # more than the framework's forms hold in memory
    cut = whole[:-400]
    answers = [
        up.client.post("/v1/read", files=parts(*films)) for films in ((whole, large), (cut,))
    ]
    answers += [
        up.client.post("/v1/read", content=whole, headers={"Content-Disposition": MARK}),
        up.client.post("/v1/read", content=cut, headers={"Content-Type": f"text/{MARK}"}),
        up.client.get(f"/{MARK}.dcm", params={"name": MARK}),
        up.client.get("/metrics"),
    ]
    assert [each.status_code for each in answers] == [200, 422, 200, 415, 404, 200]
    said = "".join(each.text + str(each.headers) for each in answers)
    # A type that is refused is quoted to who sent it, and to nobody else.
    assert said.count(MARK) - answers[3].text.count(MARK) == 0
    ours = [each.getMessage() for each in caplog.records if not each.name.startswith("http")]
    assert any("DICOM" in each for each in ours) and not any(MARK in each for each in ours)


def test_the_document_shows_what_is_answered(up: Running) -> None:
    text = (Path(__file__).parents[2] / "docs/serve.md").read_text("utf-8")
    shown = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    one = encode(film(0))
    asked = {
        "films": up.client.post("/v1/read", content=one),
        "kind": up.client.get("/v1/model"),
        "what": up.client.post("/v1/read", content=b"film"),
    }
    for name, answer in asked.items():
        (example,) = (each for each in shown if name in each)
        assert list(example) == [key for key in answer.json() if (name, key) != ("what", "films")]
    (example,) = (each for each in shown if "films" in each)
    assert list(example["films"][0]) == list(asked["films"].json()["films"][0])
    described = up.client.get("/openapi.json").json()["paths"]
    assert set(described) == PATHS - {"/", "/openapi.json"}
    assert {"401", "413", "422", "503"} <= set(described["/v1/read"]["post"]["responses"])
    for path in PATHS:
        assert f" {path}`" in text
