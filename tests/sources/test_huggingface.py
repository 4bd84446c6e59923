"""Hugging Face sets on disk; ``datasets`` writes the good ones and reads them as the oracle."""

from __future__ import annotations

import io
import json
import resource
import shutil
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pneumoscope.errors import (
    BadLabels,
    DataNotFound,
    InputError,
    PneumoscopeError,
    UnreadableData,
    UnreadableImage,
)
from pneumoscope.records import DataRequest, Record, Source
from pneumoscope.sources.forms.huggingface import huggingface_source, looks_like_huggingface
from pneumoscope.sources.rows import arrow
from pneumoscope.sources.rows.shards import choose_config, place_of

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SPLIT_OF = {"train": "train", "validation": "val", "test": "test"}


def grey(row: int) -> np.ndarray[Any, Any]:
    """A film of its own size and pixels for every row."""
    return np.random.default_rng(row).integers(0, 256, (40 + row % 5, 30 + row % 7), dtype=np.uint8)


def png(row: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey(row)).save(out, "PNG")
    return out.getvalue()


def cell(row: int, path: str | None = None) -> dict[str, Any]:
    return {"bytes": png(row), "path": path}


def write(
    path: Path,
    images: list[Any],
    kind: pa.DataType = STRUCT,
    features: dict[str, Any] | None = None,
    rows: int = 4,
    **columns: Any,
) -> Path:
    """A parquet file written by hand, ``rows`` to a row group."""
    if not columns:
        columns = {"pneumonia": [row % 2 for row in range(len(images))]}
    table = pa.table({"image": pa.array(images, kind), **columns})
    if features is not None:
        told = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": told})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows)
    return path


def opened(path: Path, **said: Any) -> Source:
    return huggingface_source(DataRequest(str(path), **said))


def records(path: Path, **said: Any) -> list[Record]:
    return list(opened(path, **said).records)


def outcome(record: Record) -> str:
    """``"read"``, or the reason for which it cannot be."""
    try:
        record.read(0)
    except UnreadableImage as error:
        return error.what
    return "read"


def failure(path: Path, kind: type[PneumoscopeError] = UnreadableData, **said: Any) -> str:
    with pytest.raises(kind) as caught:
        list(opened(path, **said).records)
    return str(caught.value)


@pytest.fixture(scope="module")
def hf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf-home")))
    patch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the extra 'hf' is not installed")
    patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hf-cache"))
    datasets.disable_progress_bars()
    yield datasets
    patch.undo()


def kere(hf: Any, count: int, first: int) -> Any:
    """``count`` rows in keremberke's schema, the films numbered from ``first``."""
    features = hf.Features(
        image_file_path=hf.Value("string"),
        image=hf.Image(),
        labels=hf.ClassLabel(names=["NORMAL", "PNEUMONIA"]),
    )
    rows = range(first, first + count)
    return hf.Dataset.from_dict(
        {
            "image_file_path": [f"/storage/hf/{row}.png" for row in rows],
            "image": [{"bytes": png(row), "path": f"{row}.png"} for row in rows],
            "labels": [row % 3 % 2 for row in rows],
        },
        features=features,
    )


@pytest.fixture(scope="module")
def splits(hf: Any) -> Any:
    return hf.DatasetDict(
        train=kere(hf, 23, 0), validation=kere(hf, 9, 100), test=kere(hf, 11, 200)
    )


