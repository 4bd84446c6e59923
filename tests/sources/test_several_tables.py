"""Several tables of one set: parts with a split in each name, one within another, and joins."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from pneumoscope.errors import InputError, UnreadableImage
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Record, Source
from pneumoscope.sources.detect import open_source

Rows = Sequence[Sequence[object]]


def draw(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (24, 20), 90).save(root / name, format="PNG")


def write(file: Path, head: str, rows: Rows, mark: str = ",") -> None:
    text = "".join(mark.join(map(str, row)) + "\n" for row in [head.split(","), *rows])
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text, encoding="utf-8")


def opened(root: Path, **said: object) -> Source:
    return open_source(DataRequest(str(root), **said), root, Silent())  # type: ignore[arg-type]


def counts(found: Source) -> Counter[tuple[str | None, int | None]]:
    return Counter((one.split, one.label) for one in found.records)


def records(found: Source) -> dict[str, Record]:
    return {one.image_id: one for one in found.records}


WORDS = ("normal", "pneumonia")


def rows_of(root: Path, first: int, count: int) -> list[tuple[str, str]]:
    names = [f"f{number}.png" for number in range(first, first + count)]
    draw(root / "pics", *names)
    return [(name, WORDS[place % 2]) for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("head", "words"), [("fn,dx", "ab"), ("fn,dx", "01"), ("datei,befund_x", ("no", "yes"))]
)
def test_a_part_of_one_class_belongs_to_its_sisters(
    head: str, words: Sequence[str], tmp_path: Path
) -> None:
    for first, split, count in ((0, "train", 12), (20, "val", 6), (40, "test", 8)):
        films = [name for name, _ in rows_of(tmp_path, first, count)]
        cells = [words[0 if split == "val" else place % 2] for place in range(count)]
        write(tmp_path / f"{split}.csv", head, list(zip(films, cells, strict=True)))
    with pytest.raises(InputError) as error:
        opened(tmp_path)
    assert "val.csv" in str(error.value)
    meanings = dict(zip(words, WORDS, strict=True))
    found = opened(tmp_path, columns={"label": head.partition(",")[2]}, classes=meanings)
    assert counts(found)["val", 0] == 6 and found.count == 26


@pytest.mark.parametrize(
    "names",
    [
        ("cohort_train.csv", "cohort_balanced-val.csv", "cohort_test.csv"),
        ("Train_data.tsv", "valid.tsv", "films for testing.tsv"),
        ("development/train.csv", "development/dev.csv", "held/Test-list.csv"),
    ],
)
def test_tables_of_the_same_columns_are_one_in_parts_whose_names_give_the_splits(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for place, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        mark = "\t" if name.endswith("tsv") else ","
        write(tmp_path / name, "film,finding", rows_of(tmp_path, 10 * place, 6), mark)
    found = opened(tmp_path)
    assert counts(found) == dict.fromkeys(product(("train", "val", "test"), (0, 1)), 3)
    assert any(note.startswith("One table for each split: ") for note in found.notes)


@pytest.mark.parametrize("names", [("fold1", "fold2"), ("north", "south"), ("part_a", "part_b")])
def test_tables_that_share_no_film_are_parts_without_splits(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for place, name in enumerate(names):
        write(tmp_path / f"{name}.csv", "film,finding", rows_of(tmp_path, 10 * place, 6))
    assert counts(opened(tmp_path)) == {(None, 0): 6, (None, 1): 6}


@pytest.mark.parametrize("name", ["test_balanced.csv", "a-small-test.csv", "pick.csv"])
def test_a_table_within_another_is_said_and_counts_once(tmp_path: Path, name: str) -> None:
    train, test = rows_of(tmp_path, 0, 8), rows_of(tmp_path, 10, 6)
    write(tmp_path / "train.csv", "film,finding", train)
    write(tmp_path / "test.csv", "film,finding", test)
    write(tmp_path / name, "film,finding", test[:4])
    found = opened(tmp_path)
    assert counts(found) == {("train", 0): 4, ("train", 1): 4, ("test", 0): 3, ("test", 1): 3}
    assert any(f"{name} is no part of its own: its 4 rows" in note for note in found.notes)


@pytest.mark.parametrize("whole", ["all.csv", "train.csv", "metadata.csv"])
def test_a_split_within_the_whole_counts_for_its_split(tmp_path: Path, whole: str) -> None:
    rows = rows_of(tmp_path, 0, 12)
    write(tmp_path / whole, "film,finding", rows)
    write(tmp_path / "val.csv", "film,finding", rows[:4])
    found = counts(opened(tmp_path))
    rest = "train" if whole == "train.csv" else None
    assert found == {("val", 0): 2, ("val", 1): 2, (rest, 0): 4, (rest, 1): 4}


@pytest.mark.parametrize("name", ["test_labels", "valid", "labels_test"])
def test_a_split_word_of_the_only_table_that_counts_holds_nothing_out(
    tmp_path: Path, name: str
) -> None:
    rows = rows_of(tmp_path, 0, 20)
    (tmp_path / "lists").mkdir()
    write(tmp_path / "lists" / f"{name}.csv", "image,label", rows)
    readers = [(film, reader, word) for film, word in rows for reader in (1, 2, 3)]
    write(tmp_path / "lists" / "readers.csv", "image,Reader ID,label", readers)
    found = opened(tmp_path)
    assert {one.split for one in found.records} == {None} and found.count == 20


def test_readings_of_the_same_films_are_asked_about_the_largest_first(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 0, 12)
    write(tmp_path / "anna.csv", "film,finding", [(f, "pneumonia") for f, _ in rows[:4]])
    write(tmp_path / "zoe.csv", "film,finding", rows)
    with pytest.raises(InputError, match="2 tables in the folder") as error:
        opened(tmp_path)
    assert error.value.got == (
        "zoe.csv (12 films, 6 pneumonia, 6 normal)",
        "anna.csv (4 films, 4 pneumonia, 0 normal)",
    )
    assert error.value.answer == ("--labels", str(tmp_path / "zoe.csv"))
    assert counts(opened(tmp_path, labels=tmp_path / "zoe.csv")) == {(None, 0): 6, (None, 1): 6}


@pytest.mark.parametrize("name", ["fold{}_{}.csv", "{1}-cv{0}.csv", "{}/{}.csv"])
def test_folds_of_the_same_films_are_asked_about_each_with_the_test_films(
    tmp_path: Path, name: str
) -> None:
    rows = rows_of(tmp_path, 0, 12)
    for fold in range(2):
        here = rows[4 * fold : 4 * fold + 4]
        for split, part in (("val", here), ("train", [r for r in rows[:8] if r not in here])):
            (tmp_path / name.format(fold, split)).parent.mkdir(exist_ok=True)
            write(tmp_path / name.format(fold, split), "film,finding", part)
    write(tmp_path / "test.csv", "film,finding", rows[8:])
    with pytest.raises(InputError, match="2 tables in the folder") as error:
        opened(tmp_path)
    option, first = error.value.answer
    assert option == "--labels"
    both = dict.fromkeys(product(("train", "val", "test"), (0, 1)), 2)
    assert counts(opened(tmp_path, labels=Path(first))) == both


def test_a_table_of_boxes_is_no_rival_of_one_that_names_all_films(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 0, 12)
    boxes = [(film, word, 1, 2, 5, 6) for film, word in rows if word == "pneumonia"]
    write(tmp_path / "boxes.csv", "film,finding,x_min,y_min,x_max,y_max", boxes)
    write(tmp_path / "reports.csv", "film,finding", rows)
    found = opened(tmp_path)
    assert counts(found) == {(None, 0): 6, (None, 1): 6}
    assert "Not read, being of boxes on the same films: boxes.csv." in found.notes


JOINS = {
    "a column of one name": ("visit", "visit", [f"v-{i}" for i in range(12)], str),
    "ids with a tail": ("StudyInstanceUID", "id", [f"{i:08x}a" for i in range(12)], "{}_study"),
    "numbers": ("patient", "patient", list(range(101, 113)), str),
}


@pytest.mark.parametrize("case", JOINS)
def test_labels_are_joined_to_the_films_that_share_a_key(tmp_path: Path, case: str) -> None:
    mine, theirs, keys, tail = JOINS[case]
    films = [(f"f{i}.png", key, "Frontal" if i % 3 else "Lateral")
             for i, key in enumerate([*keys, *keys[:4]])]  # fmt: skip
    draw(tmp_path / "pics", *(name for name, *_ in films))
    write(tmp_path / "pictures.csv", f"file,{mine},projection", films)
    written = [tail.format(key) if isinstance(tail, str) else key for key in keys]
    labels = [(key, WORDS[place % 2], "free text") for place, key in enumerate(written)]
    write(tmp_path / "cases.csv.gz", f"{theirs},outcome,report", labels[::-1])
    found = opened(tmp_path)
    assert counts(found) == {(None, 0): 8, (None, 1): 8}
    assert any("joined to the films of pictures.csv" in note for note in found.notes)
    at_key = {key: place % 2 for place, key in enumerate(keys)}
    assert {n: r.label for n, r in records(found).items()} == {
        f"pics/{name}": at_key[key] for name, key, _ in films
    }
    again = opened(tmp_path, labels=tmp_path / "cases.csv.gz")
    assert counts(again) == counts(found)
    assert counts(opened(tmp_path / "cases.csv.gz")) == counts(found)
    views = Counter(r.facts.get("view") for r in found.records)
    assert views == {"Lateral": 6, "Frontal": 10}


@pytest.mark.parametrize(
    ("mine", "theirs"), [("P{:04}", "{}"), ("sub-{:03}", "{}"), ("{}", "patient{:05}")]
)
def test_ids_with_a_prefix_in_one_table_meet_those_without(
    mine: str, theirs: str, tmp_path: Path
) -> None:
    names = [f"f{i}.png" for i in range(12)]
    draw(tmp_path / "pics", *names)
    films = [(name, mine.format(i // 2 + 1)) for i, name in enumerate(names)]
    write(tmp_path / "films.csv", "file,patient_id", films)
    rows = [(theirs.format(i + 1), WORDS[i % 2]) for i in range(6)]
    write(tmp_path / "cases.csv", "subject,outcome", rows)
    found = opened(tmp_path)
    assert [record.label for record in found.records] == [
        int(name[1:-4]) // 2 % 2 for name in sorted(names)
    ]
    assert any("Their numbers meet" in note for note in found.notes)
    # Two that differ by the prefix alone are two patients.
    write(tmp_path / "cases.csv", "subject,outcome", [*rows, (f"x{theirs.format(1)}", WORDS[1])])
    with pytest.raises(InputError):
        opened(tmp_path)


def test_splits_patients_and_views_of_other_tables_come_along(tmp_path: Path) -> None:
    names = [f"f{i}.png" for i in range(12)]
    draw(tmp_path / "pics", *names)
    write(tmp_path / "labels.csv", "study,finding", [(f"s{i}x", WORDS[i % 2]) for i in range(12)])
    write(tmp_path / "studies.csv", "film,study", [(n, f"s{i}x") for i, n in enumerate(names)])
    parts = [(n, ("train", "test")[i // 8], f"p{i // 2}") for i, n in enumerate(names)]
    write(tmp_path / "splits.tsv", "film,split,patient_id", parts, "\t")
    views = [(n[:-4], ("AP", "LL")[i % 2]) for i, n in enumerate(names)]
    write(tmp_path / "how.csv", "film,taken_as", views)
    found = opened(tmp_path)
    assert counts(found) == {("train", 0): 4, ("train", 1): 4, ("test", 0): 2, ("test", 1): 2}
    assert len({one.patient_id for one in found.records}) == 6
    one = records(found)["pics/f3.png"]
    assert one.facts["view"] == "LL"


def test_two_tables_of_labels_for_the_same_films_are_asked_about(tmp_path: Path) -> None:
    films = [(f"f{i}.png", f"s{i}x") for i in range(12)]
    draw(tmp_path / "pics", *(name for name, _ in films))
    write(tmp_path / "films.csv", "file,study", films)
    for name, shift in (("chest.csv", 0), ("neg.csv", 1)):
        rows = [(study, WORDS[(i + shift) % 2]) for i, (_, study) in enumerate(films)]
        write(tmp_path / name, "study,finding", rows)
    with pytest.raises(InputError, match="2 tables in the folder") as error:
        opened(tmp_path)
    assert error.value.answer == ("--labels", str(tmp_path / "chest.csv"))
    assert counts(opened(tmp_path, labels=tmp_path / "neg.csv")) == {(None, 0): 6, (None, 1): 6}


def test_labels_of_visits_are_not_joined_by_the_patient_alone(tmp_path: Path) -> None:
    films = [(f"f{i}.png", f"p{i % 6}x") for i in range(12)]
    draw(tmp_path / "pics", *(name for name, _ in films))
    write(tmp_path / "films.csv", "file,patient", films)
    visits = [(f"p{i % 6}x", i // 6, WORDS[i // 6]) for i in range(12)]
    write(tmp_path / "visits.csv", "patient,visit,finding", visits)
    with pytest.raises(InputError, match="lay a table beside it") as error:
        opened(tmp_path)
    assert "image=" not in error.value.remedy


def test_numbered_folders_say_less_than_a_table_beside_them(tmp_path: Path) -> None:
    names = [f"{i % 3}/f{i}.png" for i in range(12)]
    draw(tmp_path, *names)
    rows = [(name[2:], name[0], f"['{WORDS[i // 6]}']") for i, name in enumerate(names)]
    write(tmp_path / "labels.csv", "ImageID,ImageDir,Labels", rows)
    assert counts(opened(tmp_path)) == {(None, 0): 6, (None, 1): 6}


@pytest.mark.parametrize("rest", ["train.csv", "others.csv", "cases-2.csv"])
def test_films_that_another_table_names_are_lost_with_its_name(tmp_path: Path, rest: str) -> None:
    rows = rows_of(tmp_path, 0, 12)
    write(tmp_path / "mine.csv", "film,finding", rows[:6])
    write(tmp_path / rest, "film,diagnosis,place", [(*row, "x") for row in rows[6:]])
    found = opened(tmp_path, labels=tmp_path / "mine.csv")
    lost = [one for one in found.records if one.label is None]
    assert len(lost) == 6
    with pytest.raises(UnreadableImage, match=f"but in {rest}"):
        lost[0].read(0)


@pytest.mark.parametrize(
    "names", ["splits/{}.csv", "{}_list.txt", "official/{} films.tsv"], ids=["csv", "txt", "tsv"]
)
def test_lists_of_names_alone_say_the_splits(tmp_path: Path, names: str) -> None:
    rows = rows_of(tmp_path, 0, 12)
    write(tmp_path / "labels.csv", "film,finding", rows)
    for split, part in (("train", rows[:8]), ("test", rows[8:])):
        file = tmp_path / names.format(split)
        file.parent.mkdir(exist_ok=True)
        file.write_text("film\n" * (file.suffix != ".txt") + "\n".join(n for n, _ in part))
    found = counts(opened(tmp_path))
    assert found == {("train", 0): 4, ("train", 1): 4, ("test", 0): 2, ("test", 1): 2}


@pytest.mark.parametrize(("normal", "offer"), [("No finding", "normal"), ("healthy", "normal")])
def test_rows_without_any_mark_are_asked_about_by_themselves(
    tmp_path: Path, normal: str, offer: str
) -> None:
    rows = [(film, int(word == "pneumonia"), 0, 0) for film, word in rows_of(tmp_path, 0, 12)]
    write(tmp_path / "marks.csv", f"film,Pneumonia,Effusion,{normal}", rows)
    with pytest.raises(InputError, match="none of the columns") as error:
        opened(tmp_path)
    assert "'none of the columns' × 6" in str(error.value)
    assert error.value.answer == ("--classes", f"none of the columns={offer}")


def test_both_columns_of_views_count(tmp_path: Path) -> None:
    films = rows_of(tmp_path, 0, 12)
    views = [("Frontal", "AP"), ("Frontal", "PA"), ("Lateral", "")]
    rows = [(*film, *views[i % 3]) for i, film in enumerate(films)]
    write(tmp_path / "cohort.csv", "film,finding,Frontal/Lateral,AP/PA", rows)
    found = Counter(one.facts["view"] for one in opened(tmp_path).records)
    assert found == {"AP": 4, "PA": 4, "Lateral": 4}


@pytest.mark.parametrize("report", ["impression", "conclusion", "finding text"])
def test_of_words_and_reports_the_words_are_offered(tmp_path: Path, report: str) -> None:
    films = [(f"f{i}.png", f"s{i}x") for i in range(24)]
    draw(tmp_path / "pics", *(name for name, _ in films))
    write(tmp_path / "films.tsv", "file,study", films, "\t")
    words = ("normal", "Pneumonia;Effusion", "Cardiomegaly")
    texts = ("No sign of pneumonia.", "Consistent with pneumonia.", "No pneumonia. Large heart.")
    terms = ("normal", "Pneumonia", "Cardiomegaly/mild", "normal", "Pneumonia/left lobe", "Heart")
    rows = [(s, texts[i % 3], terms[i % 6], words[i % 3]) for i, (_, s) in enumerate(films)]
    write(tmp_path / "reports.tsv", f"study,{report},terms,problems", rows, "\t")
    with pytest.raises(InputError) as error:
        opened(tmp_path)
    assert error.value.answer[:2] == ("--column", "label=problems")
    found = opened(tmp_path, columns={"label": "problems"}, classes={"cardiomegaly": "ignore"})
    assert counts(found) == {(None, 0): 8, (None, 1): 8}


@pytest.mark.parametrize(
    "names",
    ["labels/{}_fixed.json", "{}.json", "by/{}/labels.jsonl"],
    ids=["in a folder", "beside", "folders"],
)
def test_labels_on_lines_of_json_are_asked_about_each_with_its_counts(
    tmp_path: Path, names: str
) -> None:
    films = [f"{'valid' if i >= 8 else 'train'}/patient{i // 2}/view{i % 2}" for i in range(12)]
    draw(tmp_path / "PNG", *(f"{film}.png" for film in films))
    for name, step in (("impression", 4), ("report", 2)):
        rows = []
        for i, film in enumerate(films):
            marks = {"Pneumonia": 1.0 if i % step == 1 else None, "Edema": None}
            marks |= {"No Finding": 1.0 if i % 2 == 0 else None}
            rows.append(json.dumps({"path_to_image": f"{film}.jpg", **marks}))
        file = tmp_path / names.format(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(rows))
    sheet = [
        (f"{film}.jpg", f"p{i // 2}", ("Frontal", "Lateral")[i % 4 == 2], film[:5], "2-Abnormal")
        for i, film in enumerate(films)
    ]
    head = "path_to_image,deid_patient_id,frontal_lateral,split,section_summary"
    write(tmp_path / "df.csv", head, sheet)
    with pytest.raises(InputError, match="2 tables in the folder") as error:
        opened(tmp_path)
    assert "(12 films, 6 pneumonia, 6 normal)" in str(error.value)
    assert "(12 films, 3 pneumonia, 6 normal)" in str(error.value)
    assert error.value.answer == ("--labels", str(tmp_path / names.format("report")))
    found = opened(tmp_path, labels=tmp_path / names.format("report"))
    assert counts(found) == {("train", 0): 4, ("train", 1): 4, ("val", 0): 2, ("val", 1): 2}
    assert Counter(r.facts.get("view") for r in found.records) == {"Frontal": 9, "Lateral": 3}
    assert len({record.patient_id for record in found.records}) == 6


@pytest.mark.parametrize("word", ["2-Abnormal", "positive", "sick"])
def test_a_word_that_all_films_have_is_no_label(tmp_path: Path, word: str) -> None:
    rows = [(film, word, i) for i, (film, _) in enumerate(rows_of(tmp_path, 0, 12))]
    write(tmp_path / "sheet.csv", "film,summary,number", rows)
    assert opened(tmp_path).form == "unlabelled"
    rows = [(film, w, kind) for (film, w, _), kind in zip(rows, WORDS * 6, strict=True)]
    write(tmp_path / "sheet.csv", "film,summary,shown", rows)
    assert counts(opened(tmp_path)) == {(None, 0): 6, (None, 1): 6}
