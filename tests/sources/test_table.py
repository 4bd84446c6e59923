"""A table of paths and labels: what becomes of each row, good or bad."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumoscope.errors import BadLabels, DataNotFound, InputError, UnreadableImage
from pneumoscope.records import DataRequest, Record, Source
from pneumoscope.sources.forms.table import looks_like_table, table_source


def draw(path: Path, level: int = 100, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path, format="PNG")


BITS = {"0": "normal", "1": "pneumonia"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six films, of grey level 10 to 60, in a folder with room for secrets beside it."""
    root = tmp_path / "set"
    for place in range(1, 7):
        draw(root / "films" / f"{place}.png", 10 * place)
    return root


def source(folder: Path, text: str, **said: object) -> Source:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return table_source(replace(DataRequest(str(path)), **said))  # type: ignore[arg-type]


def by_id(found: Source) -> dict[str, Record]:
    records = list(found.records)
    assert len(records) == found.count
    assert len({record.image_id for record in records}) == found.count
    return {record.image_id: record for record in records}


def reason(record: Record) -> str:
    try:
        record.read(0)
    except UnreadableImage as error:
        assert record.image_id not in error.what
        return error.what
    return ""


def outcome(folder: Path, rows: str, header: str = "path,pneumonia") -> dict[str, str]:
    """What becomes of each film, beside two good ones."""
    found = source(folder, f"{header}\n{rows}\nfilms/5.png,0\nfilms/6.png,1\n")
    return {
        name: reason(record)
        for name, record in by_id(found).items()
        if name not in ("films/5.png", "films/6.png")
    }


def test_a_plain_table(folder: Path) -> None:
    found = source(folder, "path,pneumonia\nfilms/2.png,1\nfilms/1.png,0\n")
    records = list(found.records)
    assert [(r.image_id, r.label) for r in records] == [("films/2.png", 1), ("films/1.png", 0)]
    film = records[0].read(0)
    assert (film.height, film.width, np.unique(film.pixels).tolist()) == (30, 40, [20])
    assert (found.name, found.form, found.count, found.native_size) == ("table", "table", 2, 40)
    assert "'path'" in found.why
    assert not any(r.private or r.patient_id or r.split or r.facts for r in records)
    assert [r.image_id for r in found.records] == [r.image_id for r in records]


def test_patient_split_and_facts_come_along(folder: Path) -> None:
    splits = ["Train", "train", "VAL", "valid", "test", ""]
    rows = [
        f"films/{i}.png,{('NORMAL', 'Pneumonia')[i % 2]},00{i // 3},{split},{30 + i},PA,Anna {i}"
        for i, split in enumerate(splits, 1)
    ]
    header = "Image Path,Finding,Patient ID,Split,Patient Age,View,Nurse\n"
    found = source(folder, header + "\n".join(rows) + "\n")
    records = list(found.records)
    assert [r.label for r in records] == [1, 0, 1, 0, 1, 0]
    assert [r.patient_id for r in records] == ["000", "000", "001", "001", "001", "002"]
    assert [r.split for r in records] == ["train", "train", "val", "val", "test", None]
    assert [dict(r.facts) for r in records] == [{"age": 30 + i} for i in range(1, 7)]
    assert all(r.private for r in records)
    assert any("1 films have no split" in note for note in found.notes)
    assert any("'Nurse'" in note for note in found.notes)
    assert not any("Anna" in note for note in found.notes)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("films/1.png,", {"films/1.png": "no label"}),
        ("films/1.png,nan", {"films/1.png": "no label"}),
        ("films/1.png, N/A ", {"films/1.png": "no label"}),
        (",1", {"row 0 without a path": "the table gives no path"}),
        (
            ",1\nnan,0",
            dict.fromkeys(
                ("row 0 without a path", "row 1 without a path"), "the table gives no path"
            ),
        ),
        ("films/1.png,0\nfilms/1.png,1", {"films/1.png": "contradictory labels"}),
        ("films/1.png,0\n./films//1.png,1", {"films/1.png": "contradictory labels"}),
        ("films/1.png,0\nfilms/1.png,", {"films/1.png": ""}),
        ("films/1.png,0\nfilms\\1.png,normal", {"films/1.png": ""}),
        ("films\\1.png,0", {"films/1.png": ""}),
        ("films/none.png,0", {"films/none.png": "there is no such file"}),
        ("films,0", {"films": "there is no such file"}),
        ("../secret.png,0", {"../secret.png": "the path in the table leads out of its folder"}),
        (
            "films/../../secret.png,0",
            {"films/../../secret.png": "the path in the table leads out of its folder"},
        ),
        ("..\\secret.png,0", {"../secret.png": "the path in the table leads out of its folder"}),
        ("/etc/hostname,0", {"/etc/hostname": "the path in the table leads out of its folder"}),
        ("link.png,0", {"link.png": "the path in the table leads out of its folder"}),
        ("out/secret.png,0", {"out/secret.png": "the path in the table leads out of its folder"}),
        ("within.png,0", {"within.png": ""}),
        ("films/../films/1.png,0", {"films/../films/1.png": ""}),
        ("x" * 300 + ".png,0", {"x" * 300 + ".png": "there is no such file"}),
        ('"films/1\n.png",0', {"films/1\n.png": "there is no such file"}),
        ("https://example.org/1.png,0", {"https:/example.org/1.png": "there is no such file"}),
        ("~/1.png,0", {"~/1.png": "there is no such file"}),
    ],
)
def test_what_becomes_of_a_row(folder: Path, rows: str, expected: Mapping[str, str]) -> None:
    draw(folder.parent / "secret.png")
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent)
    (folder / "within.png").symlink_to(folder / "films" / "1.png")
    assert outcome(folder, rows) == expected


