"""What holds films or labels and is not read is named; CVAT's XML and texts in other encodings are
read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.opening import asked, counted, films, many, opened

from pneumoscope.errors import BadLabels, InputError, UnreadableData
from pneumoscope.records import DataRequest
from pneumoscope.sources.asked import answered
from pneumoscope.sources.tables.read import read_table

NAMES = many("scan{:02}.png", 12)


def cvat(root: Path, marks: list[str], subset: str = "") -> Path:
    films(root, *(f"images/{name}" for name in NAMES))
    images = [
        f'<image id="{i}" name="{name}"{subset.format("Train" if i < 8 else "Test")}>{mark}</image>'
        for i, (name, mark) in enumerate(zip(NAMES, marks, strict=True))
    ]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta/>'
    (root / "annotations.xml").write_text(head + "".join(images) + "</annotations>")
    return root


def test_tags_of_cvat_are_labels(tmp_path: Path) -> None:
    tags = ['<tag label="pneumonia"/>', '<tag label="normal" source="manual"/>'] * 6
    source = opened(cvat(tmp_path, tags))
    assert counted(source) == {(1, None): 6, (0, None): 6}


def test_shapes_and_subsets_of_cvat_are_read(tmp_path: Path) -> None:
    box = '<box label="pneumonia" xtl="1" ytl="1" xbr="2" ybr="2"/>'
    root = cvat(tmp_path, [box * 2, ""] * 6, subset=' subset="{}"')
    error = asked(root)
    assert error.answer == ("--classes", "no box=normal")
    source = opened(root, answered(DataRequest(str(root)), error.answer))
    assert counted(source) == {(1, "train"): 4, (0, "train"): 4, (1, "test"): 2, (0, "test"): 2}


@pytest.mark.parametrize("text", ["<!DOCTYPE a><annotations/>", "<annotations><image></annot"])
def test_hostile_or_broken_annotations_are_no_labels(text: str, tmp_path: Path) -> None:
    films(tmp_path, *NAMES)
    (tmp_path / "a.xml").write_text(text + "".join(NAMES))
    with pytest.raises(UnreadableData):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("x.tar.gz", "mkdir"),
        ("x.zip", "zipfile -e"),
        ("x.h5", "HDF5"),
        ("sub/x.tfrecord", "TFRecords"),
        ("x.pkl", "pickle"),
        ("JPCLN001.IMG", "without a header"),
    ],
)
def test_a_folder_of_a_store_alone_says_what_to_do(file: str, words: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"\0\1")
    with pytest.raises(UnreadableData, match=words):
        opened(tmp_path)


def test_small_files_beside_the_films_could_be_labels(tmp_path: Path) -> None:
    films(tmp_path, *NAMES)
    for i, name in enumerate(NAMES):
        (tmp_path / name).with_suffix(".cls").write_text(str(i % 2))
    with pytest.raises(UnreadableData, match=r"\.cls files named as films"):
        opened(tmp_path)
    assert opened(tmp_path, DataRequest(str(tmp_path), form="unlabelled")).count == 12


def test_sums_and_large_files_beside_the_films_are_no_labels(tmp_path: Path) -> None:
    films(tmp_path, *NAMES)
    for name in NAMES:
        (tmp_path / name).with_suffix(".md5").write_text("d41d8cd9")
        (tmp_path / name).with_suffix(".raw").write_bytes(bytes(1 << 17))
    assert opened(tmp_path).form == "unlabelled"


@pytest.mark.parametrize("suffix", ["xml", "txt", "html"])
def test_reports_that_name_a_film_each_could_be_labels(suffix: str, tmp_path: Path) -> None:
    films(tmp_path, *NAMES)
    for i, name in enumerate(NAMES):
        (tmp_path / f"{i}.{suffix}").write_text(f'<r id="{name[:-4]}">no pneumonia</r>')
    with pytest.raises(UnreadableData, match="texts that name a film each"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "sick", "well"),
    [("gb18030", "肺炎", "正常"), ("cp949", "폐렴", "정상"), ("cp1251", "пневмония", "норма")],
)
def test_tables_in_other_letters_are_read_by_their_encoding(
    encoding: str, sick: str, well: str, tmp_path: Path
) -> None:
    films(tmp_path, *NAMES)
    rows = [f"{name},{(sick, well)[i % 2]}" for i, name in enumerate(NAMES)]
    (tmp_path / "t.csv").write_bytes("\n".join(["image,label", *rows]).encode(encoding))
    source = opened(tmp_path)
    assert counted(source) == {(1, None): 6, (0, None): 6}
    assert any("is not UTF-8" in note for note in source.notes)


def test_letters_of_western_words_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("film,Befund\na.png,unauffällig\nb.png,für später\n".encode("latin-1"))
    assert read_table(path).frame["Befund"].tolist() == ["unauffällig", "für später"]


@pytest.mark.parametrize("column", ["Pneumonie", "pneumonia", "pneumonia_probability"])
@pytest.mark.parametrize("count", [30, 200])
def test_a_measure_of_pneumonia_is_no_class(column: str, count: int, tmp_path: Path) -> None:
    names = many("s{:03}.png", count)
    rows = [f"{name};{(i * 37 % count + 1) / (count + 2):.3f}" for i, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("\n".join([f"Datei;{column}", *rows]).replace("0.", "0,"))
    films(tmp_path, *names)
    with pytest.raises(BadLabels, match="a measure, not a class"):
        opened(tmp_path)


def test_a_decimal_comma_changes_no_label(tmp_path: Path) -> None:
    rows = [f"{name};{('1,0', '0,0')[i % 2]}" for i, name in enumerate(NAMES)]
    (tmp_path / "t.csv").write_text("\ufeff" + "\n".join(["Datei;Pneumonie", *rows]), "utf-8")
    assert counted(opened(films(tmp_path, *NAMES))) == {(1, None): 6, (0, None): 6}


@pytest.mark.parametrize("sick", ["0", "1"])
def test_the_card_of_a_hub_set_says_which_number_is_which(sick: str, tmp_path: Path) -> None:
    rows = [f"{name},{i % 2}" for i, name in enumerate(NAMES)]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    films(tmp_path, *NAMES)
    with pytest.raises(InputError, match="numbers of a label"):
        opened(tmp_path)
    words = ("PNEUMONIA", "NORMAL") if sick == "0" else ("NORMAL", "PNEUMONIA")
    names = "".join(f"          '{i}': {word}\n" for i, word in enumerate(words))
    (tmp_path / "README.md").write_text(f"---\n      class_label:\n        names:\n{names}---\n")
    found = {record.image_id: record.label for record in opened(tmp_path).records}
    assert found == {name: int(str(i % 2) == sick) for i, name in enumerate(NAMES)}


def test_headers_that_stand_again_are_no_rows(tmp_path: Path) -> None:
    rows = [f"{name},{('normal', 'pneumonia')[i % 2]}" for i, name in enumerate(NAMES)]
    head = "filename,label"
    (tmp_path / "t.csv").write_text("\n".join([head, *rows[:5], head, *rows[5:], head]))
    source = opened(films(tmp_path, *NAMES))
    assert counted(source) == {(1, None): 6, (0, None): 6}
    assert "2 rows of t.csv repeat the header: left out." in source.notes


@pytest.mark.parametrize("cell", ['"{0};{1}"', '"{0}, {1}"', "{0}|{1}"])
def test_a_cell_that_lists_films_is_a_row_for_each(cell: str, tmp_path: Path) -> None:
    cells = [cell.format(f"s{i}a.png", f"s{i}b.png") for i in range(8)]
    rows = [f"{i},{one},{('normal', 'pneumonia')[i % 2]}" for i, one in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["study,images,finding", *rows]))
    source = opened(films(tmp_path, *(f"s{i}{view}.png" for i in range(8) for view in "ab")))
    found = {r.image_id: (r.label, r.patient_id) for r in source.records}
    assert found == {f"s{i}{v}.png": (i % 2, str(i)) for i in range(8) for v in "ab"}


def test_zeros_beside_other_findings_are_said_where_a_code_is_missing(tmp_path: Path) -> None:
    rows = [f"{name},{99 if i < 2 else i % 2},{int(i % 4 == 0)}" for i, name in enumerate(NAMES)]
    (tmp_path / "t.csv").write_text("\n".join(["image,pneumonia,effusion", *rows]))
    request = DataRequest(str(films(tmp_path, *NAMES)), classes={"99": "ignore"})
    notes = " ".join(opened(tmp_path, request).notes)
    assert "2 of 5 such rows say yes in 'effusion', and count as normal." in notes
