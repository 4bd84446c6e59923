"""One film or a folder of films of which nothing is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import DataNotFound, UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.forms.unlabelled import unlabelled_source


@pytest.fixture(autouse=True)
def sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "native_size", lambda file: (300, 200), raising=False)


def opened(path: Path) -> Source:
    return unlabelled_source(DataRequest(str(path)))


def film(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((3, 5), 77, dtype=np.uint8)).save(path, "PNG")
    return path


def test_a_folder_gives_its_films_without_label_and_split(tmp_path: Path) -> None:
    film(tmp_path / "set/train/a.png")
    film(tmp_path / "set/b.dcm")
    film(tmp_path / "set/.hidden.png")
    source = opened(tmp_path / "set")
    assert (source.name, source.form, source.count) == ("set", "unlabelled", 2)
    assert source.why == "a folder of 2 files without class folders"
    assert (source.native_size, source.passed_over) == (300, {"hidden files": 1})
    records = list(source.records)
    assert [(r.image_id, r.label, r.split, r.patient_id, r.private) for r in records] == [
        ("b.dcm", None, None, None, True),
        ("train/a.png", None, None, None, False),
    ]
    assert [r.image_id for r in source.records] == ["b.dcm", "train/a.png"]
    assert np.array_equal(records[1].read(0).pixels, np.full((3, 5), 77))


@pytest.mark.parametrize(
    ("name", "private"),
    [
        ("a.png", False),
        ("a.dcm", True),
        ("a", True),
        ("film.of.kind", True),
        (".hidden.jpg", False),
    ],
)
def test_a_single_file_is_taken_whatever_its_name(tmp_path: Path, name: str, private: bool) -> None:
    source = opened(film(tmp_path / name))
    (record,) = source.records
    assert (source.form, source.why, source.count) == ("unlabelled", "a single file", 1)
    assert (record.image_id, record.label, record.private) == (name, None, private)
    assert record.read(0).pixels.shape == (3, 5)
    assert record.read(0).facts["bytes"] == (tmp_path / name).stat().st_size


def test_a_single_file_may_be_a_link(tmp_path: Path) -> None:
    film(tmp_path / "a.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link.png").symlink_to("../a.png")
    (record,) = opened(tmp_path / "sub/link.png").records
    assert record.image_id == "link.png"
    assert record.read(0).pixels.shape == (3, 5)


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert opened(Path()).count == 1
    (record,) = opened(Path("a.png")).records
    monkeypatch.chdir("/")
    assert record.read(0).pixels.shape == (3, 5)


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    file = film(tmp_path / "a.png")
    first = opened(file).fingerprint
    assert opened(file).fingerprint == first == opened(tmp_path).fingerprint
    os.utime(file, ns=(1, 1))
    assert opened(file).fingerprint != first


def test_what_is_no_film_fails_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "john.jpg").write_bytes(b"")
    (record,) = opened(tmp_path).records
    with pytest.raises(UnreadableImage) as error:
        record.read(224)
    assert "john" not in error.value.what


def test_nothing_there_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text/a.txt").touch()
    with pytest.raises(DataNotFound, match="there is no such file"):
        opened(tmp_path / "nothing")
    with pytest.raises(DataNotFound, match="neither a file nor a folder"):
        opened(tmp_path / "pipe")
    with pytest.raises(UnreadableData, match="nothing at all in"):
        opened(tmp_path / "empty")
    with pytest.raises(UnreadableData, match="1 files of another kind in"):
        opened(tmp_path / "text")
