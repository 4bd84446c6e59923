"""Listing a folder: what is a film, what is passed over, and no way out of the folder."""

from __future__ import annotations

import os
import struct
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import Film
from pneumoscope.sources.places import files
from pneumoscope.sources.places.files import (
    FoundFile,
    fingerprint,
    inside,
    list_films,
    may_be_film,
    read_file,
    typical_side,
)

LINKS = "links out of the folder, broken, or to folders"


def put(root: Path, *paths: str) -> Path:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * len(path))
    return root


def paths(root: Path) -> list[str]:
    return [file.path for file in list_films(root).files]


def test_films_come_sorted_with_size_and_time(tmp_path: Path) -> None:
    put(tmp_path, "b/2.PNG", "b/10.jpg", "a.dcm", "c/d/e/f.tiff", "B/x.webp")
    os.utime(tmp_path / "a.dcm", ns=(1, 123_456_789))
    listing = list_films(tmp_path)
    assert [f.path for f in listing.files] == [
        *("B/x.webp", "a.dcm", "b/10.jpg", "b/2.PNG", "c/d/e/f.tiff")
    ]
    assert listing.files[1] == FoundFile("a.dcm", 5, 123_456_789)
    assert listing.files[3].suffix == ".png"
    assert listing.passed_over == {}


def test_hidden_foreign_and_system_files_are_counted(tmp_path: Path) -> None:
    put(tmp_path, ".DS_Store", "a/._1.jpeg", "__MACOSX/a/1.jpeg", ".git/x.png", "@eaDir/1.jpg")
    put(tmp_path, "readme.txt", "a/Thumbs.db", "README", "DICOMDIR", "a/LICENSE", "a/1.jpeg")
    listing = list_films(tmp_path)
    assert [f.path for f in listing.files] == ["a/1.jpeg"]
    assert listing.passed_over == {"hidden files": 5, "files of another kind": 5}


@pytest.mark.parametrize(
    ("name", "suffix", "film", "dicom"),
    [
        ("1.2.276.0.7230010.3.1.4", "", True, True),
        ("IM000001", "", True, True),
        ("a.DCM", ".dcm", True, True),
        ("x.ima", ".ima", True, True),
        ("x.JPG", ".jpg", True, False),
        ("x.jpg.txt", ".txt", False, True),
        ("x.", "", True, True),
        ("x.npz", ".npz", False, True),
        ("copying", "", False, True),
        ("v1.2/film", "", True, True),
    ],
)
def test_names_tell_what_may_be_a_film(name: str, suffix: str, film: bool, dicom: bool) -> None:
    found = FoundFile(name, 1, 1)
    assert (found.suffix, may_be_film(name), found.is_dicom) == (suffix, film, dicom)


def test_links_are_followed_only_to_files_inside(tmp_path: Path) -> None:
    root = put(tmp_path / "set", "a/1.jpg", "b/2.jpg")
    put(tmp_path, "secret.jpg", "other/3.jpg")
    (root / "a/in.jpg").symlink_to("../b/2.jpg")
    (root / "a/out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "a/up.jpg").symlink_to("../../secret.jpg")
    (root / "a/broken.jpg").symlink_to("nothing.jpg")
    (root / "a/self.jpg").symlink_to("self.jpg")
    (root / "a/round").symlink_to(root)
    (root / "a/elsewhere").symlink_to(tmp_path / "other")
    listing = list_films(root)
    assert [f.path for f in listing.files] == ["a/1.jpg", "a/in.jpg", "b/2.jpg"]
    assert listing.passed_over == {LINKS: 6}


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "set", "a/1.jpg")
    (tmp_path / "link").symlink_to("set")
    assert paths(tmp_path / "link") == ["a/1.jpg"]


def test_a_pipe_is_no_film_and_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    os.mkfifo(tmp_path / "pipe")
    assert list_films(tmp_path).passed_over == {"files of another kind": 2}
    assert list_films(tmp_path).files == ()


def test_a_closed_folder_is_counted_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a/1.jpg", "closed/2.jpg", "z/3.jpg")
    real = os.scandir

    def scandir(folder: str) -> object:  # chmod does not stop root, under which tests may run
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(files.os, "scandir", scandir)
    listing = list_films(tmp_path)
    assert [f.path for f in listing.files] == ["a/1.jpg", "z/3.jpg"]
    assert listing.passed_over == {"folders that may not be read": 1}
    monkeypatch.setattr(files.os, "scandir", lambda folder: scandir(folder + "closed"))
    with pytest.raises(UnreadableData, match="Permission denied"):
        list_films(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "loop").symlink_to("loop")
    for name, why in (("a.jpg", "Not a dir"), ("nothing", "No such"), ("loop", "loop")):
        with pytest.raises(UnreadableData, match=why):
            list_films(tmp_path / name)


