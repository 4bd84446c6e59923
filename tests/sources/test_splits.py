"""Official splits by columns of any name, by folders and by the names of films."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.helpers.opening import asked, counted, films, many, opened

from pneumoscope.records import DataRequest

SPLIT_OF = {"train": 6, "val": 4, "test": 4}
WORDS = {
    "capitals, no header": ("", ("TRAIN", "VALIDATION", "TEST")),
    "a strange name": ("ML_USE,image,label\n", ("training", "validation", "test")),
    "paths": ("gcs,image,label\n", ("gs://b/train/", "gs://b/val/", "gs://b/test/")),
}


def rows(words: Iterable[str], name: str = "x{}.png") -> tuple[list[str], list[str]]:
    """Names of films, and lines of split, film and class."""
    splits = [word for word, n in zip(words, SPLIT_OF.values(), strict=True) for _ in range(n)]
    names = [name.format(i, split=split) for i, split in enumerate(splits)]
    classes = ["normal", "pneumonia"] * 7
    return names, [",".join(row) for row in zip(splits, names, classes, strict=True)]


@pytest.mark.parametrize("form", WORDS)
def test_a_column_of_split_words_is_the_split_whatever_its_name(form: str, tmp_path: Path) -> None:
    header, words = WORDS[form]
    names, lines = rows(words)
    films(tmp_path / "films", *names)
    (tmp_path / "set.csv").write_text(header + "\n".join(lines))
    for data in (tmp_path, tmp_path / "set.csv"):
        source = opened(data)
        assert not source.passed_over  # the table was read
        found = counted(source)
        assert {s: found[0, s] + found[1, s] for s in SPLIT_OF} == SPLIT_OF
        assert source.why.endswith(f"splits in {(header or 'column 1').split(',')[0]!r}, by its "
                                   "cells")  # fmt: skip


def test_a_column_with_few_other_words_is_the_split_and_of_many_it_is_not(tmp_path: Path) -> None:
    names = many("x{}.png", 40)
    films(tmp_path, *names)
    cells = ["train", "test"] * 20
    for others, expected in ((1, {"train", "test", None}), (10, {None})):
        cells[:others] = ["unused"] * others
        lines = [f"{n},{c},{'normal' if i % 3 else 'pneumonia'}"
                 for i, (n, c) in enumerate(zip(names, cells, strict=True))]  # fmt: skip
        (tmp_path / "t.csv").write_text("image,use,label\n" + "\n".join(lines))
        assert {split for _, split in counted(opened(tmp_path))} == expected


@pytest.mark.parametrize("name", ["{split}{}_1.png", "{split}-{}.png", "{split}_{}/a.png"])
def test_films_or_folders_named_for_splits_and_numbers(name: str, tmp_path: Path) -> None:
    names, lines = rows(SPLIT_OF, name)
    films(tmp_path, *names)
    table = "image,label\n" + "\n".join(line.partition(",")[2] for line in lines)
    (tmp_path / "t.csv").write_text(table)
    source = opened(tmp_path)
    assert {split for _, split in counted(source)} == set(SPLIT_OF)
    assert source.why.endswith("splits by names of films")


def test_names_of_one_split_alone_say_nothing(tmp_path: Path) -> None:
    films(tmp_path, *many("NORMAL/train{}.png", 4), *many("PNEUMONIA/train{}.png", 4))
    assert {split for _, split in counted(opened(tmp_path))} == {None}


def test_class_folders_with_films_named_for_splits(tmp_path: Path) -> None:
    both = [f"{c}/{s}_{i}.png" for c in ("NORMAL", "PNEUMONIA") for s in SPLIT_OF for i in (1, 2)]
    assert {split for _, split in counted(opened(films(tmp_path, *both)))} == set(SPLIT_OF)


def test_a_column_that_folders_contradict_is_asked_about(tmp_path: Path) -> None:
    names = many("train/x{}.png", 6) + many("test/y{}.png", 6)
    films(tmp_path, *names)
    lines = [f"{n},{'test' if 'x' in n else 'train'},{'normal' if i % 2 else 'pneumonia'}"
             for i, n in enumerate(names)]  # fmt: skip
    (tmp_path / "t.csv").write_text("image,use,label\n" + "\n".join(lines))
    assert asked(tmp_path).answer == ("--column", "split=use")
    source = opened(tmp_path, DataRequest(str(tmp_path), columns={"split": "none"}))
    assert counted(source)[0, "train"] == 3
