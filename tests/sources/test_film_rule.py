"""What is a film by its name: masks, annotations and pictures made from films are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.sources.film.rule import DERIVED, MASKS, sort_films

FILMS = [f"{label}/f{i}.png" for label in ("NORMAL", "PNEUMONIA") for i in range(4)]


@pytest.mark.parametrize(
    "beside",
    [
        *("{folder}/seg/{name}", "lung_mask/{name}", "Lung Masks/{name}", "gt/{folder}/{name}"),
        *("ManualMask/leftMask/{name}", "annotations_png/{folder}/{name}", "Heatmaps/{name}"),
        *("infection masks/{name}", "Segmentations/{name}", "GroundTruth/{name}"),
        *("{folder}/{stem}_mask.png", "{folder}/{stem}_gt.png", "{folder}/{stem}-seg.png"),
        *("{folder}/{stem}_mask_left.png", "{folder}/{stem}_leftMask.png", "{folder}/mask_{name}"),
        *("{folder}/{stem}_mask_2.png", "{folder}/{stem}_heatmap.png", "mask1/{name}"),
        *("{folder}/{stem}_mask_lung.png", "{folder}/{stem}_bbox_vis.png", "annots/{name}"),
        *("{folder}/{stem}_ground-truth_resized.png", "{folder}/overlayed/{name}"),
    ],
)
def test_masks_and_annotations_are_no_films(beside: str) -> None:
    others = []
    for path in FILMS:
        folder, _, name = path.rpartition("/")
        stem = name.partition(".")[0]
        others.append(beside.format(folder=folder, name=name, stem=stem))
    found = sort_films([*FILMS, *others])
    assert found.kept == tuple(range(len(FILMS)))
    assert found.passed == {MASKS: len(others)}


@pytest.mark.parametrize(
    "beside",
    [
        "masked_images/{path}",
        "{folder}/{stem}-label.png",
        "cropped/{path}",
        "bse/{path}",
        "{folder}/{stem}_bone_suppressed.png",
        "{folder}/{stem}_cropped_lungs.png",
    ],
)
def test_pictures_made_from_films_are_left_out_beside_them_only(beside: str) -> None:
    made = [
        beside.format(path=path, folder=path.rpartition("/")[0], stem=path[:-4].rpartition("/")[2])
        for path in FILMS
    ]
    ((reason, count),) = sort_films([*FILMS, *made]).passed.items()
    folder = beside.partition("/")[0]
    named = f"{DERIVED}, in {folder!r}"  # which folder is said, where it is one
    assert (reason, count) == (DERIVED if "{" in folder else named, len(made))
    assert len(sort_films(made).kept) == len(made)


def test_a_set_named_for_its_masks_holds_films() -> None:
    """COVID-QU-Ex: ``Lung Segmentation Data/Train/Normal/images`` and ``lung masks``."""
    home = "Lung Segmentation Data/Train/Normal"
    films = [f"{home}/images/{i}.png" for i in range(4)]
    masks = [f"{home}/lung masks/{i}.png" for i in range(4)]
    assert sort_films([*films, *masks]).kept == (0, 1, 2, 3)
    alone = [f"segmentation_data/Normal/{i}.png" for i in range(4)]
    assert sort_films([*films, *alone]).passed == {MASKS: 4}


def test_words_that_only_sound_like_masks_are_films() -> None:
    paths = ["NORMAL/gtown_1.png", "NORMAL/segal.png", "NORMAL/left.png", "NORMAL/mask.png"]
    assert sort_films(paths).kept == (0, 1, 2, 3)


def test_numbers_in_front_of_names_tell_films_apart() -> None:
    """``12_scan`` of another folder is no picture made from ``13_scan``."""
    paths = [f"images/{i}_scan.png" for i in range(9)] + [
        f"site2/{i}_scan.png" for i in range(50, 59)
    ]
    assert len(sort_films(paths).kept) == 18


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_paths_are_sorted_and_each_is_counted_once(paths: list[str]) -> None:
    found = sort_films(paths)
    assert len(found.kept) + sum(found.passed.values()) == len(paths)
    assert list(found.kept) == sorted(set(found.kept))