def test_an_absolute_path_into_the_own_folder_is_read(folder: Path) -> None:
    inside = str(folder / "films" / "1.png")
    assert outcome(folder, f"{inside},0") == {inside: ""}


def test_a_file_that_is_no_film_is_dropped(folder: Path) -> None:
    (folder / "text.png").write_text("no film")
    assert outcome(folder, "text.png,0")["text.png"] != ""


def test_a_film_that_is_dropped_has_no_label(folder: Path) -> None:
    text = "path,pneumonia\nfilms/1.png,0\nfilms/1.png,1\nfilms/2.png,0\nfilms/3.png,1\n"
    assert by_id(source(folder, text))["films/1.png"].label is None


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("patient", ("a", "b"), "contradictory patient ids"),
        ("split", ("train", "test"), "contradictory splits"),
        ("split", ("val", "validation"), ""),
        ("patient", ("a", ""), ""),
    ],
)
def test_rows_of_one_film_must_agree(
    folder: Path, column: str, values: tuple[str, str], expected: str
) -> None:
    text = f"path,pneumonia,{column}\nfilms/2.png,1,{values[0]}\n"
    text += "".join(f"films/1.png,0,{value}\n" for value in values)
    assert reason(by_id(source(folder, text))["films/1.png"]) == expected


def test_repeated_rows_are_merged_and_counted(folder: Path) -> None:
    rows = "films/1.png,0\nfilms/2.png,1\n"
    found = source(folder, "path,pneumonia\n" + rows * 3)
    assert found.count == 2
    assert "4 rows of the table repeat another and were merged with it." in found.notes


def test_a_fact_that_differs_between_rows_of_one_film_is_left_out(folder: Path) -> None:
    text = "path,pneumonia,age\nfilms/1.png,0,30\nfilms/1.png,0,31\nfilms/2.png,1,40.5\n"
    records = by_id(source(folder, text))
    assert records["films/1.png"].facts == {}
    assert records["films/2.png"].facts == {"age": 40.5}


def test_ids_keep_their_zeros_and_their_blanks_within(folder: Path) -> None:
    draw(folder / "007")
    draw(folder / "1e3")
    draw(folder / "case 5.png")
    text = "id,pneumonia,patient_id\n007,0,0012\n1e3,1,1e5\n case 5.png ,1,12.0\n"
    records = by_id(source(folder, text))
    assert [r.patient_id for r in records.values()] == ["0012", "1e5", "12.0"]
    assert {name: reason(r) for name, r in records.items()} == dict.fromkeys(
        ("007", "1e3", "case 5.png"), ""
    )