@pytest.fixture(scope="module")
def converted(splits: Any, hf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """keremberke's set as the hub converts it: two configurations, several row groups."""
    root = tmp_path_factory.mktemp("converted") / "chest"
    for name, split in splits.items():
        (root / "full" / name).mkdir(parents=True)
        (root / "mini" / name).mkdir(parents=True)
        split.select(range(7)).to_parquet(root / "full" / name / "0000.parquet", batch_size=3)
        rest = split.select(range(7, len(split)))
        rest.to_parquet(root / "full" / name / "0001.parquet", batch_size=3)
        split.select(range(2)).to_parquet(root / "mini" / name / "0000.parquet")
    return root


@pytest.fixture(scope="module")
def saved(splits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("saved") / "chest"
    splits.save_to_disk(root, num_shards={"train": 3, "validation": 1, "test": 2})
    return root


def assert_same_as_datasets(source: Source, splits: Any) -> None:
    """Every row as ``datasets`` gives it: place, label and pixels."""
    found = {record.image_id: record for record in source.records}
    assert len(found) == source.count == sum(len(split) for split in splits.values())
    for name, split in splits.items():
        for row, theirs in enumerate(split):
            ours = found[f"{SPLIT_OF[name]}-{row:06d}"]
            assert (ours.split, ours.label) == (SPLIT_OF[name], theirs["labels"])
            assert np.array_equal(ours.read(0).pixels, np.asarray(theirs["image"]))


def test_the_hubs_conversion_is_read_row_by_row_as_datasets_reads_it(
    converted: Path, hf: Any
) -> None:
    assert looks_like_huggingface(converted) is not None
    names = {name: f"{converted}/full/{name}/*.parquet" for name in SPLIT_OF}
    theirs = {
        name: hf.concatenate_datasets(
            [
                hf.Dataset.from_parquet(str(file), keep_in_memory=True)
                for file in sorted(Path(converted).glob(f"full/{name}/*.parquet"))
            ]
        )
        for name in names
    }
    source = opened(converted)
    assert_same_as_datasets(source, theirs)
    assert source.form == "huggingface"
    assert any("'full' was read" in note and "'mini' not" in note for note in source.notes)
    assert source.passed_over["parquet files of other configurations"] == 3


def test_a_dataset_dict_of_save_to_disk_is_read_row_by_row_as_datasets_reads_it(
    saved: Path, hf: Any
) -> None:
    assert looks_like_huggingface(saved) == "a folder made by save_to_disk"
    assert_same_as_datasets(opened(saved), hf.load_from_disk(str(saved), keep_in_memory=True))


def test_one_saved_dataset_has_no_split(hf: Any, tmp_path: Path) -> None:
    kere(hf, 12, 0).save_to_disk(tmp_path / "set", num_shards=2)
    found = records(tmp_path / "set")
    assert [record.image_id for record in found] == [f"all-{row:06d}" for row in range(12)]
    assert [record.split for record in found] == [None] * 12
    assert [record.label for record in found] == [row % 3 % 2 for row in range(12)]


def test_a_saved_selection_is_read_in_its_own_order(hf: Any, tmp_path: Path) -> None:
    chosen = [7, 2, 5, 0, 9]
    kere(hf, 12, 0).select(chosen).save_to_disk(tmp_path / "set")
    found = records(tmp_path / "set")
    assert [record.label for record in found] == [row % 3 % 2 for row in chosen]
    assert all(
        np.array_equal(r.read(0).pixels, grey(row)) for r, row in zip(found, chosen, strict=True)
    )


def test_a_folder_of_one_configuration_is_read_alone(converted: Path) -> None:
    source = opened(converted / "mini")
    assert source.count == 6
    assert not any("configurations" in note for note in source.notes)


def test_a_file_named_test_keeps_its_split_and_one_named_train_is_not_yet_split(
    converted: Path,
) -> None:
    assert {r.split for r in records(converted / "mini/test/0000.parquet")} == {"test"}
    source = opened(converted / "mini/train/0000.parquet")
    assert {r.split for r in source.records} == {None}
    assert any("not yet split" in note for note in source.notes)


def test_records_can_be_had_again_and_be_skipped(converted: Path, saved: Path) -> None:
    for path in (converted, saved):
        source = opened(path)
        whole = [(r.image_id, r.label, r.facts) for r in source.records]
        assert [(r.image_id, r.label, r.facts) for r in source.records] == whole
        later = list(islice(source.records, 20, 25))
        assert [r.image_id for r in later] == [image_id for image_id, _, _ in whole[20:25]]
        assert all(outcome(r) == "read" for r in later)


def test_a_record_can_be_read_after_the_iteration_went_on(saved: Path) -> None:
    # Pages of a mapped file are given back behind the iteration.
    for record, row in zip(records(saved)[:23], range(23), strict=True):
        assert np.array_equal(record.read(0).pixels, grey(row))


@pytest.mark.parametrize(
    ("path", "config", "part"),
    [
        ("data/train-00000-of-00002.parquet", "", "train"),
        ("data/validation-00000-of-00001-8d4c2a.parquet", "", "val"),
        ("full/train/0000.parquet", "full", "train"),
        ("default/partial-train/0003.parquet", "default", "train"),
        ("mini/test-00000-of-00001.parquet", "mini", "test"),
        ("test/part.parquet", "", "test"),
        ("chest_dev.parquet", "", "val"),
        ("eval.parquet", "", "test"),
        ("default/fold1/0000.parquet", "default", "all"),
        ("data/bacteria-00000-of-00001.parquet", "", "all"),
        ("contest.parquet", "", "all"),
        ("0000.parquet", "", "all"),
    ],
)
def test_configuration_and_split_are_told_by_the_path(path: str, config: str, part: str) -> None:
    assert place_of(path) == (config, part)


def test_full_or_else_the_largest_configuration_is_taken() -> None:
    assert choose_config({"mini": 9, "full": 5})[0] == "full"
    assert choose_config({"a": 1, "b": 7})[0] == "b"
    assert choose_config({"a": 1, "b": 7}, "a")[0] == "a"
    with pytest.raises(DataNotFound, match="nearest: 'full'"):
        choose_config({"full": 1, "mini": 7}, "ful")


def test_plain_bytes_words_and_a_split_column_are_understood(tmp_path: Path) -> None:
    file = write(
        tmp_path / "films.parquet",
        [png(row) for row in range(4)],
        pa.binary(),
        diagnosis=["Normal", "viral pneumonia", "bacteria", "NORMAL"],
        split=["train", "val", "test", None],
    )
    assert looks_like_huggingface(file) == "parquet with films in the column 'image'"
    found = records(file, columns={"label": "diagnosis"})
    assert [record.label for record in found] == [0, 1, 1, 0]
    assert [record.split for record in found] == ["train", "val", "test", None]
    assert [r.facts.get("subtype") for r in found] == [None, "viral", "bacterial", None]
    assert [r.read(0).facts["bytes"] for r in found] == [len(png(row)) for row in range(4)]


def test_words_of_a_dictionary_column_are_labels(tmp_path: Path) -> None:
    words = pa.array(["PNEUMONIA", None, "NORMAL"]).dictionary_encode()
    found = records(write(tmp_path / "a.parquet", [cell(0), cell(1), cell(2)], label=words))
    assert [record.label for record in found] == [1, None, 0]


def test_numbers_without_names_are_asked_about(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], label=[0, 1])
    told = failure(file, BadLabels)
    assert "--classes 0=normal --classes 1=pneumonia" in told
    turned = records(file, classes={"0": "pneumonia", "1": "normal"})
    assert [record.label for record in turned] == [1, 0]
    named = write(tmp_path / "b.parquet", [cell(0), cell(1)], pneumonia=[0, 1])
    assert [record.label for record in records(named)] == [0, 1]


def test_a_list_of_labels_is_read_by_its_words(tmp_path: Path) -> None:
    names = ["No Finding", "Mass", "Pneumonia"]
    feature = {"_type": "ClassLabel", "names": names}
    for spelt in ({"_type": "Sequence", "feature": feature}, [feature]):
        features = {"image": {"_type": "Image"}, "labels": spelt}
        lists = pa.array([[0], [1, 2], [1], [2]], pa.list_(pa.int64()))
        images = [cell(row) for row in range(4)]
        file = write(tmp_path / "a.parquet", images, features=features, labels=lists)
        assert "--classes Mass=ignore" in failure(file, BadLabels)
        found = records(file, classes={"other": "normal"})
        assert [record.label for record in found] == [0, 1, 0, 1]
    words = pa.array([["normal"], ["pneumonia", "effusion"]])
    file = write(tmp_path / "b.parquet", [cell(0), cell(1)], labels=words)
    assert [r.label for r in records(file)] == [0, 1]


def test_class_names_win_over_the_numbers(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "y": {"_type": "ClassLabel", "names": ["P", "N"]}}
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], features=features, y=[0, 1])
    found = records(file, classes={"p": "pneumonia", "n": "normal"})
    assert [record.label for record in found] == [1, 0]


