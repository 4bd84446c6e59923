"""The form of the RSNA challenge: boxes, labels, details, and what contradicts itself.

The films here are PNG files under DICOM names: a film is told by its content, not by its name.
"""

import csv
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from pneumoscope.data.prepare import prepare
from pneumoscope.errors import BadLabels, DataNotFound, InputError, UnreadableData, UnreadableImage
from pneumoscope.records import DataRequest, InputSpec, Record, Source
from pneumoscope.sources.forms.rsna import looks_like_rsna, rsna_source
from pneumoscope.sources.places.files import list_films

HEADER = "patientId,x,y,width,height,Target\n"
GOOD = "aa,,,,,0\nbb,10.0,20.0,30.0,40.0,1\nbb,50,60,20,10.5,1\ncc,,,,,0\n"
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "rsna"


def draw(path: Path, side: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (side, side), 90).save(path, format="PNG")


def make(root: Path, rows: str = GOOD, films: str = "aa bb cc", details: str = "") -> Path:
    for film in films.split():
        draw(root / "stage_2_train_images" / f"{film}.dcm")
    (root / "stage_2_train_labels.csv").write_text(HEADER + rows)
    if details:
        (root / "stage_2_detailed_class_info.csv").write_text("patientId,class\n" + details)
    return root


def source(root: Path, **said: object) -> Source:
    return rsna_source(DataRequest(str(root), **said))  # type: ignore[arg-type]


def by_id(found: Source) -> dict[str, Record]:
    records = {record.image_id: record for record in found.records}
    assert len(records) == found.count
    return records


def reasons(found: Source) -> dict[str, str]:
    """Why each film is dropped, for those that are."""
    told = {}
    for record in found.records:
        try:
            record.read(0)
        except UnreadableImage as error:
            told[record.image_id] = error.what
            assert record.label is None or "box" in error.what
    return told


def test_labels_boxes_and_ids(tmp_path: Path) -> None:
    found = source(make(tmp_path / "set"))
    assert (found.form, found.name, found.count, found.native_size) == ("rsna", "set", 3, 100)
    records = by_id(found)
    assert {name: record.label for name, record in records.items()} == {"aa": 0, "bb": 1, "cc": 0}
    assert records["bb"].boxes == ((10, 20, 30, 40), (50, 60, 20, 10.5))
    assert records["aa"].boxes == ()
    assert all(r.private and r.patient_id == r.image_id for r in records.values())
    assert reasons(found) == {}


def test_the_notes_define_the_negatives_and_doubt_the_patients(tmp_path: Path) -> None:
    notes = " ".join(source(make(tmp_path)).notes)
    assert "'No Lung Opacity / Not Normal'" in notes
    assert "not provable" in notes


def test_the_detailed_class_becomes_a_fact(tmp_path: Path) -> None:
    details = "aa,Normal\nbb,Lung Opacity\nbb,Lung Opacity\n"
    records = by_id(source(make(tmp_path, details=details)))
    assert [dict(records[name].facts) for name in ("aa", "bb", "cc")] == [
        {"detail": "Normal"},
        {"detail": "Lung Opacity"},
        {},
    ]


def test_details_that_contradict_are_left_out_or_counted(tmp_path: Path) -> None:
    details = "aa,Normal\naa,Lung Opacity\nbb,Normal\ncc,Lung Opacity\n"
    found = source(make(tmp_path, details=details))
    assert by_id(found)["aa"].facts == {}
    assert "2 films have a Target that differs from their detailed class." in found.notes


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("dd,,,,,0\ndd,1,1,9,9,1\n", "contradictory labels"),
        ("dd,,,,,0\ndd,,,,,1\n", "contradictory labels"),
        ("dd,,,,,\n", "no label"),
        ("dd,1,1,9,9,nan\n", "no label"),
        ("dd,,,,,1\n", "label 1 without a box"),
        ("dd,nan,nan,nan,nan,1\n", "label 1 without a box"),
        ("dd,1,1,9,9,0\n", "label 0 with a box"),
        ("dd,1,1,9,,1\n", ""),
        ("dd,1,nan,9,9,1\n", ""),
        ("dd,-1,1,9,9,1\n", ""),
        ("dd,1,1,-9,9,1\n", ""),
        ("dd,1,1,9,0,1\n", ""),
        ("dd,1,1,inf,9,1\n", ""),
        ("dd,one,1,9,9,1\n", ""),
        ("dd,1,1,9,9,1\ndd,1,1,9,,1\n", ""),
        ("dd,95,1,9,9,1\n", ""),
        ("dd,1,95,9,9,1\n", ""),
        ("dd,1,1,9,9,1\ndd,200,200,9,9,1\n", ""),
        ("dd,91,91,9,9,1\n", ""),
        ("dd,1,1,9,9,yes\n", ""),
        ("dd,1,1,9,9,1.0\n", ""),
        ("", "no row in the label table"),
    ],
)
def test_what_becomes_of_a_film(tmp_path: Path, rows: str, reason: str) -> None:
    found = source(make(tmp_path, GOOD + rows, "aa bb cc dd"))
    assert found.count == 4
    assert reasons(found) == ({"dd": reason} if reason else {})


