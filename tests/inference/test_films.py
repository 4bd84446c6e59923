"""Which films are meant by names of files and folders."""

import os
from pathlib import Path

import pytest

from pneumoscope.inference.films import find_films


def names(*given: str) -> list[str]:
    return [file.name for file in find_films(given).files]


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("set/b.png", "set/a/1.dcm", "set/a/.hidden.png", "set/notes.txt", "one.jpeg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def test_folders_are_walked_and_named_as_given(tmp_path: Path) -> None:
    assert names("set") == names("set/") == ["set/a/1.dcm", "set/b.png"]
    assert names("./set") == ["./set/a/1.dcm", "./set/b.png"]
    assert names(".") == ["one.jpeg", "set/a/1.dcm", "set/b.png"]
    assert names(str(tmp_path / "set/a")) == [str(tmp_path / "set/a/1.dcm")]
    assert dict(find_films(["set"]).passed_over) == {"hidden files": 1, "files of another kind": 1}


def test_each_film_once_under_its_first_name() -> None:
    assert names("set/b.png", "set", "./set/b.png", "set/a") == ["set/b.png", "set/a/1.dcm"]
    assert names("set", "set/b.png", os.path.abspath("set")) == ["set/a/1.dcm", "set/b.png"]
    Path("link").symlink_to("set")
    assert names("link", "set") == ["link/a/1.dcm", "link/b.png"]
    os.link("one.jpeg", "copy.jpeg")
    assert names("one.jpeg", "copy.jpeg") == ["one.jpeg", "copy.jpeg"]


def test_a_named_file_is_taken_whatever_its_name() -> None:
    assert names("set/notes.txt", "set/a/.hidden.png") == ["set/notes.txt", "set/a/.hidden.png"]


def test_what_cannot_be_had_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").touch()
    Path("loop").symlink_to("loop")
    Path("round").mkdir()
    Path("round/again").symlink_to("../round")
    given = ["nothing", "empty", "texts", "loop", "a\0b", "x" * 300, "round", "one.jpeg"]
    rows = {file.name: file.error for file in find_films(given).files}
    assert rows["nothing"] == "there is no such file"
    assert rows["empty"] == "no film in this folder: nothing at all"
    assert rows["texts"] == "no film in this folder: only 1 files of another kind"
    assert rows["loop"] == "the link leads to nothing, or round in a circle"
    assert rows["round"] is not None and "1 links" in rows["round"]
    assert rows["a\0b"] is not None and rows["x" * 300] is not None
    assert rows["one.jpeg"] is None and list(rows) == given

    def closed(folder: str) -> object:  # chmod does not stop root, under which tests may run
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", closed)
    assert [f.error for f in find_films(["set"]).files] == ["the folder cannot be read"]


def test_names_with_braces_and_bytes_that_are_no_text() -> None:
    Path("a{0}").mkdir()
    (Path("a{0}") / os.fsdecode(b"\xff{}.png")).write_bytes(b"x")
    assert names("a{0}") == ["a{0}/\udcff{}.png"]


def test_masks_and_derived_pictures_are_no_films_but_what_is_named_is_read(tmp_path: Path) -> None:
    for name in ("images/a.png", "masks/a.png", "masked_images/a.png", "images/b_mask.png"):
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_bytes(b"x")
    found = find_films([str(tmp_path / "own")])
    assert [Path(film.name).relative_to(tmp_path / "own").as_posix() for film in found.files] == [
        "images/a.png"
    ]
    assert found.passed_over["masks and annotations"] == 2
    assert len(find_films([str(tmp_path / "own/masks/a.png")]).files) == 1