def test_an_unknown_class_name_is_an_error_with_a_way_out_and_can_be_ignored(
    tmp_path: Path,
) -> None:
    words = ["NORMAL", "COVID", "PNEUMONIA", "COVID", "NORMAL"]
    file = write(tmp_path / "a.parquet", [cell(row) for row in range(5)], label=words)
    assert "--classes COVID=pneumonia" in failure(file, BadLabels)
    source = opened(file, classes={"covid": "ignore"})
    found = list(source.records)
    assert [record.image_id for record in found] == ["all-000000", "all-000002", "all-000004"]
    assert source.count == 3
    assert source.passed_over == {"films of a class that was said to be ignored": 2}
    assert np.array_equal(found[1].read(0).pixels, grey(2))


def test_a_name_that_no_row_has_is_not_asked_for(tmp_path: Path) -> None:
    names = ["NORMAL", "PNEUMONIA", "TUBERCULOSIS"]
    features = {"label": {"_type": "ClassLabel", "names": names}}
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], features=features, label=[0, 1])
    assert [record.label for record in records(file)] == [0, 1]


@pytest.mark.parametrize("label", [[0, -1, 1, None], [0.0, -1.0, 1.0, float("nan")]])
def test_rows_without_a_label_are_dropped_with_the_reason(label: Any, tmp_path: Path) -> None:
    names = ["NORMAL", "PNEUMONIA"]
    features = {"label": {"_type": "ClassLabel", "names": names}}
    told = features if isinstance(label[0], int) else None
    images = [cell(row) for row in range(4)]
    bits = {} if told else {"0": "normal", "1": "pneumonia"}
    file = write(tmp_path / "a.parquet", images, features=told, label=label)
    source = opened(file, classes=bits)
    found = list(source.records)
    assert [record.label for record in found] == [0, None, 1, None]
    assert [outcome(record) for record in found] == ["read", "no label", "read", "no label"]
    assert any(note.startswith("2 rows have no label") for note in source.notes)