def test_a_box_that_is_none_is_dropped_and_said_and_costs_no_film(tmp_path: Path) -> None:
    rows = "dd,1,1,9,9,1\ndd,1,1,9,,1\n"
    found = source(make(tmp_path, GOOD + rows, "aa bb cc dd"))
    assert by_id(found)["dd"].boxes == ((1, 1, 9, 9),)
    assert "1 boxes of the table are no rectangles and were dropped." in found.notes
    assert {record.boxes_drawn_on for record in found.records} == {0}


def test_boxes_of_the_challenge_fit_films_that_are_stored_smaller(tmp_path: Path) -> None:
    """They are of 1,024 px, unless they were made smaller with the films of 100 px."""
    rows = "aa,,,,,0\nbb,512,256,256,512,1\ncc,100,40,50,50,1\n"
    found = source(make(tmp_path / "set", rows))
    assert {record.boxes_drawn_on for record in found.records} == {1024}
    table = prepare(found, InputSpec(32, 32), tmp_path / "out", keep_ids=True).table
    boxes = dict(zip(table["image_id"], table["boxes"], strict=True))
    assert [list(box) for box in boxes["bb"]] == [[50, 25, 25, 50]]


def test_rows_without_a_film_are_noted(tmp_path: Path) -> None:
    found = source(make(tmp_path, GOOD + "dd,,,,,0\nee,1,1,9,9,1\n"))
    assert found.count == 3
    assert "2 ids of the label table have no film in the folder." in found.notes


def test_repeated_boxes_are_merged(tmp_path: Path) -> None:
    found = source(make(tmp_path, GOOD + "bb,10.0,20.0,30.0,40.0,1\n"))
    assert len(by_id(found)["bb"].boxes) == 2
    assert "1 rows of the table repeat another and were merged with it." in found.notes


def test_ids_stay_text(tmp_path: Path) -> None:
    found = source(make(tmp_path, "007,,,,,0\n1e5,1,1,9,9,1\n1.0,,,,,0\n", "007 1e5 1.0 7 1.2.840"))
    assert {name: record.label for name, record in by_id(found).items()} == {
        "007": 0,
        "1e5": 1,
        "1.0": 0,
        "7": None,
        "1.2.840": None,
    }


def test_films_under_any_folder_beside_the_table_are_found_without_the_test_films(
    tmp_path: Path,
) -> None:
    make(tmp_path, films="")
    for name in ("x/aa", "y/z/bb", "cc", "stage_2_test_images/tt"):
        draw(tmp_path / f"{name}.dcm")
    found = source(tmp_path)
    assert sorted(by_id(found)) == ["aa", "bb", "cc"]
    assert found.passed_over["test films of the challenge, which have no labels"] == 1


def test_two_films_of_one_id_are_both_refused(tmp_path: Path) -> None:
    make(tmp_path, films="")
    for name in ("x/aa", "y/aa", "x/bb", "x/cc"):
        draw(tmp_path / f"{name}.dcm")
    shared = "several films match one row of the label table"
    assert reasons(source(tmp_path)) == {"x/aa.dcm": shared, "y/aa.dcm": shared}


def test_stage_1_and_another_label_table_are_read(tmp_path: Path) -> None:
    make(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("stage_2", "stage_1"))
    assert source(tmp_path).count == 3
    (tmp_path / "mine.csv").write_text(HEADER + "aa,1,1,9,9,1\nbb,,,,,0\ncc,,,,,0\n")
    assert by_id(source(tmp_path, labels=tmp_path / "mine.csv"))["aa"].label == 1


def test_the_table_of_stage_2_goes_before_that_of_stage_1(tmp_path: Path) -> None:
    (make(tmp_path) / "stage_1_train_labels.csv").write_text(HEADER + "aa,1,1,9,9,1\n")
    assert by_id(source(tmp_path))["aa"].label == 0


def test_films_without_any_row_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="no film has a row in the label table"):
        source(make(tmp_path, films="dd ee"))


