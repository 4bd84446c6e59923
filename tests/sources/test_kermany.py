"""The Kermany set: patients and subtypes from its names, and its download without a network."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import DataNotFound
from pneumoscope.imaging import read
from pneumoscope.records import DataRequest
from pneumoscope.sources import kermany
from pneumoscope.sources.folder import folder_source
from pneumoscope.sources.kermany import (
    HANDLE,
    KAGGLE_NOTE,
    MENDELEY_NOTE,
    NamedFilm,
    fetch_kermany,
    parse_name,
    recognise,
)

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "chest_xray"


@pytest.mark.parametrize(
    ("name", "patient", "subtype"),
    [
        ("person123_bacteria_456.jpeg", "person123", "bacterial"),
        ("person1_virus_6.jpeg", "person1", "viral"),
        ("person10_virus_11_2.JPG", "person10", "viral"),
        ("IM-0115-0001.jpeg", "IM-0115", "none"),
        ("IM-0115-0001-0002.jpeg", "IM-0115", "none"),
        ("NORMAL2-IM-1427-0001.jpeg", "NORMAL2-IM-1427", "none"),
        ("BACTERIA-1234567-0001.jpeg", "1234567", "bacterial"),
        ("VIRUS-1234567-0002.png", "1234567", "viral"),
        ("NORMAL-9-0001.jpeg", "9", "none"),
        ("person1_virus_6_jpeg.rf.0a1b2c3d4e5f.jpg", "person1", "viral"),
        ("NORMAL2-IM-1427-0001_jpeg.rf.ffff.jpg", "NORMAL2-IM-1427", "none"),
    ],
)
def test_a_name_tells_patient_and_subtype(name: str, patient: str, subtype: str) -> None:
    assert parse_name(name) == NamedFilm(patient, subtype)
    assert NamedFilm(patient, subtype).label == int(subtype != "none")


@pytest.mark.parametrize(
    "name",
    [
        *("person_bacteria_4.jpeg", "person1_fungus_4.jpeg", "person1_virus.jpeg", "IM-0115.jpeg"),
        *("person1_virus_6", "person1_virus_6.dcm", "xperson1_virus_6.jpeg", "IM-0115-0001.dcm"),
        *("NORMAL3-IM-1-1.jpeg", "person1_virus_6.jpeg.txt", "NORMAL-1.jpeg", "", "a.jpeg"),
        *("person1_virus_6.jpeg\n", "person¹_virus_6.jpeg", "person1_virus_6\n.jpeg"),
    ],
)
def test_other_names_tell_nothing(name: str) -> None:
    assert parse_name(name) is None


@given(st.text() | st.from_regex(r"(person1_virus|IM-|NORMAL-)[0-9_\-]{0,9}\.jpe?g"))
def test_no_name_breaks_the_parser(name: str) -> None:
    film = parse_name(name)
    assert film is None or (film.patient_id in name and film.subtype in kermany._SUBTYPE.values())


def pairs(sick: int, well: int, foreign: int) -> list[tuple[str, int]]:
    films = [(f"person{i}_virus_{i}.jpeg", 1) for i in range(sick)]
    films += [(f"IM-{i:04d}-0001.jpeg", 0) for i in range(well)]
    return films + [(f"other{i}.jpeg", 0) for i in range(foreign)]


def test_nine_names_in_ten_are_enough() -> None:
    assert recognise(pairs(5, 4, 1)) == KAGGLE_NOTE
    assert recognise(pairs(50, 39, 11)) is None
    assert recognise([]) is None


def test_names_of_a_viewer_are_not_taken_for_the_set() -> None:
    assert recognise(pairs(0, 50, 0)) is None


def test_names_against_the_labels_are_not_the_set() -> None:
    assert recognise([(name, 1 - label) for name, label in pairs(10, 10, 0)]) is None


def test_the_originals_of_mendeley_are_told_apart() -> None:
    films = [("BACTERIA-1234567-0001.jpeg", 1), ("NORMAL-28501-0001.jpeg", 0)]
    assert recognise(films) == MENDELEY_NOTE


def made(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def test_a_folder_of_the_set_has_patients_and_subtypes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "native_size", lambda file: (9, 9), raising=False)
    paths = [f"train/PNEUMONIA/person{i}_bacteria_{i}.jpeg" for i in range(8)]
    paths += [f"test/NORMAL/IM-{i:04d}-0001.jpeg" for i in range(10)]
    paths += [f"test/NORMAL/NORMAL2-IM-{i}-0001.jpeg" for i in range(10)]
    # One foreign name, and two that contradict their folder: the folder has the say.
    odd = ("train/NORMAL/person3_virus_9.jpeg", "train/PNEUMONIA/IM-0007-0002.jpeg")
    made(tmp_path, *paths, "train/NORMAL/film.jpeg", *odd)
    source = folder_source(DataRequest(str(tmp_path)))
    assert (source.name, source.form, source.notes) == ("kermany", "folder", (KAGGLE_NOTE,))
    found = {r.image_id.split("/")[2]: r for r in source.records}
    films = [found[n] for n in ("person3_bacteria_3.jpeg", "IM-0003-0001.jpeg", "film.jpeg")]
    assert [(r.patient_id, r.facts["subtype"]) for r in films] == [
        ("person3", "bacterial"),
        ("IM-0003", "none"),
        (None, "none"),
    ]
    films = [found[path.split("/")[2]] for path in odd]
    assert [(r.patient_id, r.label, r.facts.get("subtype")) for r in films] == [
        ("person3", 0, "none"),
        ("IM-0007", 1, None),
    ]


def test_another_folder_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "native_size", lambda file: (9, 9), raising=False)
    made(tmp_path, "NORMAL/IM-0001-0001.jpeg", "PNEUMONIA/IM-0001-0002.jpeg")
    source = folder_source(DataRequest(str(tmp_path)))
    assert source.name == tmp_path.name
    assert [r.patient_id for r in source.records] == [None, None]


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/chest_xray beside the checkout")
def test_the_real_set_has_the_counts_that_were_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "native_size", lambda file: (224, 224), raising=False)
    source = folder_source(DataRequest(str(REAL)))
    assert (source.count, source.name, source.notes) == (5856, "kermany", (KAGGLE_NOTE,))
    assert source.why == "folders train, val and test with NORMAL and PNEUMONIA"
    records = list(source.records)
    assert Counter((r.split, r.label) for r in records) == {
        **{("train", 0): 1341, ("train", 1): 3875, ("val", 0): 8, ("val", 1): 8},
        **{("test", 0): 234, ("test", 1): 390},
    }
    patients = {s: {r.patient_id for r in records if r.split == s} for s in ("train", "test")}
    assert len(patients["train"] | patients["test"]) == 3103
    assert len(patients["train"] & patients["test"]) == 170
    assert all(r.patient_id for r in records)
    subtypes = Counter(r.facts["subtype"] for r in records)
    assert subtypes == {"none": 1583, "bacterial": 2780, "viral": 1493}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    return tmp_path / "datasets" / HANDLE


def install(monkeypatch: pytest.MonkeyPatch, download: Callable[[str], str]) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=download))


def test_the_download_is_silent_and_gives_the_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []
    logger = logging.getLogger("kagglehub")
    level = logger.level
    handler = logging.StreamHandler(sys.stdout)  # as kagglehub sets it up when it is imported
    logger.addHandler(handler)

    def download(handle: str) -> str:
        asked.append(handle)
        sys.stdout.write("Warning: Looks like you're using an outdated version")
        sys.stderr.write("100%|#####|")
        logging.getLogger("kagglehub.clients").error("Downloading")
        cache.mkdir(parents=True)
        return str(cache)

    install(monkeypatch, download)
    try:
        assert fetch_kermany() == cache
    finally:
        logger.removeHandler(handler)
    assert asked == [HANDLE]
    assert capfd.readouterr() == ("", "")
    assert logger.level == level


def test_a_complete_copy_needs_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    for version in ("2", "9", "10", "11"):
        (cache / "versions" / version).mkdir(parents=True)
    for mark in ("2.complete", "9.complete", "10.complete", "12.complete", "x.complete"):
        (cache / mark).touch()
    assert fetch_kermany() == cache / "versions" / "10"


def test_without_kagglehub_the_remedy_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataNotFound, match="not installed") as error:
        fetch_kermany()
    assert "pip install 'pneumoscope[kaggle]'" in str(error.value.remedy)


class KaggleApiHTTPError(OSError):  # requests' errors descend from OSError
    def __init__(self, status: int) -> None:
        super().__init__("secret-token was refused")
        self.response = SimpleNamespace(status_code=status)


class UnauthenticatedError(Exception):
    pass


class DataCorruptionError(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "what", "got", "remedy"),
    [
        (ConnectionError("secret-token"), "could not be downloaded", "ConnectionError", "network"),
        (KaggleApiHTTPError(403), "without an account", "KaggleApiHTTPError 403", "API_TOKEN"),
        (KaggleApiHTTPError(500), "could not be downloaded", "KaggleApiHTTPError 500", "network"),
        (UnauthenticatedError(), "without an account", "UnauthenticatedError", "kaggle.json"),
        (DataCorruptionError("secret-token"), "could not be", "DataCorruptionError", "network"),
        (OSError(28, "No space left", "/x/a.zip"), "cannot be stored", "OSError", "make room"),
        (ValueError("bad file secret-token"), "could not be", "ValueError", "network"),
    ],
)
def test_a_failed_download_says_why_and_what_to_do(
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    what: str,
    got: str,
    remedy: str,
) -> None:
    def download(handle: str) -> str:
        raise raised

    install(monkeypatch, download)
    with pytest.raises(DataNotFound, match=what) as error:
        fetch_kermany()
    assert error.value.got == f"{got} for {HANDLE}"
    assert remedy in str(error.value.remedy) and "PATH/chest_xray" in str(error.value.remedy)
    assert "secret" not in str(error.value)


def test_a_download_that_leaves_nothing_is_noticed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, lambda handle: str(cache / "nothing"))
    with pytest.raises(DataNotFound, match="could not be downloaded"):
        fetch_kermany()


def test_a_stop_by_the_user_goes_through(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(handle: str) -> str:
        raise KeyboardInterrupt

    install(monkeypatch, download)
    with pytest.raises(KeyboardInterrupt):
        fetch_kermany()