def test_patients_are_private_and_facts_name_nobody(tmp_path: Path) -> None:
    count = 40
    file = write(
        tmp_path / "a.parquet",
        [cell(row, path=f"Mueller_{row}.png") for row in range(count)],
        label=[row % 2 for row in range(count)],
        patient_id=[f"P{row // 2}" for row in range(count)],
        sex=["F" if row % 3 else "M" for row in range(count)],
        age=[20 + row % 9 for row in range(count)],
        study_date=["2020-01-01"] * count,
        doctor=["Weber", "Klein"] * (count // 2),
        finding=["normal", "pneumonia"] * (count // 2),
    )
    found = records(file)
    assert [record.patient_id for record in found] == [f"P{row // 2}" for row in range(count)]
    assert all(record.private for record in found)
    assert found[4].facts == {"sex": "F", "age": 24}
    assert "Mueller" not in repr([(r.image_id, r.patient_id, r.facts) for r in found])


@pytest.mark.parametrize("beside_the_bytes", [True, False])
def test_the_kermany_set_is_known_by_its_film_names(beside_the_bytes: bool, tmp_path: Path) -> None:
    names = [
        *("person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg", "IM-0115-0001.jpeg"),
        "person7_virus_3_jpeg.rf.d41d8cd98f00b204.jpg",
    ]
    images = [cell(row, names[row] if beside_the_bytes else None) for row in range(4)]
    told = {} if beside_the_bytes else {"image_file_path": [f"/x/train/{n}" for n in names]}
    file = write(tmp_path / "a.parquet", images, pneumonia=[1, 1, 0, 1], **told)
    source = opened(file)
    found = list(source.records)
    assert [r.patient_id for r in found] == ["person1", "person1", "IM-0115", "person7"]
    assert [r.facts["subtype"] for r in found] == ["bacterial", "bacterial", "none", "viral"]
    assert any("Kermany" in note for note in source.notes)
    assert not any("no patient ids" in note for note in source.notes)


def test_two_image_columns_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    other = pa.array([cell(9), cell(9)], STRUCT)
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], second=other, pneumonia=[0, 1])
    told = failure(file, InputError)
    assert "'image', 'second'" in told
    assert "--column image=" in told
    chosen = records(file, columns={"image": "second"})
    masked = write(tmp_path / "b.parquet", [cell(0), cell(1)], mask=other, pneumonia=[0, 1])
    assert np.array_equal(records(masked)[0].read(0).pixels, grey(0))
    assert np.array_equal(chosen[0].read(0).pixels, grey(9))


def test_two_label_columns_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    images = [cell(0), cell(1)]
    words, others = ["normal", "pneumonia"], ["pneumonia", "normal"]
    file = write(tmp_path / "a.parquet", images, label=words, target=others)
    assert "'label' and 'target'" in failure(file, InputError)
    assert [r.label for r in records(file, columns={"label": "target"})] == [1, 0]


def test_a_class_label_of_another_kind_does_not_confuse(tmp_path: Path) -> None:
    features = {
        "label": {"_type": "ClassLabel", "names": ["NORMAL", "PNEUMONIA"]},
        "sex": {"_type": "ClassLabel", "names": ["F", "M"]},
    }
    count = 12
    file = write(
        tmp_path / "a.parquet",
        [cell(row) for row in range(count)],
        features=features,
        label=[0, 1] * 6,
        sex=[1, 1, 0] * 4,
    )
    found = records(file)
    assert [r.label for r in found] == [0, 1] * 6
    assert [r.facts["sex"] for r in found] == ["M", "M", "F"] * 4


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"label": "pnuemonia"}, "nearest: 'pneumonia'"),
        ({"picture": "image"}, "unknown use"),
        ({"image": "pneumonia"}, "cannot hold films"),
    ],
)
def test_a_column_asked_for_that_will_not_do_is_refused(
    columns: dict[str, str], told: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)])
    assert told in failure(file, InputError, columns=columns)