def test_nesting_has_an_end(tmp_path: Path) -> None:
    put(tmp_path, "d/" * 32 + "1.jpg", "e/" * 33 + "2.jpg")
    listing = list_films(tmp_path)
    assert [f.path for f in listing.files] == ["d/" * 32 + "1.jpg"]
    assert listing.passed_over == {"folders nested too deep": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a path is that of Linux")
def test_paths_longer_than_the_system_takes_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=here)
        below = os.open("n" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    listing = list_films(tmp_path)
    assert [f.path for f in listing.files] == ["a.jpg"]
    assert listing.passed_over == {"folders that may not be read": 1}


def test_long_and_foreign_names_are_films_like_others(tmp_path: Path) -> None:
    names = [
        "x" * 251 + ".jpg",
        "Thorax à 5 ans.png",
        "胸部.jpg",
        "a\nb.jpg",
        "e\u0301.jpg",
        "é.jpg",
    ]
    put(tmp_path, *names)
    assert sorted(paths(tmp_path)) == sorted(names)
    assert [f.image_id for f in list_films(tmp_path).files] == paths(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_get_an_id_that_is(tmp_path: Path) -> None:
    for raw in (b"M\xfcller.jpg", b"M\xfdller.jpg", b"M\\xfcller.jpg"):
        with open(os.fsencode(tmp_path) + b"/" + raw, "wb"):
            pass
    found = list_films(tmp_path).files
    ids = [f.image_id for f in found]
    assert len(set(ids)) == 3
    assert all(text.encode() for text in ids)
    assert sum(r"M\xfcller.jpg" in text for text in ids) == 2
    assert all((tmp_path / f.path).is_file() for f in found)
    assert len(fingerprint("folder", found)) == 32


@given(st.lists(st.binary(min_size=1, max_size=6), unique=True, max_size=6))
def test_no_two_paths_share_an_id(raw: list[bytes]) -> None:
    found = [FoundFile(name.decode("utf-8", "surrogateescape"), 0, 0) for name in raw]
    assert len({f.image_id for f in found}) == len(raw)


def test_20_000_files_are_listed_in_well_under_half_a_second(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        for number in range(10_000):
            os.close(os.open(f"{tmp_path}/{folder}/{number}.jpeg", os.O_CREAT))
    took = []
    for _ in range(3):
        start = time.process_time()  # others may work beside
        listing = list_films(tmp_path)
        fingerprint("folder", listing.files)
        took.append(time.process_time() - start)
    assert len(listing.files) == 20_000
    assert min(took) < 0.5


def test_the_fingerprint_sees_every_change() -> None:
    one = [FoundFile("a.jpg", 1, 5), FoundFile("b.jpg", 2, 6)]
    others = [
        [FoundFile("a.jpg", 1, 5)],
        [FoundFile("a.jpg", 1, 5), FoundFile("c.jpg", 2, 6)],
        [FoundFile("a.jpg", 1, 5), FoundFile("b.jpg", 3, 6)],
        [FoundFile("a.jpg", 1, 5), FoundFile("b.jpg", 2, 7)],
    ]
    prints = [fingerprint("folder", films) for films in (one, *others)]
    prints += [fingerprint("rsna", one), fingerprint("folder", one, "x=normal")]
    prints += [fingerprint("folder", one, "a", "b"), fingerprint("folder", one, "ab")]
    assert len(set(prints)) == len(prints)
    assert fingerprint("folder", list(one)) == prints[0]


def test_a_path_of_a_table_stays_inside(tmp_path: Path) -> None:
    root = put(tmp_path / "set", "a/1.jpg")
    put(tmp_path, "secret.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")
    assert inside(root, "a/1.jpg") == root / "a/1.jpg"
    assert inside(root, "a\\..\\a\\1.jpg") == root / "a/1.jpg"
    bad = ["", "../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg", "a", "none.jpg", "a\0b"]
    for path in (*bad, "x" * 5000, "loop.jpg", "\ud800.jpg", "a/../../secret.jpg"):
        with pytest.raises(UnreadableImage) as error:
            inside(root, path)
        assert "secret" not in str(error.value) and error.value.got is None


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (OSError(5, "Input/output error", "/p/john.jpg"), "the file cannot be read: Input/output"),
        (OSError("john.jpg"), "the file cannot be read"),
    ],
)
def test_a_file_that_fails_is_an_unreadable_image_without_its_name(
    raised: OSError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: Path, side: int) -> Film:
        raise raised

    monkeypatch.setattr(read, "read_film", fail)
    with pytest.raises(UnreadableImage) as error:
        read_file(Path("/p/john.jpg"), 8)
    assert error.value.what.startswith(reason)
    assert "john" not in str(error.value)


def test_a_file_that_went_or_was_closed_since_it_was_listed(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage) as gone:
        read_file(tmp_path / "john.jpg")
    assert gone.value.what == "there is no such file"
    closed = put(tmp_path, "john.jpg") / "john.jpg"
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(UnreadableImage) as shut:
        read_file(closed)
    assert shut.value.what == "the file may not be read"


def test_looking_for_the_typical_side_is_silent(tmp_path: Path) -> None:
    # Pillow warns of two values where there is to be one; warnings are errors here.
    single = {256: 4, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 279: 4}
    entries = [*((tag, 4, 1, value) for tag, value in single.items()), (277, 3, 2, 0x10001)]
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(100)
    (tmp_path / "odd.tif").write_bytes(tiff)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert typical_side(tmp_path, list_films(tmp_path).files) == 4
        assert not said
        read.native_size(tiff)
        assert said


def test_the_typical_side_is_the_median_of_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def size(file: Path) -> tuple[int, int]:
        number = int(file.stem)
        asked.append(number)
        if number == 0:
            raise UnreadableImage("bad")
        return (10, number)

    monkeypatch.setattr(read, "native_size", size, raising=False)
    found = [FoundFile(f"{i}.jpg", 1, 1) for i in range(1600)]
    # 100, 200 … 1500: the first one cannot be read
    assert typical_side(Path(), found) == 800
    assert asked == list(range(0, 1600, 100))
    assert typical_side(Path(), found[:1]) == 1024
    assert typical_side(Path(), found[4:7]) == 10
    assert typical_side(Path(), ()) == 1024
