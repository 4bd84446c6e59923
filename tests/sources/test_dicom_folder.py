"""A folder of films with a table of labels: which row is which film's.

The films are PNG files, some under DICOM names: a film is told by its content.
"""

from pathlib import Path

import pytest
from PIL import Image

from pneumoscope.errors import BadLabels, DataNotFound, InputError, UnreadableData, UnreadableImage
from pneumoscope.records import DataRequest, Record, Source
from pneumoscope.sources.forms.labelled import labelled_folder_source
from pneumoscope.sources.places.match import Names, meet

BITS = {"0": "normal", "1": "pneumonia"}
FILMS = ("a/1.dcm", "a/2.DCM", "b/3.png", "b/c/4", "1.2.840.5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in FILMS:
        draw(root / name)
    return root


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (60, 50), 90).save(path, format="PNG")


def source(folder: Path, text: str, **said: object) -> Source:
    table = folder.parent / "labels.csv"
    table.write_text(text, encoding="utf-8")
    return labelled_folder_source(DataRequest(str(folder), labels=table, **said))  # type: ignore[arg-type]


def by_id(found: Source) -> dict[str, Record]:
    records = {record.image_id: record for record in found.records}
    assert len(records) == found.count
    return records


def reasons(found: Source) -> dict[str, str]:
    told = {}
    for record in found.records:
        try:
            record.read(0)
        except UnreadableImage as error:
            told[record.image_id] = error.what
    return told


@pytest.mark.parametrize(
    "ids",
    [
        FILMS,
        ("a/1", "a/2", "b/3", "b/c/4", "1.2.840.5"),
        ("1.dcm", "2.DCM", "3.png", "4", "1.2.840.5"),
        ("1", "2", "3", "4", "1.2.840.5"),
        ("./a/1", "a\\2.DCM", "b//3", "b\\c\\4", "1.2.840.5"),
    ],
    ids=["path", "path-without-suffix", "name", "stem", "spelt-otherwise"],
)
def test_a_row_names_its_film_in_any_of_four_ways(folder: Path, ids: tuple[str, ...]) -> None:
    rows = [f"{name},{place % 2}" for place, name in enumerate(ids)]
    found = source(folder, "id,pneumonia\n" + "\n".join(rows) + "\n")
    assert {name: r.label for name, r in by_id(found).items()} == {
        film: place % 2 for place, film in enumerate(FILMS)
    }
    assert reasons(found) == {}
    assert (found.form, found.name, found.native_size) == ("labelled", "set", 60)


def test_dicom_films_are_private_and_with_a_patient_column_all_are(folder: Path) -> None:
    rows = "id,pneumonia\n1,0\n2,1\n3,0\n4,1\n1.2.840.5,0\n"
    private = {name: record.private for name, record in by_id(source(folder, rows)).items()}
    assert private == {film: film != "b/3.png" for film in FILMS}
    found = source(folder, "id,pneumonia,patient\n3,0,p\n1,1,q\n")
    assert all(record.private for record in found.records)


def test_films_without_a_row_and_rows_without_a_film(folder: Path) -> None:
    found = source(folder, "id,pneumonia\n1,0\n2,1\n77,1\n88,0\n")
    assert found.count == 5
    no_row = "no row in the label table"
    assert reasons(found) == dict.fromkeys(("b/3.png", "b/c/4", "1.2.840.5"), no_row)
    assert "2 ids of the table name no film in the folder (1 normal, 1 pneumonia)." in found.notes


def test_a_stem_that_two_films_have_is_refused_for_both(folder: Path) -> None:
    draw(folder / "z" / "1.png")
    shared = "several films match one row of the label table"
    rows = "2,1\n3,0\n4,0\n1.2.840.5,0\n"
    assert reasons(source(folder, "id,pneumonia\n1,0\n" + rows)) == {
        "a/1.dcm": shared,
        "z/1.png": shared,
    }
    by_path = source(folder, "id,pneumonia\na/1,0\nz/1,1\n" + rows)
    assert reasons(by_path) == {}
    assert [by_id(by_path)[name].label for name in ("a/1.dcm", "z/1.png")] == [0, 1]
    one = source(folder, "id,pneumonia\na/1,0\n" + rows)
    assert reasons(one) == {"z/1.png": "no row in the label table"}