def test_paths_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "films").mkdir(parents=True)
    (root / "films" / "a.png").write_bytes(png(3))
    (tmp_path / "secret.png").write_bytes(png(4))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    paths = ["films/a.png", "../secret.png", str(tmp_path / "secret.png"), "link.png", "no.png"]
    images = [{"bytes": None, "path": path} for path in paths]
    file = write(root / "a.parquet", images, pneumonia=[0, 1, 0, 1, 0])
    found = records(file)
    assert np.array_equal(found[0].read(0).pixels, grey(3))
    out = "the path in the table leads out of its folder"
    assert [outcome(r) for r in found] == ["read", out, out, out, "there is no such file"]
    features = {"image": {"_type": "Image"}}
    plain = write(root / "b.parquet", paths, pa.string(), features, pneumonia=[0, 1, 0, 1, 0])
    assert [outcome(r) for r in records(plain)] == [outcome(r) for r in found]


def test_rows_without_a_film_say_so(tmp_path: Path) -> None:
    images = [
        None,
        {"bytes": None, "path": None},
        {"bytes": b"", "path": None},
        {"bytes": b"\x80\x04\x95pickled", "path": None},
        {"bytes": png(4)[:60], "path": None},
        cell(5),
    ]
    found = records(write(tmp_path / "a.parquet", images, pneumonia=[0, 1] * 3))
    outcomes = [outcome(record) for record in found]
    assert outcomes[:3] == ["the row holds no image"] * 3
    assert outcomes[5] == "read"
    assert "read" not in outcomes[3:5]


def test_a_label_beyond_its_names_is_an_error(tmp_path: Path) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["NORMAL", "PNEUMONIA"]}}
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], features=features, label=[0, 2])
    assert "beyond the class names" in failure(file, BadLabels)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (pa.array([[0], [1]]), "do not say what they stand for"),
        (pa.array([b"a", b"b"]), "no column of the table holds labels"),
        (pa.array([None, None]), "no row of the set has a label"),
        (pa.array([0, 7]), "--classes words.csv"),
        (pa.array([0.5, 1.0]), "neither normal nor pneumonia"),
    ],
)
def test_labels_that_are_none_are_refused(label: pa.Array, told: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], label=label)
    assert told in failure(file, BadLabels)


def test_a_set_without_labels_says_which_columns_it_has(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], view=["PA", "AP"])
    told = failure(file, BadLabels)
    assert "no column of the table holds labels" in told
    assert "'view'" in told


def test_an_extension_type_is_no_image(tmp_path: Path) -> None:
    class Grid(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.list_(pa.uint8()), "tests.grid")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    grid = pa.ExtensionArray.from_storage(Grid(), pa.array([[1], [2]], pa.list_(pa.uint8())))
    pq.write_table(pa.table({"image": grid, "pneumonia": [0, 1]}), tmp_path / "a.parquet")
    assert looks_like_huggingface(tmp_path / "a.parquet") is None
    assert "no image column" in failure(tmp_path / "a.parquet")


def test_zero_rows_are_an_error(tmp_path: Path) -> None:
    assert "no rows" in failure(write(tmp_path / "a.parquet", [], label=pa.array([], pa.int64())))


def test_files_that_disagree_are_never_mixed(tmp_path: Path) -> None:
    for name, names in (("a", ["NORMAL", "PNEUMONIA"]), ("b", ["PNEUMONIA", "NORMAL"])):
        features = {"label": {"_type": "ClassLabel", "names": names}}
        write(tmp_path / f"{name}.parquet", [cell(0), cell(1)], features=features, label=[0, 1])
    assert "different columns or class names" in failure(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"info": 3}', "\x00", "[" * 100_000])
def test_features_that_are_no_json_are_an_error(text: str, tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([cell(0)], STRUCT), "label": [0]})
    pq.write_table(table.replace_schema_metadata({"huggingface": text}), tmp_path / "a.parquet")
    assert "features cannot be read" in failure(tmp_path / "a.parquet")
    assert looks_like_huggingface(tmp_path / "a.parquet") is None


def test_twice_the_same_column_is_an_error(tmp_path: Path) -> None:
    image = pa.array([cell(0)], STRUCT)
    table = pa.Table.from_arrays([image, pa.array([0]), pa.array([1])], ["image", "x", "x"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert "the same name" in failure(tmp_path / "a.parquet")


@pytest.mark.parametrize("keep", [0, 3, 40, -1, -400])
def test_a_parquet_file_cut_short_is_an_error(keep: int, tmp_path: Path) -> None:
    whole = write(tmp_path / "a.parquet", [cell(row) for row in range(8)]).read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:keep])
    told = failure(tmp_path / "a.parquet")
    assert "cut short or damaged" in told or "neither parquet nor" in told or "is empty" in told
    assert looks_like_huggingface(tmp_path / "a.parquet") is None


