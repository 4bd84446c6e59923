"""A set that has labels somewhere never opens as one without: they are read, or asked about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.helpers.opening import Counts, asked, counted, films, many, opened

from pneumoscope.errors import BadLabels, InputError, UnreadableData
from pneumoscope.records import DataRequest
from pneumoscope.sources.asked import answered
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells


def followed(root: Path, error: InputError) -> Counts:
    return counted(opened(root, answered(DataRequest(str(root)), error.answer)))


FOLDERS = {
    "Italian, above patients": (
        many("Sani/PZ{:04}/ESAME1/I.png", 6) + many("Polmonite sospetta/PZ{:04}/ESAME1/I.png", 5),
        {"Sani": "normal", "Polmonite sospetta": "ignore"},
    ),
    "German, below patients": (
        many("Pat_{:03}/2020-01-05/o.B/a.png", 6)
        + many("Pat_{:03}/2020-02-06/Pneumonei/a.png", 5, 6),
        {"o.B": "normal", "Pneumonei": "pneumonia"},
    ),
    "French, below splits and sites": (
        many("train/CHU 1/RAS/p{}.png", 5)
        + many("train/CHU 2/Pneumopathie infectieuse/p{}.png", 5, 5)
        + many("test/CHU 1/RAS/p{}.png", 3, 20),
        {"RAS": "normal", "Pneumopathie infectieuse": "pneumonia"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_unknown_words_are_asked_about_with_counts(name: str, tmp_path: Path) -> None:
    paths, offers = FOLDERS[name]
    error = asked(films(tmp_path, *paths))
    assert isinstance(error, BadLabels)
    for word, offer in offers.items():
        known = word == "Sani"
        assert (
            known or (word, sum(f"/{word}/" in f"/{path}" for path in paths), offer) in error.words
        )
    assert ("--form unlabelled" in str(error)) == ("Sani" not in offers)  # which is known
    if "ignore" not in offers.values():
        found = followed(tmp_path, error)
        assert sum(n for (label, _), n in found.items() if label == 1) == 5
        assert sum(found.values()) == len(paths)


def test_folders_without_any_hint_are_asked_about_and_may_be_none(tmp_path: Path) -> None:
    films(tmp_path, *many("Gruppe A/{}.png", 4), *many("Gruppe B/{}.png", 5))
    error = asked(tmp_path)
    assert isinstance(error, BadLabels)
    assert error.words == (("Gruppe B", 5, "ignore"), ("Gruppe A", 4, "ignore"))
    assert error.answer == ("--classes", "words.csv")
    assert "--form unlabelled" in str(error)
    source = opened(tmp_path, DataRequest(str(tmp_path), form="unlabelled"))
    assert counted(source) == {(None, None): 9}


@pytest.mark.parametrize(
    "paths",
    [
        many("PAT{:05}/ST1/SE1/a.png", 6),
        many("site A/{}.png", 3) + many("site B/{}.png", 3),
        many("png/{}.png", 3) + many("dicom/x{}.png", 3),
        many("2020/{}.png", 3) + many("2021/{}.png", 3),
        many("AP/{}.png", 3) + many("PA/{}.png", 3),
    ],
)
def test_folders_of_another_use_are_no_classes(paths: list[str], tmp_path: Path) -> None:
    assert opened(films(tmp_path, *paths)).form == "unlabelled"


def test_splits_stay_where_nothing_has_a_label(tmp_path: Path) -> None:
    films(tmp_path, *many("Training/{}.png", 4), *many("Testing/x{}.png", 2))
    assert counted(opened(tmp_path)) == {(None, "train"): 4, (None, "test"): 2}


def table(root: Path, columns: dict[str, list[str]], name: str = "sheet.csv") -> Path:
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
    (root / name).write_text("\n".join(lines))
    return films(root, *(f"imgs/{film}.png" for film in columns["film"]))


FILMS = many("rx{:03}", 12)
FIRST = ["Primary pneumonia"] * 4 + ["other shadow"] * 2 + ["clear of consolidation"] * 6


def test_of_readers_and_a_final_reading_the_final_one_is_offered(tmp_path: Path) -> None:
    columns = {
        "film": FILMS,
        "rad_1": FIRST,
        "rad_2": FIRST[::-1],
        "arbiter": FIRST[:3] + [""] * 9,
        "agreed_reading": FIRST,
    }
    error = asked(table(tmp_path, columns))
    assert error.answer[:2] == ("--column", "label=agreed_reading")
    assert "'Primary pneumonia' × 4" in str(error)
    assert "'rad_1', 'rad_2', 'arbiter' seem to be of one reader each" in str(error)
    assert "--form unlabelled" in str(error)


def test_of_whole_columns_of_class_words_the_final_one_is_offered(tmp_path: Path) -> None:
    plain = ["Pneumonia", "Normal"] * 6
    columns = {"film": FILMS, "rater_a": plain[::-1], "consensus": plain, "rater_b": plain}
    error = asked(table(tmp_path, columns))
    assert error.answer == ("--column", "label=consensus")
    assert followed(tmp_path, error) == {(1, None): 6, (0, None): 6}


def test_numbers_in_a_column_of_an_unknown_name_are_asked_about(tmp_path: Path) -> None:
    columns = {"film": FILMS, "eta": ["40", "50", "60"] * 4, "esito": ["0", "1"] * 6}
    error = asked(table(tmp_path, columns))
    assert error.answer[:2] == ("--column", "label=esito")
    assert "'eta'" not in str(error)
    assert followed(tmp_path, error) == {(0, None): 6, (1, None): 6}


def test_a_candidate_with_class_words_is_never_hidden(tmp_path: Path) -> None:
    others = {f"c{i}": ["k", "l"] * 6 for i in range(12)}
    columns = {"film": FILMS, **others, "bemerkung": ["Lungenentzuendung re", "unklar"] * 6}
    error = asked(table(tmp_path, columns))
    assert error.answer[:2] == ("--column", "label=bemerkung")
    assert "'bemerkung': " in str(error) and "and 5 more" in str(error)


def test_a_table_of_labels_goes_before_one_that_could_hold_some(tmp_path: Path) -> None:
    table(tmp_path, {"film": FILMS, "gerät": ["a", "b"] * 6}, "meta.csv")
    table(tmp_path, {"film": FILMS, "label": ["normal", "pneumonia"] * 6}, "labels.csv")
    assert counted(opened(tmp_path)) == {(0, None): 6, (1, None): 6}


def coco(root: Path, name: str, names: list[str], boxes: dict[str, list[int]]) -> None:
    shown = [(at, kind) for at, kinds in enumerate(boxes.values()) for kind in kinds]
    found = {
        "images": [{"id": at, "file_name": film} for at, film in enumerate(boxes)],
        "categories": [{"id": at, "name": name} for at, name in enumerate(names)],
        "annotations": [{"id": 0, "image_id": at, "category_id": kind} for at, kind in shown],
    }
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(found))


def test_coco_in_each_split_is_read_and_films_without_boxes_are_asked_about(
    tmp_path: Path,
) -> None:
    for split, count in (("train", 8), ("valid", 4), ("test", 4)):
        boxes = {f"{split}{i}.png": [1 + i % 2] * (1 + i % 3) for i in range(count)}
        boxes |= {f"{split}_bare.png": []}
        films(tmp_path, *(f"{split}/{film}" for film in boxes))
        coco(tmp_path, f"{split}/_annotations.coco.json", ["set", "Normal", "Pneumonia"], boxes)
    error = asked(tmp_path)
    assert isinstance(error, BadLabels)
    assert error.words == (("no box", 3, "ignore"),)
    halves = {
        (label, split): n
        for label in (0, 1)
        for split, n in (("train", 4), ("val", 2), ("test", 2))
    }
    assert followed(tmp_path, error) == halves  # fmt: skip


def test_coco_of_pneumonia_alone_offers_normal_for_films_without_boxes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        boxes = {f"{split}_{i}.png": [7] * (i % 2) for i in range(6)}
        films(tmp_path, *(f"images/{film}" for film in boxes))
        names = ["?"] * 7 + ["Lungenentzündung"]
        coco(tmp_path, f"annotations/instances_{split}.json", names, boxes)
    error = asked(tmp_path)
    assert error.answer == ("--classes", "no box=normal")
    assert followed(tmp_path, error) == {(k, s): 3 for k in (0, 1) for s in ("train", "val")}


@pytest.mark.parametrize("names", ["[sain, pneumonie]", "{0: sain, 1: pneumonie}"])
def test_texts_of_yolo_are_read_with_their_list_of_classes(names: str, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for i in range(6):
            films(tmp_path, f"{split}/images/{split}{i}.png")
            text = tmp_path / f"{split}/labels/{split}{i}.txt"
            text.parent.mkdir(exist_ok=True)
            text.write_text(f"{i % 2} 0.5 0.5 0.2 0.2\n" * (1 + i % 2))
    (tmp_path / "data.yaml").write_text(f"train: train/images\nnc: 2\nnames: {names}\n")
    found = {(label, split): 3 for label in (0, 1) for split in ("train", "val")}
    assert counted(opened(tmp_path)) == found


def voc(root: Path, film: str, shown: list[str], where: str = "", head: str = "") -> None:
    """A film, and its annotation in ``where`` or beside it."""
    films(root, film)
    path = root / (f"{where}/{Path(film).stem}.xml" if where else film[:-3] + "xml")
    path.parent.mkdir(parents=True, exist_ok=True)
    boxes = "".join(f"<object><name>{one}</name><bndbox/></object>" for one in shown)
    path.write_text(f"{head}<annotation><filename>x.jpg</filename>{boxes}</annotation>")


@pytest.mark.parametrize(
    ("film", "where"),
    [
        ("{0}/f{1}_png.rf.a{1}.jpg", ""),  # as Roboflow exports it
        ("{0}/images/{1}.png", "{0}/annotations"),
        ("JPEGImages/{0}_{1}.jpg", "Annotations"),
    ],
)
def test_pascal_voc_is_read_film_by_film(film: str, where: str, tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for i in range(4):
            shown = ["neumonía"] * 2 if i % 2 else []
            voc(tmp_path, film.format(split, i), shown, where.format(split))
    error = asked(tmp_path)
    assert error.answer == ("--classes", "no box=normal")
    found = followed(tmp_path, error)
    assert found == {(k, s): 2 for k in (0, 1) for s in ("train", "val", "test")}


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        "<!doctype a>",
        "<annotation>" + " " * (1 << 20),
    ],
)
def test_an_annotation_that_may_not_be_parsed_is_refused(head: str, tmp_path: Path) -> None:
    for i in range(4):
        voc(tmp_path, f"{i}.png", ["pneumonia"], head=head if i == 2 else "")
    with pytest.raises(UnreadableData, match="Pascal VOC (declares|is too large)") as error:
        opened(tmp_path)
    assert str(error.value.got) == "2.xml"


@pytest.mark.parametrize(
    "found",
    [
        {"rx{:03}.png": ["sano"], "rx1{:02}.png": ["neumonía"]},
        {"meta": {"by": "x"}, "cases": [{"film": "rx{:03}", "label": "sano"},
                                        {"film": "rx1{:02}", "label": "neumonía"}]},
        [{"film": "rx{:03}", "label": "sano"}, {"film": "rx1{:02}", "label": "neumonía"}],
    ],
)  # fmt: skip
def test_labels_in_json_of_other_forms_are_read(found: object, tmp_path: Path) -> None:
    films(tmp_path, "rx000.png", "rx100.png")
    (tmp_path / "labels.json").write_text(
        json.dumps(found).replace("{:03}", "000").replace("{:02}", "00")
    )
    assert counted(opened(tmp_path)) == {(0, None): 1, (1, None): 1}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("{}.xml", "<annotation><object/></annotation>", "Pascal VOC"),
        ("export.json", '{"v": {"rx000": {"regions": [{"x": ["rx001 rx002 rx003"]}]}, "a": [[1]]}}',
         "export.json"),
        ("befunde.xls", "\0\1", "befunde.xls"),
        ("metadata.jsonl", '{"file_name": "rx000 rx001 rx002 rx003", "objects": {"c": [1]}}',
         "'objects'"),
        ("lists/neumonia.txt", "rx000.png\nrx001.png\nrx002.png", "neumonia"),
    ],
)  # fmt: skip
def test_what_could_hold_labels_and_is_not_read_is_named(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    paths = many("rx{:03}.png", 4)
    films(tmp_path, *paths)
    for path in {name.format(path.removesuffix(".png")) for path in paths}:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    with pytest.raises(UnreadableData, match="hold (its|their) label") as error:
        opened(tmp_path)
    assert said in str(error.value.got) and "--form unlabelled" in str(error.value)
    assert opened(tmp_path, DataRequest(str(tmp_path), form="unlabelled")).count == 4


@pytest.mark.parametrize(
    "paths",
    [
        many("sano_{:03}.png", 4) + many("neumonia_{:03}.png", 3) + many("rx_{}.png", 2),
        many("person{}_bacteria_1.png", 4) + many("IM-0{}.png", 3),
    ],
)
def test_names_of_films_that_say_what_they_show_are_told(paths: list[str], tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="the names of the films") as error:
        opened(films(tmp_path, *paths))
    assert "--form unlabelled" in str(error.value)


def test_links_out_of_a_folder_without_films_are_told_as_such(tmp_path: Path) -> None:
    films(tmp_path / "store", *many("NORMAL/{}.png", 3))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train").symlink_to(tmp_path / "store")
    with pytest.raises(UnreadableData, match="symbolic links") as error:
        opened(tmp_path / "set")
    assert error.value.answer[0] == "--links"
    assert "--form unlabelled" not in str(error.value)


@pytest.mark.parametrize(
    ("files", "form"),
    [
        ({"README.md": "About rx000", "LICENSE.txt": "free", "config.json": '{"a": {"b": [1]}}'},
         "unlabelled"),
        ({"ages.csv": "film,age\nrx000,40\nrx001,50\nrx002,60\nrx003,70"}, "unlabelled"),
    ],
)  # fmt: skip
def test_texts_of_another_use_stop_nothing(
    files: dict[str, str], form: str, tmp_path: Path
) -> None:
    films(tmp_path, *many("rx{:03}.png", 4))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert opened(tmp_path).form == form


def test_the_rest_names_every_frequent_word() -> None:
    cells = {"normal": 500, "pneumonia": 500} | {f"finding {c}": 40 for c in "abcdefgh"} | {"z": 1}
    with pytest.raises(BadLabels) as error:
        read_cells(cells, Question("a table", findings=True), {})
    assert all(f"'finding {c}' × 40" in str(error.value) for c in "abcdefgh")
    assert "and 1 more" in str(error.value)


@pytest.mark.parametrize("kind", ["choices", "rectanglelabels"])
@pytest.mark.parametrize(
    "name", ["/data/upload/3/0a1b2c3d-{}", "/data/local-files/?d=set/{}", "{}"]
)
def test_label_studios_json_is_read(name: str, kind: str, tmp_path: Path) -> None:
    paths = many("rx{:03}.png", 6)
    films(tmp_path, *paths)
    tasks = [
        {
            "id": at,
            "data": {"image": name.format(path)},
            "annotations": [
                {"was_cancelled": True, "result": [{"value": {kind: ["Fracture"]}}]},
                {"result": [{"value": {kind: ["Normal" if at % 3 else "Pneumonia"]}}]},
            ],
        }
        for at, path in enumerate(paths)
    ]
    (tmp_path / "project-1.json").write_text(json.dumps(tasks))
    assert counted(opened(tmp_path)) == {(0, None): 4, (1, None): 2}