def test_a_target_that_is_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="'2'"):
        source(make(tmp_path, GOOD + "dd,,,,,2\n"))


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        ("no folder", DataNotFound, "there is no such folder"),
        ("no table", UnreadableData, "no label table"),
        ("no films", UnreadableData, "the folder holds no films"),
        ("other columns", UnreadableData, "no width, Target in"),
        ("details of another form", UnreadableData, "no class in"),
        ("header only", UnreadableData, "a header but no rows"),
        ("link of the films", UnreadableData, "a link leads out of the folder"),
        ("link of the table", UnreadableData, "a link leads out of the folder"),
        ("link of the details", UnreadableData, "a link leads out of the folder"),
    ],
)
def test_a_broken_folder_is_refused(
    tmp_path: Path, change: str, kind: type[Exception], match: str
) -> None:
    root = make(tmp_path / "set", details="aa,Normal\n")
    table, films = root / "stage_2_train_labels.csv", root / "stage_2_train_images"
    details = root / "stage_2_detailed_class_info.csv"
    if change == "no folder":
        shutil.rmtree(root)
    elif change == "no table":
        table.unlink()
    elif change == "no films":
        shutil.rmtree(films)
    elif change == "other columns":
        table.write_text("patientId,x,y,height\naa,1,1,1\n")
    elif change == "details of another form":
        details.write_text("patientId,kind\naa,Normal\n")
    elif change == "header only":
        table.write_text(HEADER)
    else:
        path = {"films": films, "table": table, "details": details}[change.split()[-1]]
        path.rename(tmp_path / "away")
        path.symlink_to(tmp_path / "away")
    with pytest.raises(kind, match=match):
        source(root)


def test_named_columns_are_refused_rather_than_ignored(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the columns of the RSNA form are fixed"):
        source(make(tmp_path), columns={"label": "Target"})


def test_the_fingerprint_follows_labels_details_and_films(tmp_path: Path) -> None:
    seen = [source(make(tmp_path)).fingerprint]
    assert source(tmp_path).fingerprint == seen[0]
    seen.append(source(make(tmp_path, films="", details="aa,Normal\n")).fingerprint)
    seen.append(source(make(tmp_path, films="", details="cc,Normal\n")).fingerprint)
    changed = GOOD.replace("cc,,,,,0", "cc,1,1,9,9,1")
    seen.append(source(make(tmp_path, changed, films="")).fingerprint)
    draw(tmp_path / "stage_2_train_images" / "aa.dcm", 120)
    seen.append(source(tmp_path).fingerprint)
    assert len(set(seen)) == len(seen)


def test_what_looks_like_rsna(tmp_path: Path) -> None:
    assert looks_like_rsna(tmp_path) is None
    assert looks_like_rsna(tmp_path / "none") is None
    (tmp_path / "stage_2_train_labels.csv").mkdir()
    assert looks_like_rsna(tmp_path) is None
    (tmp_path / "stage_2_train_labels.csv").rmdir()
    assert looks_like_rsna(make(tmp_path)) == "stage_2_train_labels.csv lies in the folder"
    assert looks_like_rsna(tmp_path / "stage_2_train_labels.csv") is None


needs_real = pytest.mark.skipif(
    not (REAL / "stage_2_train_labels.csv").is_file(),
    reason="no ../shared/data/rsna beside the checkout",
)


@needs_real
def test_the_real_label_table_opens_in_the_time_of_a_few_listings(tmp_path: Path) -> None:
    shutil.copy(REAL / "stage_2_train_labels.csv", tmp_path)
    with (REAL / "stage_2_train_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ids = {row["patientId"] for row in rows}
    films = tmp_path / "stage_2_train_images"
    films.mkdir()
    for name in ids:
        (films / f"{name}.dcm").touch()
    start = time.process_time()
    listed = list_films(films)
    with (tmp_path / "stage_2_train_labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    plain = time.process_time() - start
    start = time.process_time()
    found = source(tmp_path)
    # Five times the plain listing and reading; seconds would follow the machine.
    assert time.process_time() - start < 12 * plain and len(listed.files) == len(ids)
    records = list(found.records)
    positive = {row["patientId"] for row in rows if row["Target"] == "1"}
    assert {r.image_id for r in records if r.label == 1} == positive
    assert (len(records), len(positive)) == (26684, 6012)
    boxes = {(row["patientId"], float(row["x"]), float(row["height"])) for row in rows if row["x"]}
    assert {(r.image_id, box[0], box[3]) for r in records for box in r.boxes} == boxes
    assert sum(len(r.boxes) for r in records) == 9555


@needs_real
def test_the_real_film_alone_has_no_row(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="no film has a row in the label table"):
        source(REAL)