def test_a_damaged_page_loses_its_row_group_and_no_other(tmp_path: Path) -> None:
    images = [cell(row) for row in range(12)]
    file = write(tmp_path / "a.parquet", images, rows=4)
    with pq.ParquetFile(file) as parquet:
        chunk = parquet.metadata.row_group(1).column(0)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
    damaged = bytearray(file.read_bytes())
    damaged[start : start + 24] = b"\xff" * 24
    file.write_bytes(damaged)
    source = opened(file)
    outcomes = [outcome(record) for record in source.records]
    lost = "the row lies in a damaged part of its file"
    assert outcomes == ["read"] * 4 + [lost] * 4 + ["read"] * 4
    assert source.count == 12
    assert [record.label for record in source.records] == [0, 1] * 6


def test_a_footer_on_which_pyarrow_would_end_the_process_is_survived(tmp_path: Path) -> None:
    # Damage to bytes 18, 32, 44 and 61 of this footer aborts a process that asks pyarrow 26 for the
    # description of a column chunk.
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)], pneumonia=[0, 1])
    data = file.read_bytes()
    ends = set()
    start = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
    for at in range(start, start + 100):
        damaged = bytearray(data)
        damaged[at] ^= 0x11
        file.write_bytes(damaged)
        try:
            ends.add(len([outcome(record) for record in opened(file).records]))
        except PneumoscopeError as error:
            ends.add(type(error).__name__)
    assert {2, "UnreadableData"} <= ends


def test_text_that_is_not_utf8_stops_nothing(tmp_path: Path) -> None:
    words = pa.array([b"normal", b"m\xfcde"], pa.binary())
    paths = pa.array([b"a.png", b"\xff.png"], pa.binary())
    text = [pa.StringArray.from_buffers(2, *a.buffers()[1:]) for a in (words, paths)]
    image = pa.StructArray.from_arrays([pa.nulls(2, pa.binary()), text[1]], ["bytes", "path"])
    pq.write_table(pa.table({"image": image, "label": text[0]}), tmp_path / "a.parquet")
    assert r"m\\xfcde" in failure(tmp_path / "a.parquet", BadLabels)
    said = {"mxfcde": "pneumonia"}
    outcomes = [outcome(record) for record in records(tmp_path / "a.parquet", classes=said)]
    assert outcomes == ["there is no such file", "the path in the table cannot be followed"]


def test_a_label_that_points_beyond_the_words_is_an_error(tmp_path: Path) -> None:
    words = ["NORMAL", "PNEUMONIA", "NORMAL", "NORMAL"]
    file = write(tmp_path / "a.parquet", [cell(row) for row in range(4)], label=words)
    with pq.ParquetFile(file) as parquet:
        chunk = parquet.metadata.row_group(0).column(2)
        assert (chunk.path_in_schema, chunk.compression) == ("label", "SNAPPY")
        end = chunk.dictionary_page_offset + chunk.total_compressed_size
    # The page ends with the pointers of one bit each, 0 1 0 0, packed into a byte.
    data = bytearray(file.read_bytes())
    tail = bytes(data[end - 3 : end])
    assert tail == bytes((1, 3, 0b0010))
    data[end - 3 : end] = bytes((2, 8, 3))  # two bits each: a run of four times the word 3
    file.write_bytes(data)
    assert "cut short or damaged" in failure(file)


def test_a_column_whose_name_is_no_text_is_an_error(one_saved: Path) -> None:
    file = one_saved / "data-00000-of-00002.arrow"
    file.write_bytes(file.read_bytes().replace(b"labels", b"l\xffbels"))
    assert "cut short or damaged" in failure(one_saved)


def test_a_row_count_that_lies_is_an_error(tmp_path: Path) -> None:
    # In the footer's compact Thrift, field 3 (num_rows, zigzag varint) follows the schema list.
    file = write(tmp_path / "a.parquet", [cell(row) for row in range(7)], rows=7)
    data = bytearray(file.read_bytes())
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - length : -8]
    changed = [at for at, byte in enumerate(footer) if byte == 14 and footer[at - 1] == 0x16]
    assert changed
    told = []
    for at in changed:
        lying = bytearray(data)
        lying[len(data) - 8 - length + at] = 120
        file.write_bytes(lying)
        try:
            list(opened(file).records)
        except UnreadableData as error:
            told.append(error.what)
    assert "the file does not hold the rows that it says" in told


@pytest.fixture
def one_saved(hf: Any, tmp_path: Path) -> Path:
    kere(hf, 12, 0).save_to_disk(tmp_path / "set", num_shards=2)
    return tmp_path / "set"