def test_a_film_named_as_dicom_is_private(folder: Path) -> None:
    draw(folder / "1.dcm")
    records = by_id(source(folder, "path,pneumonia\n1.dcm,0\nfilms/1.png,1\n"))
    assert [r.private for r in records.values()] == [True, False]


def test_unknown_words_are_named_with_the_way_out(folder: Path) -> None:
    with pytest.raises(BadLabels) as caught:
        source(folder, "path,pneumonia\nfilms/1.png,covid\nfilms/2.png,normal\n")
    assert "'covid'" in str(caught.value)
    assert caught.value.answer == ("--classes", "covid=pneumonia")


def test_the_users_classes_are_followed_and_ignored_films_counted(folder: Path) -> None:
    text = (
        "path,pneumonia\nfilms/1.png,covid\nfilms/2.png,normal\nfilms/3.png,tb\nfilms/4.png,none\n"
    )
    classes = {"covid": "pneumonia", "tb": "ignore", "none": "normal"}
    found = source(folder, text, classes=classes)
    assert {n: r.label for n, r in by_id(found).items()} == {
        "films/1.png": 1,
        "films/2.png": 0,
        "films/4.png": 0,
    }
    assert found.passed_over == {"films of a class that was said to be ignored": 1}


def test_an_unknown_split_is_refused(folder: Path) -> None:
    text = "path,pneumonia,split\nfilms/1.png,0,train\nfilms/2.png,1,extra\n"
    with pytest.raises(BadLabels, match="holds what is no split") as caught:
        source(folder, text)
    assert "'extra'" in str(caught.value)


def test_a_table_without_any_label_is_refused(folder: Path) -> None:
    with pytest.raises(BadLabels, match="no row of the table has a path and a label"):
        source(folder, "path,pneumonia\nfilms/1.png,\nfilms/2.png,\n")


@pytest.mark.parametrize(
    ("columns", "label"),
    [({"label": "second"}, 1), ({"label": "SECOND", "image": "path"}, 1), ({"label": "first"}, 0)],
)
def test_named_columns_win(folder: Path, columns: dict[str, str], label: int) -> None:
    text = "path,first,second\nfilms/1.png,0,1\nfilms/2.png,1,0\n"
    found = source(folder, text, columns=columns, classes=BITS)
    assert by_id(found)["films/1.png"].label == label
    with pytest.raises(BadLabels, match="do not say what they stand for"):
        source(folder, text, columns=columns)


def test_a_missing_named_column_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="nearest: 'label'"):
        source(folder, "path,label\nfilms/1.png,0\n", columns={"label": "lable"})


def test_boxes_are_kept_and_checked_against_the_film(folder: Path) -> None:
    found = source(
        folder,
        "path,x,y,width,height,pneumonia\n"
        "films/1.png,1,2,10,20,1\nfilms/1.png,5.5,0,34.5,30,1\n"
        "films/2.png,,,,,0\nfilms/3.png,,,,,1\n"
        "films/4.png,10,0,32,5,1\nfilms/5.png,10,0,31,5,1\nfilms/6.png,1,1,5,5,0\n",
    )
    records = by_id(found)
    assert records["films/1.png"].boxes == ((1, 2, 10, 20), (5.5, 0, 34.5, 30))
    assert records["films/2.png"].boxes == records["films/3.png"].boxes == ()
    assert {name: reason(r) for name, r in records.items() if reason(r)} == {
        "films/6.png": "label 0 with a box",
    }


def test_a_parquet_table_is_read_as_well(folder: Path) -> None:
    frame = pd.DataFrame({"path": ["films/1.png", "films/2.png"], "pneumonia": [0.0, 1.0]})
    frame.to_parquet(folder / "t.parquet")
    found = table_source(DataRequest(str(folder / "t.parquet")))
    assert [r.label for r in found.records] == [0, 1]


