"""Folders of classes: class and split from the nearest words above a film, and nothing guessed."""

from __future__ import annotations

import gc
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.errors import BadLabels, UnreadableData, UnreadableImage
from pneumoscope.imaging import read
from pneumoscope.records import DataRequest, Film, Record, Source
from pneumoscope.sources.forms import folder
from pneumoscope.sources.forms.folder import folder_source, looks_like_folder
from pneumoscope.sources.forms.layout import places_of
from pneumoscope.sources.forms.levels import unknown_class_folders
from pneumoscope.sources.listed import About, FileFilms, Records
from pneumoscope.sources.places.files import FoundFile
from pneumoscope.sources.splits import split_of

OUTSIDE = "films outside a class folder"
COPIES = "copies of a whole tree of folders"


def make(root: Path, *paths: str) -> Path:
    """Files that are films by their names; each has its own content."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    return root


@pytest.fixture(autouse=True)
def sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "native_size", lambda file: (300, 400), raising=False)


def opened(root: Path, **classes: str) -> Source:
    return folder_source(DataRequest(str(root), classes=classes))


def seen(source: Source) -> dict[str, tuple[int | None, str | None]]:
    records = list(source.records)
    assert len({r.image_id for r in records}) == len(records) == source.count
    return {r.image_id: (r.label, r.split) for r in records}


def test_splits_above_classes(tmp_path: Path) -> None:
    make(tmp_path / "set", "train/NORMAL/a.jpeg", "train/PNEUMONIA/b.png", "val/NORMAL/a.jpeg")
    make(tmp_path / "set", "test/PNEUMONIA/c.dcm", "test/PNEUMONIA/sub/deep/d.tif")
    source = opened(tmp_path / "set")
    assert seen(source) == {
        "test/PNEUMONIA/c.dcm": (1, "test"),
        "test/PNEUMONIA/sub/deep/d.tif": (1, "test"),
        "train/NORMAL/a.jpeg": (0, "train"),
        "train/PNEUMONIA/b.png": (1, "train"),
        "val/NORMAL/a.jpeg": (0, "val"),
    }
    assert (source.name, source.form, source.count) == ("set", "folder", 5)
    assert source.why == "folders train, val and test with NORMAL and PNEUMONIA"
    assert source.native_size == 400
    assert (source.notes, dict(source.passed_over)) == ((), {})


def test_classes_above_splits(tmp_path: Path) -> None:
    make(tmp_path, "normal/Training/a.jpg", "pneumonia/TEST SET/b.jpg", "normal/valid/c.jpg")
    source = opened(tmp_path)
    assert [seen(source)[k] for k in sorted(seen(source))] == [
        *((0, "train"), (0, "val"), (1, "test"))
    ]
    assert source.why == "folders normal and pneumonia with Training, valid and TEST SET"


def test_classes_without_splits(tmp_path: Path) -> None:
    make(tmp_path, "1_Pneumonia/a.jpg", "0_Healthy/b.jpg", "0_Healthy/train.jpg")
    source = opened(tmp_path)
    assert seen(source) == {
        "0_Healthy/b.jpg": (0, None),
        "0_Healthy/train.jpg": (0, None),
        "1_Pneumonia/a.jpg": (1, None),
    }
    assert source.why == "folders 0_Healthy and 1_Pneumonia"


def test_any_folders_above_and_between(tmp_path: Path) -> None:
    make(tmp_path, "archive/v2/train/images/NORMAL/p1/x.jpg", "archive/v2/train/images/VIRUS/y.jpg")
    make(tmp_path, "archive/v2/train/z.jpg", "notes.txt", "cover.png")
    source = opened(tmp_path)
    assert seen(source) == {
        "archive/v2/train/images/NORMAL/p1/x.jpg": (0, "train"),
        "archive/v2/train/images/VIRUS/y.jpg": (1, "train"),
    }
    assert source.passed_over == {"files of another kind": 1, OUTSIDE: 2}


def test_the_nearest_class_and_the_nearest_split_count(tmp_path: Path) -> None:
    make(tmp_path, "pneumonia/train/normal/a.jpg", "pneumonia/train/bacterial/b.jpg")
    make(tmp_path, "pneumonia/train/normal/test/c.jpg")
    assert seen(opened(tmp_path)) == {
        "pneumonia/train/bacterial/b.jpg": (1, "train"),
        "pneumonia/train/normal/a.jpg": (0, "train"),
        "pneumonia/train/normal/test/c.jpg": (0, "test"),
    }


def test_the_name_of_the_root_says_nothing(tmp_path: Path) -> None:
    root = make(tmp_path / "train" / "pneumonia", "normal/a.jpg")
    assert seen(opened(root)) == {"normal/a.jpg": (0, None)}
    with pytest.raises(UnreadableData):
        opened(make(tmp_path / "normal", "a.jpg"))


@pytest.mark.parametrize(
    ("word", "split"),
    [
        *((w, "train") for w in ("train", "TRAIN", "Training", "train_set", "1-train", "trainset")),
        *((w, "val") for w in ("val", "valid", "Validation", "dev", "val data", "Validation Set")),
        *((w, "test") for w in ("test", "Testing", "TEST_DATA", "test-images")),
        *(
            (w, None)
            for w in ("trained", "pretest", "latest", "contest", "value", "set", "", "tes")
        ),
    ],
)
def test_split_words(word: str, split: str | None) -> None:
    assert split_of(word) == split


def test_an_unknown_class_beside_known_ones_is_named(tmp_path: Path) -> None:
    make(tmp_path, "NORMAL/a.jpg", "PNEUMONIA/b.jpg", "COVID/images/c.jpg", "empty/notes.txt")
    with pytest.raises(BadLabels) as error:
        opened(tmp_path)
    assert str(error.value.got).startswith("'COVID' × 1 (films) in the folder ")
    assert error.value.answer == ("--classes", "COVID=pneumonia")
    assert seen(opened(tmp_path, covid="pneumonia"))["COVID/images/c.jpg"] == (1, None)
    ignored = opened(tmp_path, covid="ignore")
    assert list(seen(ignored)) == ["NORMAL/a.jpg", "PNEUMONIA/b.jpg"]
    assert ignored.passed_over["films of a class to ignore"] == 1


@pytest.mark.parametrize(
    ("paths", "unknown"),
    [
        (("train/NORMAL", "test/COVID"), ["COVID"]),
        (("NORMAL/train", "COVID/train", "TB"), ["COVID", "TB"]),
        (("pneumonia/train/normal", "pneumonia/train/sick"), ["sick"]),
        (("a/train/NORMAL", "b/COVID"), []),
        (("train/NORMAL", "extra"), []),
        (("train/NORMAL", "train"), []),
        (("NORMAL/p1", "NORMAL/p2", "PNEUMONIA/p3/q"), []),
        (("NORMAL", "copy/NORMAL"), []),
        (("positive", "negative"), ["negative", "positive"]),
        (("train/0", "train/1", "test/0"), ["0", "1"]),
        (("1", "2", "3", "4"), []),
        (("0", "1", *map(str, range(2, 40))), []),
        (("covid", "non-covid", "x"), ["covid", "non-covid", "x"]),
        (("positive", "p1"), []),
        (("p1/NORMAL", "p2", "p3/PNEUMONIA"), []),
        (("", "p1"), []),
    ],
)
def test_what_stands_where_classes_stand(paths: tuple[str, ...], unknown: list[str]) -> None:
    places = dict.fromkeys(places_of(paths, {}).values(), 1)
    assert unknown_class_folders(places) == unknown


def test_masks_are_no_films(tmp_path: Path) -> None:
    make(tmp_path, "Normal/images/a.png", "Normal/masks/a.png", "Viral Pneumonia/images/b.png")
    source = opened(tmp_path)
    assert list(seen(source)) == ["Normal/images/a.png", "Viral Pneumonia/images/b.png"]
    assert source.passed_over == {"masks and annotations": 1}
    make(tmp_path, "masks/a.png", "Normal/Lung_Masks/c.png", "Normal/images/a_mask.png")
    source = opened(tmp_path)
    assert len(seen(source)) == 2 and source.passed_over == {"masks and annotations": 4}


def test_subtypes_by_the_class_folder(tmp_path: Path) -> None:
    make(tmp_path, "Normal/a.png", "Viral Pneumonia/b.png", "BACTERIA/c.png", "pneumonia/d.png")
    subtypes = {r.image_id[0]: r.facts.get("subtype") for r in opened(tmp_path).records}
    assert subtypes == {"N": "none", "V": "viral", "B": "bacterial", "p": None}
    plain = opened(make(tmp_path / "plain", "normal/a.png", "pneumonia/b.png"))
    assert [dict(r.facts) for r in plain.records] == [{}, {}]


def test_the_tree_in_the_tree_is_counted_once(tmp_path: Path) -> None:
    tree = [f"train/{c}/{i}.jpeg" for c in ("NORMAL", "PNEUMONIA") for i in range(10)]
    for above in ("chest_xray", "chest_xray/chest_xray", "chest_xray/__MACOSX/chest_xray"):
        for path in tree:
            file = tmp_path / above / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(path.encode())
    make(tmp_path, "chest_xray/chest_xray/train/NORMAL/extra.jpeg")
    source = opened(tmp_path)
    assert sorted(seen(source)) == sorted(
        [f"chest_xray/{path}" for path in tree] + ["chest_xray/chest_xray/train/NORMAL/extra.jpeg"]
    )
    assert source.passed_over == {"hidden files": 1, COPIES: 20}
    assert source.notes == (
        "The films in chest_xray/chest_xray are copies of those in chest_xray, as in the Kaggle "
        "download: 20 left out.",
    )
    inner = opened(tmp_path / "chest_xray")
    assert inner.passed_over[COPIES] == 20
    assert "copies of those in the tree above it" in inner.notes[0]


def test_two_hospitals_with_the_same_names_are_no_copies(tmp_path: Path) -> None:
    for hospital in ("a", "b"):
        for name in ("NORMAL/1.jpg", "PNEUMONIA/2.jpg"):
            make(tmp_path, f"{hospital}/{name}")  # equal sizes, other content
    source = opened(tmp_path)
    assert source.count == 4
    assert (source.notes, dict(source.passed_over)) == ((), {})


def test_a_few_films_in_common_make_no_copy(tmp_path: Path) -> None:
    for hospital in ("a", "b"):
        for number in range(10):
            name = f"NORMAL/{number}.jpg"
            make(tmp_path, f"{hospital}/{name}")
            if number < 8:
                (tmp_path / hospital / name).write_bytes(b"the same")
            elif hospital == "b":
                (tmp_path / hospital / name).write_bytes(b"of another length")
    assert opened(tmp_path).count == 20


def test_one_class_opens_with_a_note(tmp_path: Path) -> None:
    source = opened(make(tmp_path, "train/PNEUMONIA/a.jpg"))
    assert (source.count, source.why) == (1, "folders train with PNEUMONIA")
    assert source.notes == ("All films are pneumonia: a model learns from both.",)


def test_films_in_no_split_are_told(tmp_path: Path) -> None:
    source = opened(make(tmp_path, "train/NORMAL/a.jpg", "PNEUMONIA/b.jpg", "PNEUMONIA/c.jpg"))
    assert source.notes == ("2 films lie in no split folder, beside others that do.",)


def test_no_film_says_what_was_found(tmp_path: Path) -> None:
    for root, what, got in (
        (tmp_path / "empty", "there is no film in this folder", "nothing at all in "),
        (make(tmp_path / "text", "NORMAL/a.txt"), "there is no film", "1 files of another kind in"),
        (make(tmp_path / "other", "cats/a.jpg", "dogs/b.jpg"), "no film lies", "cats and dogs"),
        (make(tmp_path / "flat", "a.jpg"), "no film lies", "1 films outside a class folder"),
    ):
        root.mkdir(exist_ok=True)
        with pytest.raises(UnreadableData) as error:
            opened(root)
        assert error.value.what.startswith(what)
        assert got in str(error.value.got) and str(root) in str(error.value.got)
    with pytest.raises(UnreadableData, match="films of a class to ignore"):
        opened(make(tmp_path / "all", "cats/a.jpg"), cats="ignore")


def test_classes_that_match_no_folder_are_told(tmp_path: Path) -> None:
    source = opened(
        make(tmp_path, "cats/a.jpg", "dogs/b.jpg"), cats="normal", dogs="pneumonia", x="ignore"
    )
    assert [label for label, _ in seen(source).values()] == [0, 1]
    assert source.notes == ("--classes names x, which no folder with films is named.",)


def test_ids_may_name_a_person_only_in_dicom(tmp_path: Path) -> None:
    make(tmp_path, "normal/a.dcm", "normal/b", "normal/c.JPG", "normal/1.2.840.1", "normal/d.png")
    private = {r.image_id[7:]: r.private for r in opened(tmp_path).records}
    assert private == {"a.dcm": True, "b": True, "c.JPG": False, "1.2.840.1": True, "d.png": False}


def test_the_fingerprint_follows_films_and_classes(tmp_path: Path) -> None:
    root = make(tmp_path, "normal/a.jpg", "pneumonia/b.jpg", "cats/notes.txt")
    first = opened(root).fingerprint
    assert opened(root).fingerprint == first
    make(root, "cats/other.txt")
    assert opened(root).fingerprint == first
    assert opened(root, cats="ignore").fingerprint != first
    os.utime(root / "normal/a.jpg", ns=(1, 1))
    assert opened(root).fingerprint != first


def test_a_film_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    root = make(tmp_path, "normal/gone.png", "normal/torn.png")
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(root / "normal/film.png")
    films = {r.image_id: r for r in opened(root).records}
    film = pickle.loads(pickle.dumps(films["normal/film.png"])).read(0)
    assert isinstance(film, Film)
    assert np.array_equal(film.pixels, pixels)
    assert (film.height, film.width) == (6, 8)
    (root / "normal/gone.png").unlink()
    for name in ("gone", "torn"):
        with pytest.raises(UnreadableImage) as error:
            films[f"normal/{name}.png"].read(224)
        assert name not in error.value.what


def test_a_relative_path_still_works_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "set", "normal/a.jpg")
    Image.new("L", (4, 4)).save(tmp_path / "set/normal/a.png")
    monkeypatch.chdir(tmp_path)
    source = opened(Path("set"))
    monkeypatch.chdir("/")
    record = next(r for r in source.records if r.image_id.endswith("png"))
    assert record.read(0).pixels.shape == (4, 4)


def test_records_are_made_one_by_one() -> None:
    films = tuple(FoundFile(f"train/NORMAL/{i}.jpeg", 1, 1) for i in range(20_000))
    nothing = About.nothing(len(films))
    hidden = np.zeros(len(films), dtype=bool)
    records = Records(FileFilms(Path("/set"), films), nothing, 0, hidden)
    gc.collect()  # what earlier tests left is not to be counted when it is moved
    tracemalloc.start()
    count = sum(isinstance(record, Record) for record in records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(records) == len(list(records)) == 20_000
    assert peak < 8_000_000  # all of them at once would take about 16 MB


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (("NORMAL/a.jpg", "PNEUMONIA/b.jpg"), "folders NORMAL and PNEUMONIA"),
        (("x/y/train/NORMAL/a.jpg",), "a folder NORMAL in x/y/train"),
        (("z/NORMAL/a.jpg", "train/Normal/a.jpg"), "a folder Normal in train"),
        (("1/2/3/4/5/NORMAL/a.jpg",), None),
        (("cats/a.jpg", "a.jpg"), None),
        (("NORMAL/a.txt", "__MACOSX/NORMAL/a.jpg", ".x/NORMAL/a.jpg"), None),
        (("NORMAL",), None),
    ],
)
def test_a_cheap_look(tmp_path: Path, paths: tuple[str, ...], why: str | None) -> None:
    assert looks_like_folder(make(tmp_path, *paths)) == why


def test_the_look_takes_what_the_user_says(tmp_path: Path) -> None:
    root = make(tmp_path, "cats/a.jpg", "dogs/a.jpg")
    assert looks_like_folder(root, {"cats": "normal"}) == "a folder cats"
    assert looks_like_folder(root, {"cats": "ignore"}) is None
    assert looks_like_folder(root / "cats/a.jpg") is None
    assert looks_like_folder(root / "nothing") is None


def test_the_look_is_bounded_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(30):
        for j in range(30):
            (tmp_path / f"{i}/{j}").mkdir(parents=True)
    make(tmp_path / "elsewhere", "NORMAL/a.jpg")
    (tmp_path / "0" / "NORMAL").symlink_to(tmp_path / "elsewhere/NORMAL")
    (tmp_path / "elsewhere").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    reads = []
    real = os.scandir
    monkeypatch.setattr(folder.os, "scandir", lambda f: (reads.append(f), real(f))[1])
    assert looks_like_folder(tmp_path) is None
    assert len(reads) <= 200


WORDS = st.sampled_from(
    ["train", "val", "TEST", "NORMAL", "pneumonia", "virus", "x", "images", "p1", "a b"]
)


@given(st.lists(WORDS, max_size=6))
def test_the_last_word_of_each_kind_wins(parts: list[str]) -> None:
    label = {"NORMAL": "normal", "pneumonia": "pneumonia", "virus": "pneumonia"}
    split = {"train": "train", "val": "val", "TEST": "test"}
    place = places_of(["/".join(parts)], {})["/".join(parts)]
    assert place.verdict == ([label[p] for p in parts if p in label] or [None])[-1]
    assert place.split == ([split[p] for p in parts if p in split] or [None])[-1]
    assert 0 <= place.top <= len(parts)
    if place.verdict:
        assert parts[place.class_at] in label


def test_folders_that_do_not_say_what_for_are_asked_about(tmp_path: Path) -> None:
    for one, other in (("positive", "negative"), ("1", "0"), ("sick", "healthy")):
        root = tmp_path / one
        make(root, f"train/{one}/a.png", f"train/{other}/b.png")
        assert looks_like_folder(root)
        with pytest.raises(BadLabels) as error:
            opened(root)
        answers = error.value.answer[1::2]
        assert f"{one}=pneumonia" in answers
        said = dict(answer.split("=") for answer in answers)
        assert {label for label, _ in seen(opened(root, **said)).values()} == {0, 1}


def test_one_answer_serves_all_other_folders(tmp_path: Path) -> None:
    make(tmp_path, "NORMAL/a.png", "PNEUMONIA/b.png", "TB/c.png", "mass/d.png", "Pnemonia/e.png")
    with pytest.raises(BadLabels) as error:
        opened(tmp_path)
    assert error.value.answer == ("--classes", "Pnemonia=pneumonia", "--classes", "other=ignore")
    found = opened(tmp_path, other="ignore", pnemonia="pneumonia")
    assert sorted(seen(found)) == ["NORMAL/a.png", "PNEUMONIA/b.png", "Pnemonia/e.png"]
    assert {(w.word, w.meaning, w.films) for w in found.words} == {
        *(("NORMAL", "normal", 1), ("PNEUMONIA", "pneumonia", 1), ("Pnemonia", "pneumonia", 1)),
        *(("TB", "ignore", 1), ("mass", "ignore", 1)),
    }
    assert found.passed_over["films of a class to ignore"] == 2
    with pytest.raises(BadLabels):
        opened(tmp_path, other="ignore")


def test_names_with_backslashes_are_folders(tmp_path: Path) -> None:
    make(tmp_path, "train\\NORMAL\\a.png", "train\\PNEUMONIA\\b.png", "test\\NORMAL\\a.png")
    assert looks_like_folder(tmp_path)
    assert sorted(seen(opened(tmp_path)).values()) == [(0, "test"), (0, "train"), (1, "train")]


def test_folders_that_a_file_manager_copied_are_counted_once(tmp_path: Path) -> None:
    make(tmp_path, "NORMAL/a.png", "NORMAL/b.png", "PNEUMONIA/c.png", "PNEUMONIA (1)/d.png")
    (tmp_path / "NORMAL - Copy").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "NORMAL - Copy" / name).write_bytes((tmp_path / "NORMAL" / name).read_bytes())
    with pytest.raises(BadLabels, match=r"PNEUMONIA \(1\)"):  # other films: perhaps a second half
        opened(tmp_path)
    found = opened(tmp_path, pneumonia1="pneumonia")
    assert found.passed_over == {"copies of a folder": 2}
    assert any("'NORMAL - Copy'" in note or "NORMAL - Copy" in note for note in found.notes)


def test_links_out_of_the_folder_are_followed_where_the_user_says_so(tmp_path: Path) -> None:
    pool = make(tmp_path / "pool", *(f"{i}.png" for i in range(8)))
    for i in range(8):
        link = tmp_path / "set" / ("NORMAL", "PNEUMONIA")[i % 2] / f"{i}.png"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(pool / f"{i}.png")
    with pytest.raises(UnreadableData, match="symbolic links") as error:
        opened(tmp_path / "set")
    assert error.value.answer == ("--links", str(pool.resolve()))
    found = folder_source(DataRequest(str(tmp_path / "set"), links=(pool,)))
    assert [label for label, _ in seen(found).values()] == [0] * 4 + [1] * 4
    make(tmp_path / "set", *(f"NORMAL/x{i}.png" for i in range(400)))
    few = opened(tmp_path / "set")
    assert few.lost == {"links that lead out of the folder": {"normal": 4, "pneumonia": 4}}


def test_links_to_folders_lead_into_what_the_user_named_and_round_in_no_circle(
    tmp_path: Path,
) -> None:
    real = make(tmp_path / "real", "train/NORMAL/a.png", "train/PNEUMONIA/b.png")
    (real / "train" / "again").symlink_to(real)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(real / "train")
    assert looks_like_folder(tmp_path / "set") is None
    request = DataRequest(str(tmp_path / "set"), links=(real,))
    assert looks_like_folder(tmp_path / "set", follow=True)
    assert folder_source(request).count == 2