def change_state(folder: Path, **change: Any) -> None:
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | change))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "../outside.arrow",
        "nothing.arrow",
        "link.arrow",
        "",
        None,
        7,
        {"filename": "x"},
        "a" * 5000,
    ],
)
def test_state_json_can_name_nothing_outside_its_folder(name: Any, one_saved: Path) -> None:
    outside = one_saved.parent / "outside.arrow"
    shutil.copy(one_saved / "data-00000-of-00002.arrow", outside)
    (one_saved / "link.arrow").symlink_to(outside)
    change_state(one_saved, _data_files=[{"filename": name}])
    assert "not in its folder" in failure(one_saved)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "state.json is missing"),
        ("", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("[" * 200_000, "not a JSON object"),
        ("{}", "does not name its data files"),
        ('{"_data_files": 3}', "does not name its data files"),
        ('{"_data_files": [{"filename": "a"}, {"filename": "a"}]}', "does not name its data files"),
        ('{"_indices_files": [{"filename": "i.arrow"}]}', "index mapping"),
    ],
)
def test_a_state_json_that_is_missing_or_wrong_is_an_error(
    content: str | None, told: str, one_saved: Path
) -> None:
    (one_saved / "state.json").unlink()
    if content is not None:
        (one_saved / "state.json").write_text(content)
    assert told in failure(one_saved)