def test_the_fingerprint_follows_labels_films_and_what_was_said(folder: Path) -> None:
    text = "path,pneumonia,tag\nfilms/1.png,0,1\nfilms/2.png,1,0\n"
    seen = [source(folder, text).fingerprint]
    assert source(folder, text).fingerprint == seen[0]
    seen.append(source(folder, text.replace("1.png,0", "1.png,1")).fingerprint)
    seen.append(source(folder, text, classes={"x": "normal"}).fingerprint)
    seen.append(source(folder, text, columns={"label": "tag"}, classes=BITS).fingerprint)
    draw(folder / "films" / "1.png", 99, (41, 31))
    seen.append(source(folder, text).fingerprint)
    (folder / "films" / "2.png").unlink()
    seen.append(source(folder, text).fingerprint)
    assert len(set(seen)) == len(seen)


def test_a_file_outside_the_folder_is_not_even_looked_at(folder: Path) -> None:
    text = "path,pneumonia\n../secret.png,0\nfilms/2.png,1\n"
    before = source(folder, text).fingerprint
    draw(folder.parent / "secret.png")
    assert source(folder, text).fingerprint == before


def test_what_looks_like_a_table(folder: Path) -> None:
    for name in ("a.csv", "b.TSV", "c.parquet"):
        (folder / name).write_text("x")
        assert looks_like_table(folder / name)
    (folder / "d.npz").write_text("x")
    (folder / "e.csv").mkdir()
    assert not any(looks_like_table(folder / name) for name in ("d.npz", "e.csv", "none.csv", ""))


def test_a_table_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataNotFound):
        table_source(DataRequest(str(folder / "none.csv")))


@pytest.mark.parametrize(
    "before",
    [
        *(
            "C:\\Users\\M\u00fcller\\X-ray Projekt\\set\\films\\",
            "/content/drive/MyDrive/set/films/",
        ),
        *("../input/chest/set/films/", "set/films/", "https://storage.example.org/a/", ""),
        "FILMS/",
    ],
)
def test_a_table_of_another_machine_is_met_by_the_ends_of_its_paths(
    folder: Path, before: str
) -> None:
    rows = "\n".join(f"{before}{i}.png,{i % 2}" for i in range(1, 7))
    found = source(folder, "path,pneumonia\n" + rows + "\n")
    assert [(r.image_id, r.label, reason(r)) for r in found.records] == [
        (f"films/{i}.png", i % 2, "") for i in range(1, 7)
    ]


def test_a_name_without_a_film_is_lost_whatever_the_rest_meets(folder: Path) -> None:
    rows = "".join(f"/elsewhere/{i}.png,{i % 2}\n" for i in range(1, 9))
    found = {r.image_id: reason(r) for r in source(folder, "path,pneumonia\n" + rows).records}
    assert found["/elsewhere/7.png"] == "there is no such file"
    assert sum(not told for told in found.values()) == 6


def test_a_table_without_a_header_is_read_by_its_content_or_by_position(folder: Path) -> None:
    words = "\n".join(f"films/{i}.png,{('NORMAL', 'PNEUMONIA')[i % 2]},7{i}" for i in range(1, 7))
    found = source(folder, words)
    assert [r.label for r in found.records] == [1, 0, 1, 0, 1, 0]
    assert any("no header" in note for note in found.notes)
    bits = "\n".join(f"films/{i}.png,{i % 2}" for i in range(1, 7))
    with pytest.raises(BadLabels, match="'column 2'") as error:
        source(folder, bits)
    assert error.value.answer == ("--classes", "0=normal", "--classes", "1=pneumonia")
    said = source(folder, bits, classes=BITS, columns={"label": "2", "image": "1"})
    assert [r.label for r in said.records] == [1, 0, 1, 0, 1, 0]


def test_patients_are_read_from_names_in_a_table_too(folder: Path) -> None:
    for name in ("person1_bacteria_1.png", "person1_virus_2.png", "IM-0003-0001.png"):
        draw(folder / name)
    rows = "person1_bacteria_1.png,1\nperson1_virus_2.png,1\nIM-0003-0001.png,0\nfilms/1.png,0\n"
    found = list(source(folder, "path,pneumonia\n" + rows).records)
    assert [r.patient_id for r in found] == ["person1", "person1", "IM-0003", None]
