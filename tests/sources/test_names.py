"""Patients, subtypes and origins in the names of films, with prefix and suffix."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.imaging import read
from pneumoscope.records import DataRequest
from pneumoscope.sources import assemble
from pneumoscope.sources.film.views import is_lateral
from pneumoscope.sources.forms.folder import folder_source
from pneumoscope.sources.together.names import (
    KAGGLE_NOTE,
    MENDELEY_NOTE,
    NamedFilm,
    parse_name,
    read_names,
    read_origins,
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
        ("aug_IM-0115-0001_0_7312.jpeg", "IM-0115", "none"),
        ("pneumonia_person3_virus_9.png", "person3", "viral"),
        ("normal_NORMAL2-IM-1427-0001.jpeg", "NORMAL2-IM-1427", "none"),
        ("IM-0115-0001.PNG", "IM-0115", "none"),
        ("train/PNEUMONIA/person7_bacteria_20.png", "person7", "bacterial"),
        ("person1_virus_6", "person1", "viral"),
    ],
)
def test_a_name_tells_patient_and_subtype(name: str, patient: str, subtype: str) -> None:
    assert parse_name(name) == NamedFilm(patient, subtype)
    assert NamedFilm(patient, subtype).label == int(subtype != "none")


@pytest.mark.parametrize(
    "name",
    [
        *("person_bacteria_4.jpeg", "person1_fungus_4.jpeg", "person1_virus.jpeg", "IM-0115.jpeg"),
        *("xperson1_virus_6.jpeg", "IM-0115x-0001.png", "XIM-0115-0001.png", "BACTERIA-x-1.png"),
        *("NORMAL-1.jpeg", "", "a.jpeg", "person¹_virus_6.jpeg", "superman1_virus_2.png"),
    ],
)
def test_other_names_tell_nothing(name: str) -> None:
    assert parse_name(name) is None


@given(st.text() | st.from_regex(r"(person1_virus|IM-|NORMAL-)[0-9_\-]{0,9}\.jpe?g"))
def test_no_name_breaks_the_parser(name: str) -> None:
    film = parse_name(name)
    assert film is None or (
        film.patient_id.lower() in name.lower() and film.subtype in ("bacterial", "viral", "none")
    )


def parsed(films: list[tuple[str, int]]) -> list[tuple[NamedFilm | None, int]]:
    return [(parse_name(name), label) for name, label in films]


def pairs(sick: int, well: int, foreign: int) -> list[tuple[NamedFilm | None, int]]:
    films = [(f"person{i}_virus_{i}.jpeg", 1) for i in range(sick)]
    films += [(f"IM-{i:04d}-0001.jpeg", 0) for i in range(well)]
    return parsed(films + [(f"other{i}.jpeg", 0) for i in range(foreign)])


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
    assert recognise(parsed(films)) == MENDELEY_NOTE


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
    # A part of the set goes by its folder's name, the whole by its own.
    assert (source.name, source.form) == (tmp_path.name, "folder")
    against = "1 films have names that say another class than their label: look at them."
    assert source.notes == (KAGGLE_NOTE, against)
    monkeypatch.setattr(assemble, "KERMANYS_FILMS", source.count)
    assert folder_source(DataRequest(str(tmp_path))).name == "kermany"
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


@pytest.mark.parametrize(
    ("paths", "patients"),
    [
        (["00000013_005.png", "x/00000013_026.jpeg"], ["00000013", "00000013"]),
        (["images/00012158_021.png", "20200101_001.png"], ["00012158", None]),
        (
            ["CheXpert/train/patient00001/study1/view1_frontal.jpg", "patient00002/study1/a.jpg"],
            ["00001", "00002"],
        ),
        (["p10/p10000032/s50414267/a.jpg", "p10/p10000764/s57375967/b.jpg"],
         ["10000032", "10000764"]),
        (["CXR12_IM-0001-3001.png", "7_IM-2000-0001.dcm.png"], ["12", "7"]),
        (["sub-S03044/ses-E08595/a.png", "sub-S1_run-1.png"], ["s03044", "s1"]),
        (["Subject 12/a.png", "patient_7_2.png", "pid12.png"], ["12", "7", "12"]),
        (["outpatient.png", "patients/a.png", "patient.png", "img_0001.png"], [None] * 4),
        (["IM-0001-0001.png", "IM-0001-0002.png"], [None, None]),
        (["IM-0001-0001.png", "person1_virus_6.png"], ["IM-0001", "person1"]),
    ],
)  # fmt: skip
def test_known_forms_of_names_say_their_patient(
    paths: list[str], patients: list[str | None]
) -> None:
    assert list(read_names(paths, [None] * len(paths)).patient) == patients


def test_sets_that_are_merged_are_read_film_by_film() -> None:
    paths = [f"person{i // 2}_virus_{i}.jpeg" for i in range(20)]
    paths += [f"site2-{i:04d}.png" for i in range(20)] + ["00000013_005.png"]
    names = read_names(paths, [1] * len(paths))
    assert names.read == 21 and names.kermany == ""
    assert names.forms == {"Kermany": 20, "NIH ChestX-ray14": 1}


@pytest.mark.parametrize(
    ("paths", "together"),
    [
        (["a/x1.png", "aug/aug_x1_0_123.png", "a/x1_flip.png", "a/y1.png"], [0, 1, 2]),
        (["a/x.png", "a/x - Copy.png", "a/x (1).png"], [0, 1, 2]),
        (["x_jpg.rf.0a1b2c.jpg", "x_jpg.rf.ffff01.jpg", "y_jpg.rf.ffff01.jpg"], [0, 1]),
        (["rot90_x1.png", "x1_hflip_2.png", "x1.png"], [0, 1, 2]),
        (["flip_x1q.png", "rotate_15_x1q.png", "augmented_image_x1q.png", "x1q_rotation30.png",
          "x1q_scaled.png", "x1q_translate_5_3.png", "x1q_horizontal_flip.png", "x1q_gaussian.png",
          "x1q_sharpened_2.png", "x1q.png", "x2q.png"], list(range(10))),
        (["x1q.png", "x1q_RandomBrightnessContrast.png", "x1q_ShiftScaleRotate_2.png", "x1q_v2.png",
          "x1q_HorizontalFlip.png", "x1q_final.png", "x1q_original.png"], list(range(7))),
        ([f"_{i // 2}_{i * 371 + 50}.jpeg" for i in range(24)], [0, 1]),
        (["original/N/x1q.png", "augmented/N/x1q.png", "original/N/x2q.png"], [0, 1]),
        (["s1q_left.png", "s1q_right.png", "s1q_patch_3.png", "s2q_left.png"]
         + [f"z{i}x.png" for i in range(9)], [0, 1, 2]),
        ([f"aug_{i // 2}_{i * 37 + 5}.png" for i in range(24)], [0, 1]),
        ([f"flip_case_{i}x.png" for i in range(40)], []),
        (["n (1).png", "n (2).png", "n (3).png"], []),
        (["N/1.png", "P/1.png", "test/N/1.png"], []),
        (["case12_1.png", "case12_2.png", "case13_1.png", "case13_2.png", "case14_1.png",
          "case14_b.png", "other.png"], [0, 1]),
        ([f"clip{i // 4:02}_frame{i % 4 * 12:03}.png" for i in range(40)], [0, 1, 2, 3]),
        ([f"vol{i // 3:02} - slice {i % 3}.png" for i in range(30)], [0, 1, 2]),
        ([f"film{i}.png" for i in range(30)], []),
        ([f"{i % 4}-{i}.png" for i in range(80)], []),
        ([f"{i % 6}x-{i}.png" for i in range(80)], list(range(0, 80, 6))),
        (["img_0001.png", "img_0002.png", "img_0003.png"], []),
    ],
)  # fmt: skip
def test_pictures_made_from_one_film_have_one_origin(paths: list[str], together: list[int]) -> None:
    origin = read_origins(paths, [0] * len(paths)).names
    found = [i for i, name in enumerate(origin) if name and name == origin[0]]
    assert found == together


@pytest.mark.parametrize("copy", ["aug_0_{}.jpg", "_0_{}.jpg", "augmented_image_{}.png"])
def test_copies_of_films_that_nothing_names_are_counted_and_not_joined(copy: str) -> None:
    films = [f"COVID/COVID ({place}).jpg" for place in range(30)]
    copies = [f"Augmented COVID/{copy.format(1000 + 7 * place)}" for place in range(12)]
    found = read_origins([*films, *copies], [1] * 42)
    assert found.untold == tuple(range(30, 42)) and not any(found.names)
    named = [f"aug_{place}_0.jpg" for place in range(30)]
    assert not read_origins([*(f"{place}.jpg" for place in range(30)), *named], [1] * 60).untold


def _in_folders(form: str, count: int = 6, films: int = 3) -> list[str]:
    """Paths of ``films`` films of each of ``count`` patients, in folders of their own."""
    return [
        form.format("NORMAL" if p % 2 else "PNEUMONIA", p) + f"/{film}.png"
        for p in range(count)
        for film in range(films)
    ]


@pytest.mark.parametrize("form", ["{}/{:04d}", "{}/P{:03d}", "train/{}/case-{}", "{}/{}/series1"])
def test_a_folder_that_holds_few_films_is_a_patient(form: str) -> None:
    paths = _in_folders(form)
    names = read_names(paths, [None] * len(paths))
    assert names.read == len(paths) and len(set(names.patient)) == 6
    by_folder = {path.rpartition("/")[0]: set() for path in paths}
    for path, patient in zip(paths, names.patient, strict=True):
        by_folder[path.rpartition("/")[0]].add(patient)
    assert all(len(patients) == 1 for patients in by_folder.values())


@pytest.mark.parametrize(
    "paths",
    [
        _in_folders("{}/images_{:03d}"),  # parts of a download
        _in_folders("{}/part {}"),
        _in_folders("{}/{:04d}", films=1),
        _in_folders("{}/{:04d}", films=40),
        _in_folders("{}/{:04d}", count=3),
        [f"{split}/{label}/{i}.png" for split in ("a", "b", "c") for label in "01" for i in "123"],
        ["NORMAL/a.png"],
        [],
    ],
)
def test_other_folders_are_no_patients(paths: list[str]) -> None:
    assert read_names(paths, [None] * len(paths)).read == 0


@pytest.mark.parametrize(
    ("path", "lateral"),
    [
        ("patient1/view2_lateral.jpg", True),
        ("x12_LAT.png", True),
        ("x_lat1.png", True),
        ("sub-S1/ses-1/sub-S1_ses-1_vp-ll_cr.png", True),
        ("sub-S1_ses-1_vp-pa_cr.png", False),
        ("NORMAL/Lateral/a.png", True),
        ("view1_frontal.jpg", False),
        ("bilateral opacity.png", False),
        ("plate.png", False),
        ("lat/a.png", False),
    ],
)
def test_lateral_views_are_told_by_name(path: str, lateral: bool) -> None:
    assert is_lateral(path) == lateral


def test_a_lateral_view_by_name_is_a_fact_unless_the_film_says_it(tmp_path: Path) -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        for name in ("a_PA.png", "a_LAT.png", "b_lateral.dcm"):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / name).write_bytes(b"x")
    records = folder_source(DataRequest(str(tmp_path))).records
    assert {r.image_id for r in records if r.facts.get("view") == "lateral"} == {
        "NORMAL/a_LAT.png",
        "PNEUMONIA/a_LAT.png",
    }


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_names_are_read(paths: list[str]) -> None:
    names = read_names(paths, [None] * len(paths))
    origins = read_origins(paths, [None] * len(paths)).names
    assert len(names.patient) == len(origins) == len(paths)
    counts = Counter(origins)
    assert all(counts[name] > 1 for name in origins if name is not None)


@given(
    st.sampled_from(["person12_bacteria_3", "NORMAL2-IM-0007-0001", "VIRUS-12345-0001"]),
    st.sampled_from(["", "aug_", "normal-", "x y ", "PNEUMONIA_"]),
    st.sampled_from(["", "_0_731", " (2)", "_jpeg.rf.0a1b", "-copy", "_flipped"]),
    st.sampled_from([".jpeg", ".PNG", ".jpg", ""]),
)
def test_prefix_suffix_and_extension_hide_no_patient(
    stem: str, before: str, behind: str, suffix: str
) -> None:
    assert parse_name(before + stem + behind + suffix) == parse_name(stem) is not None