def test_a_split_that_dataset_dict_names_must_be_there(saved: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(saved, root)
    (root / "dataset_dict.json").write_text('{"splits": ["train", "../../secret"]}')
    assert "does not name its splits" in failure(root)
    (root / "dataset_dict.json").write_text('{"splits": ["train", "absent"]}')
    assert "state.json is missing" in failure(root)


def test_without_dataset_info_the_stream_itself_gives_the_names(one_saved: Path) -> None:
    (one_saved / "dataset_info.json").unlink()
    assert [record.label for record in records(one_saved)] == [row % 3 % 2 for row in range(12)]


@pytest.mark.parametrize("keep", [0, 5, 300, -8, -500])
def test_an_arrow_stream_cut_short_is_an_error(keep: int, one_saved: Path) -> None:
    file = one_saved / "data-00001-of-00002.arrow"
    file.write_bytes(file.read_bytes()[:keep])
    told = failure(one_saved)
    assert "cut short or damaged" in told or "neither parquet nor" in told or "is empty" in told


def test_offsets_of_an_arrow_stream_that_lie_are_found_before_they_are_followed(
    one_saved: Path,
) -> None:
    file = one_saved / "data-00000-of-00002.arrow"
    data = file.read_bytes()
    lengths = [len(png(row)) for row in range(6)]
    offsets = np.cumsum([0, *lengths]).astype("<i4").tobytes()
    assert data.count(offsets) == 1
    lying = np.array([0, *[2**31 - 9] * 6]).astype("<i4").tobytes()
    file.write_bytes(data.replace(offsets, lying))
    outcomes = [outcome(record) for record in records(one_saved)]
    assert outcomes == ["the row lies in a damaged part of its file"] * 6 + ["read"] * 6


def test_a_random_access_arrow_file_is_told_from_a_stream(one_saved: Path) -> None:
    # Not mapped: the file is written anew while the table is still in use.
    content = (one_saved / "data-00000-of-00002.arrow").read_bytes()
    with pa.ipc.open_stream(content) as reader:
        table = reader.read_all()
    with pa.ipc.new_file(str(one_saved / "data-00000-of-00002.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert "neither parquet nor an Arrow stream" in failure(one_saved)


def test_a_snapshot_of_the_hubs_cache_is_read_through_its_links(
    converted: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "hub" / "datasets--someone--chest"
    snapshot = repository / "snapshots" / ("0" * 40)
    (repository / "blobs").mkdir(parents=True)
    (snapshot / "data").mkdir(parents=True)
    for name in ("train", "test"):
        blob = repository / "blobs" / f"{name}-hash"
        shutil.copy(converted / "mini" / name / "0000.parquet", blob)
        link = snapshot / "data" / f"{name}-00000-of-00001.parquet"
        link.symlink_to(Path("../../../blobs") / blob.name)
    elsewhere = converted / "full" / "test" / "0000.parquet"
    (snapshot / "data" / "validation-00000-of-00001.parquet").symlink_to(elsewhere)
    for path in (snapshot, repository):
        assert looks_like_huggingface(path) is not None
        source = opened(path)
        assert [r.image_id for r in source.records] == [
            f"{split}-{row:06d}" for split in ("train", "test") for row in (0, 1)
        ]
        assert source.passed_over["links out of the folder, broken, or to folders"] == 1


def test_a_link_that_the_user_names_himself_is_followed(converted: Path, tmp_path: Path) -> None:
    (tmp_path / "films.parquet").symlink_to(converted / "mini" / "train" / "0000.parquet")
    assert opened(tmp_path / "films.parquet").count == 2


def test_a_table_of_paths_is_not_taken_for_films(tmp_path: Path) -> None:
    table = {"path": ["a.png"], "label": [0], "blob": [b"\x80\x04pickle"], "n": [[1, 2]]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert looks_like_huggingface(tmp_path / "a.parquet") is None
    assert looks_like_huggingface(tmp_path) is None
    assert looks_like_huggingface(tmp_path / "absent") is None
    assert "no image column" in failure(tmp_path / "a.parquet")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    assert "there is no such file" in failure(tmp_path / "absent", DataNotFound)
    assert "no parquet files" in failure(tmp_path, DataNotFound)


def test_the_fingerprint_follows_content_classes_and_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [cell(0), cell(1)])
    first = opened(file).fingerprint
    assert opened(file).fingerprint == first
    changed = {opened(file, classes={"x": "ignore"}).fingerprint}
    changed.add(opened(file, columns={"label": "pneumonia"}).fingerprint)
    write(file, [cell(0), cell(2)])
    changed.add(opened(file).fingerprint)
    assert len(changed | {first}) == 4


def test_the_native_size_is_that_of_a_typical_film(tmp_path: Path) -> None:
    sides = [max(grey(row).shape) for row in range(8)]
    file = write(tmp_path / "a.parquet", [cell(row) for row in range(8)])
    assert opened(file).native_size == int(np.median(sides))


def test_the_name_is_that_of_the_file_or_folder(converted: Path) -> None:
    assert opened(converted).name == "chest"
    assert opened(converted / "mini/test/0000.parquet").name == "0000"


def test_a_word_pointed_at_by_many_rows_is_not_unfolded(tmp_path: Path) -> None:
    # 3,000 rows of one note of 1 MB lie in a file of a few kilobytes: unfolded they are 3 GB.
    count = 3000
    word = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), ["x" * (1 << 20)])
    images = pa.array([cell(0)] * count, STRUCT)
    table = pa.table({"image": images, "pneumonia": [0, 1] * (count // 2), "remark": word})
    file = tmp_path / "a.parquet"
    pq.write_table(table, file, store_schema=False, dictionary_pagesize_limit=1 << 24)
    assert pq.read_schema(file).field("remark").type == pa.string()
    assert file.stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = opened(file)
    assert sum(1 for _ in source.records) == count
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_films_come_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_AT_ONCE", 4000)
    blob = [np.random.default_rng(row).bytes(1000) for row in range(20)]
    rows = write(tmp_path / "a.parquet", blob, pa.binary(), rows=20)
    batches = [batch.num_rows for batch in arrow.open_rows(rows).stream(["image"])]
    assert sum(batches) == 20
    assert max(batches) <= 4


@pytest.mark.parametrize("form", ["one file", "shards of the hub", "save_to_disk"])
@pytest.mark.parametrize("kind", ["words", "numbers", "gaps"])
def test_a_column_of_ids_with_repeats_is_asked_about_as_in_tables(
    form: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = range(24)
    ids: dict[str, list[Any]] = {
        "words": [f"K{row // 2:04}" for row in rows],
        "numbers": [70_000 + row // 2 for row in rows],
        "gaps": [None if row == 5 else 70_000.0 + row // 2 for row in rows],
    }
    path = tmp_path / "set"
    if form == "save_to_disk":
        films = [{"bytes": png(row), "path": f"{row}.png"} for row in rows]
        labels = [row % 3 % 2 for row in rows]
        cells_ = {"image": films, "pneumonia": labels, "fallnummer": ids[kind]}
        hf = request.getfixturevalue("hf")
        hf.Dataset.from_dict(cells_).cast_column("image", hf.Image()).save_to_disk(str(path))
    else:
        half = 24 if form == "one file" else 12
        for part, split in zip(range(0, 24, half), ("train", "test"), strict=False):
            here = slice(part, part + half)
            write(
                path / "data" / f"{split}-00000-of-00001.parquet",
                [cell(row) for row in rows[here]],
                pneumonia=[row % 3 % 2 for row in rows[here]],
                fallnummer=ids[kind][here],
            )
    assert "are they of patients" in failure(path, InputError)
    said = opened(path, columns={"patient": "fallnummer"})
    patients = [record.patient_id for record in said.records]
    assert len(set(patients) - {None}) == 12 and said.patients == "the column 'fallnummer'"
    none = opened(path, columns={"patient": "none"})
    assert {record.patient_id for record in none.records} == {None}