def test_bad_rows_are_given_back_as_reasons(folder: Path) -> None:
    found = source(folder, "id,pneumonia\n1,0\n1,1\n2,\n3,1\n4,0\n,1\n../../etc/passwd,1\n")
    assert reasons(found) == {
        "a/1.dcm": "contradictory labels",
        "a/2.DCM": "no label",
        "1.2.840.5": "no row in the label table",
    }


def test_patient_split_facts_and_boxes_come_along(folder: Path) -> None:
    header = "id,pneumonia,patient,split,age,x,y,width,height\n"
    rows = "1,1,007,train,30,1,2,3,4\n1,1,007,train,30,5,6,7,8\n2,0,8,TEST,41,,,,\n"
    rows += "3,1,8,val,5,50,40,11,1\n4,1,9,val,6,55,1,9,9\n"
    records = by_id(source(folder, header + rows))
    first, second = records["a/1.dcm"], records["a/2.DCM"]
    assert (first.label, first.patient_id, first.split) == (1, "007", "train")
    assert first.boxes == ((1, 2, 3, 4), (5, 6, 7, 8))
    assert dict(first.facts) == {"age": 30}
    assert (second.label, second.patient_id, second.split, second.boxes) == (0, "8", "test", ())
    assert records["b/3.png"].read(0).width == 60
    assert records["b/c/4"].read(0).width == 60  # a box outside the film costs no film


def test_a_column_of_numbers_is_not_taken_for_file_names(folder: Path) -> None:
    with pytest.raises(InputError, match="no column of the table names the films"):
        source(folder, "stage,label\n1,0\n2,1\n")


def test_ids_with_zeros_are_not_taken_for_numbers(folder: Path) -> None:
    for name in ("007.dcm", "7.dcm"):
        draw(folder / "n" / name)
    records = by_id(source(folder, "id,pneumonia\n007,1\n7,0\n"))
    assert (records["n/007.dcm"].label, records["n/7.dcm"].label) == (1, 0)


def test_the_column_that_names_films_is_found_and_can_be_named(folder: Path) -> None:
    rows = "path,dicom,flag,pneumonia\nx,1,1,0\ny,2,0,1\n"
    found = source(folder, rows)
    assert "'dicom'" in found.why
    assert by_id(found)["a/1.dcm"].label == 0
    said = source(
        folder,
        rows,
        columns={"label": "flag", "image": "dicom"},
        classes={"0": "normal", "1": "pneumonia"},
    )
    assert by_id(said)["a/1.dcm"].label == 1
    with pytest.raises(BadLabels, match="no film has a row in the label table"):
        source(folder, rows, columns={"image": "path"})


def test_ignored_classes_are_passed_over(folder: Path) -> None:
    rows = "id,pneumonia\n1,normal\n2,pneumonia\n3,tb\n"
    found = source(folder, rows, classes={"tb": "ignore"})
    assert found.count == 4
    assert "b/3.png" not in by_id(found)
    assert found.passed_over["films of a class that was said to be ignored"] == 1


def test_a_film_whose_name_is_no_unicode_is_named_and_dropped(folder: Path) -> None:
    raw = b"f\xff.png"
    (Path(str(folder)) / raw.decode("utf-8", "surrogateescape")).write_bytes(b"x")
    found = source(folder, "id,pneumonia\n1,0\n2,1\n")
    odd = [name for name in reasons(found) if name.startswith("f")]
    assert len(odd) == 1
    odd[0].encode()


def test_a_film_that_goes_away_is_dropped(folder: Path) -> None:
    found = source(folder, "id,pneumonia\n1,0\n2,1\n3,0\n4,1\n1.2.840.5,0\n")
    (folder / "a" / "1.dcm").unlink()
    assert list(reasons(found)) == ["a/1.dcm"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("id,pneumonia\n9,0\n8,1\n", "no film has a row in the label table"),
        ("id,pneumonia\n1,\n2,\n", "no row of the table has a path and a label"),
        ("id,pneumonia\n1,covid\n", "'covid'"),
        ("id,whatever\n1,0\n", "no column of the table holds labels"),
        ("id,pneumonia,split\n1,0,extra\n2,1,train\n", "holds what is no split"),
    ],
)
def test_tables_that_do_not_fit_are_refused(folder: Path, text: str, match: str) -> None:
    with pytest.raises(BadLabels, match=match):
        source(folder, text)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--labels FILE"):
        labelled_folder_source(DataRequest(str(folder)))
    with pytest.raises(DataNotFound, match="there is no such table"):
        labelled_folder_source(DataRequest(str(folder), labels=tmp_path / "none.csv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableData, match="the folder holds no films"):
        source(tmp_path / "empty", "id,pneumonia\n1,0\n")
    with pytest.raises(DataNotFound, match="there is no such folder"):
        source(tmp_path / "none", "id,pneumonia\n1,0\n")


def test_the_fingerprint_follows_labels_films_and_what_was_said(folder: Path) -> None:
    rows = "id,pneumonia,tag\n1,0,1\n2,1,0\n"
    seen = [source(folder, rows).fingerprint]
    assert source(folder, rows).fingerprint == seen[0]
    seen.append(source(folder, rows.replace("1,0,1", "1,1,1")).fingerprint)
    seen.append(source(folder, rows, columns={"label": "tag"}, classes=BITS).fingerprint)
    draw(folder / "new.png")
    seen.append(source(folder, rows).fingerprint)
    assert len(set(seen)) == len(seen)


def test_names_that_differ_in_case_accents_and_extension_meet(folder: Path) -> None:
    draw(folder / "R\u00f6ntgen.png")
    draw(folder / "ro\u0308ntgen 2.png")
    rows = (
        "A/1.DCM,0\nRo\u0308ntgen.jpeg,1\nR\u00d6NTGEN 2.png,0\nb/3.dcm,1\n2,0\n4,1\n1.2.840.5,0\n"
    )
    found = source(folder, "id,pneumonia\n" + rows)
    assert reasons(found) == {}
    assert sum("were met by" in note for note in found.notes) > 1


def test_paths_of_another_machine_meet_by_their_ends(folder: Path) -> None:
    rows = "C:\\Users\\M\u00fcller\\set\\a\\1.dcm;0\n/content/drive/set/a/2.DCM;1\n"
    rows += "https://example.org/x/3.png?raw=1;0\n../input/b/c/4;1\n./1.2.840.5;0\n"
    found = source(folder, "id;pneumonia\n" + rows)
    assert reasons(found) == {}
    assert any("found by the end of their paths" in note for note in found.notes)


def test_a_table_that_meets_no_film_says_how_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(BadLabels) as error:
        source(folder, "id,pneumonia\nC:\\x\\77.dcm,0\n", columns={"image": "id"})
    assert "'77.dcm'" in str(error.value) and "'a/1.dcm'" in str(error.value)


def test_several_readers_of_a_film_are_a_majority(folder: Path) -> None:
    rows = "1,a,1\n1,b,1\n1,c,0\n2,a,0\n2,b,1\n2,c,0\n3,a,0\n3,b,0\n3,c,0\n"
    rows += "4,a,1\n4,b,1\n4,c,1\n1.2.840.5,a,0\n"
    header = "image_id,rad_id,pneumonia\n"
    found = by_id(source(folder, header + rows))
    assert [found[film].label for film in FILMS] == [1, 0, 0, 1, 0]
    found = by_id(source(folder, header + rows, readers="any"))
    assert [found[film].label for film in FILMS] == [1, 1, 0, 1, 0]
    with pytest.raises(BadLabels, match="--readers strict"):
        source(folder, header + rows + "1.2.840.5,b,1\n")
    strict = source(folder, header + rows + "1.2.840.5,b,1\n", readers="strict")
    assert [by_id(strict)[film].label for film in FILMS[:4]] == [1, 0, 0, 1]
    assert strict.passed_over == {"films of which no label has a majority of readers": 1}


def test_lists_say_the_splits(folder: Path) -> None:
    (folder / "train_val_list.txt").write_text("a/1.dcm\n2.DCM\n3.png\n")
    (folder / "test_list.txt").write_text("4\n1.2.840.5\n")
    found = source(folder, "id,pneumonia\n1,0\n2,1\n3,0\n4,1\n1.2.840.5,0\n")
    splits = {name: record.split for name, record in by_id(found).items()}
    assert [splits[film] for film in FILMS] == ["train", "train", "train", "test", "test"]
    assert any("train_val_list.txt" in note for note in found.notes)


def test_films_of_a_test_split_that_has_no_labels_are_counted_apart(folder: Path) -> None:
    draw(folder / "test_images" / "9.png")
    draw(folder / "more" / "8.png")
    found = source(folder, "id,pneumonia\n1,0\n2,1\n3,0\n4,1\n1.2.840.5,0\n")
    assert found.passed_over["films of a test split that the label table does not name"] == 1
    assert reasons(found) == {"more/8.png": "no row in the label table"}


def test_masks_are_no_films_here_either(folder: Path) -> None:
    draw(folder / "masks" / "3.png")
    draw(folder / "b" / "3_mask.png")
    found = source(folder, "id,pneumonia\n1,0\n2,1\n3,0\n4,1\n1.2.840.5,0\n")
    assert (found.count, found.passed_over["masks and annotations"]) == (5, 2)


def test_made_up_answers_of_a_challenge_are_no_labels(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for split in ("train", "test"):
        for number in range(4):
            draw(root / split / f"{split[:2]}{number}.png")
    rows = "".join(f"tr{i}.png,{('normal', 'pneumonia')[i % 2]}\n" for i in range(4))
    (root / "train.csv").write_text("file,label\n" + rows)
    (root / "test.csv").write_text("file\n" + "".join(f"te{i}.png\n" for i in range(4)))
    answers = "".join(f"te{i}.png,normal\n" for i in range(4))
    (root / "sample_submission.csv").write_text("file,label\n" + answers)
    found = labelled_folder_source(DataRequest(str(root)))
    assert sorted(record.label for record in found.records) == [0, 0, 1, 1]
    assert found.passed_over["films of a test split that the label table does not name"] == 4


def test_an_id_written_as_a_number_with_and_without_a_point_is_one_patient(folder: Path) -> None:
    text = "id,label,patient_id\na/1,normal,12\na/2,normal,12.0\nb/3,pneumonia,7\n"
    records = by_id(source(folder, text))
    assert records["a/1.dcm"].patient_id == records["a/2.DCM"].patient_id == "12"
    assert records["b/3.png"].patient_id == "7"


def test_the_row_of_a_missing_film_takes_no_film_from_its_own_row() -> None:
    """Stems repeat in each patient's folder; the table names one patient more than there is."""
    paths = [f"pat{n}/thx_{k}.png" for n in range(4) for k in range(2)]
    keys = [f"X:\\Export\\PAT{n}\\THX_{k}.DCM" for n in (*range(4), 9) for k in range(2)]
    met = meet(keys, Names(paths))
    assert met.places.tolist() == list(range(8))
    # Where nothing but the shared name meets, it says nothing of any film.
    assert meet(["thx_0.dcm"], Names(paths)).places.tolist() == [-2, -1] * 4
    assert meet(["a/thx.dcm", "b/thx.dcm"], Names(["thx.png"])).places.tolist() == [-2]


def test_patients_of_names_go_before_a_column_of_their_studies(tmp_path: Path) -> None:
    """BIDS: each subject has several sessions, whose numbers the column ReportID holds."""
    rows, place = ["ImageID,ReportID,Label"], tmp_path / "bimcv"
    for subject in range(4):
        for session in range(2):
            for run in range(2):
                name = f"sub-S{subject:03}_ses-E{subject}{session}_run-{run}_vp-pa_cr.png"
                folder = place / f"sub-S{subject:03}" / f"ses-E{subject}{session}"
                folder.mkdir(parents=True, exist_ok=True)
                draw(folder / name)
                label = ("normal", "pneumonia")[subject % 2]
                rows.append(f"{name},E{subject}{session},{label}")
    found = source(place, "\n".join(rows) + "\n")
    patients = [record.patient_id for record in found.records]
    assert len(set(patients)) == 4 and None not in patients
    assert found.patients == "film names"
    assert not any("one study" in note for note in found.notes)
