import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.audit import duplicates as module
from pneumoscope.audit.duplicates import duplicate_findings, find_duplicates, list_duplicates
from pneumoscope.imaging.similar import COPY, blocks, close_pairs, likeness
from pneumoscope.plain import to_plain

Films = NDArray[np.uint8]


def resize(film: Films, side: int) -> Films:
    return np.asarray(Image.fromarray(film).resize((side, side), Image.Resampling.BILINEAR))


def jpeg(film: Films, quality: int) -> Films:
    buffer = io.BytesIO()
    Image.fromarray(film).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "jpeg 30": lambda f: jpeg(f, 30),
    "reduced and enlarged": lambda f: resize(resize(f, 48), 64),
    "cropped by 2 %": lambda f: resize(resize(f, 200)[4:-4, 4:-4], 64),
    "brighter": lambda f: np.clip(f.astype(int) + 25, 0, 255).astype(np.uint8),
    "less contrast": lambda f: (f * 0.8 + 20).astype(np.uint8),
    "gamma": lambda f: np.rint(255 * (f / 255) ** 0.75).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_film_stored_in_another_way_is_found_and_nothing_else(make_set, drawn, change) -> None:
    copies = np.stack([CHANGES[change](drawn[i]) for i in range(0, 60, 3)])
    films = np.concatenate([drawn, copies])
    found = find_duplicates(make_set(films))
    pairs = {(a, b) for a, b, _ in found.near}
    assert pairs == {(i, 300 + i // 3) for i in range(0, 60, 3)}
    assert all(alike >= COPY for *_, alike in found.near)


def test_copies_are_found_in_a_set_too_small_to_whiten(make_set, drawn) -> None:
    films = np.concatenate([drawn[:5], jpeg(drawn[2], 50)[None]])
    found = find_duplicates(make_set(films))
    assert [(a, b) for a, b, _ in found.near] == [(2, 5)]


def test_a_mirrored_film_is_no_copy(drawn) -> None:
    assert likeness(drawn[:40], drawn[:40, :, ::-1]).max() < COPY
    assert likeness(drawn[:40], drawn[:40]).min() > 0.999


def test_likeness_sees_through_a_shift_and_a_scale(drawn) -> None:
    large = np.stack([resize(f, 200) for f in drawn[:40]])
    moved = np.stack([resize(f[3:, :-3], 64) for f in large])
    assert likeness(drawn[:40], moved).min() > 0.97


def test_exact_groups_are_those_of_the_hash_and_take_no_part_in_near_pairs(make_set, drawn) -> None:
    films = np.concatenate([drawn[:4], drawn[:1], drawn[:1], drawn[3:4]])
    hashes = ["a", "b", "c", "d", "a", "a", "d"]
    found = find_duplicates(make_set(films, pixel_hash=hashes))
    assert found.exact == ((0, 4, 5), (3, 6))
    assert found.redundant == 3
    assert found.near == ()


def test_unknown_hashes_are_no_group(make_set, drawn) -> None:
    prepared = make_set(drawn[:3], pixel_hash=[None, None, "a"])
    assert module.exact_groups(prepared.table) == ()


def test_films_that_show_nothing_take_no_part(make_set, drawn) -> None:
    flat = np.full((2, 64, 64), 80, np.uint8)
    found = find_duplicates(make_set(np.concatenate([drawn[:3], flat])))
    assert found.near == ()


def test_copies_across_splits_and_with_two_labels_are_severe(make_set, drawn) -> None:
    films = np.concatenate([drawn[:3], jpeg(drawn[0], 60)[None]])
    columns = {"split": ["train", "train", "train", "test"], "label": [0, 1, 1, 1]}
    prepared = make_set(films, pixel_hash=["a", "b", "b", "c"], **columns)
    found = find_duplicates(prepared)
    findings = {f.code: f for f in duplicate_findings(found, prepared.table)}
    assert findings["DUP-EXACT"].count == 1
    assert findings["DUP-NEAR"].examples == ("film-0", "film-3")
    for code in ("DUP-ACROSS-SPLITS", "DUP-LABELS-DISAGREE"):
        assert (findings[code].severity, findings[code].count) == ("severe", 1)
        assert findings[code].examples == ("film-0", "film-3")


def test_copies_within_a_split_and_class_are_a_warning_only(make_set, drawn) -> None:
    films = np.concatenate([drawn[:2], drawn[:1]])
    prepared = make_set(films, split="train", label=0, pixel_hash=["a", "b", "a"])
    found = find_duplicates(prepared)
    codes = {f.code: f.severity for f in duplicate_findings(found, prepared.table)}
    assert codes == {"DUP-EXACT": "warning", "DUP-OTHER-EXPOSURE": "info"}


def test_an_unknown_split_is_not_another_split(make_set, drawn) -> None:
    films = np.concatenate([drawn[:1], drawn[:1]])
    prepared = make_set(films, split=["train", None], label=[None, 1], pixel_hash=["a", "a"])
    found = find_duplicates(prepared)
    codes = {f.code for f in duplicate_findings(found, prepared.table)}
    assert "DUP-ACROSS-SPLITS" not in codes
    assert "DUP-LABELS-DISAGREE" not in codes


def test_without_hashes_exact_duplicates_are_not_provable(make_set, drawn) -> None:
    prepared = make_set(drawn[:3])
    found = find_duplicates(prepared)
    findings = duplicate_findings(found, prepared.table)
    assert [f.status for f in findings if f.code == "DUP-NO-HASH"] == ["not provable"]


def test_a_set_of_one_film_many_times_ends_and_says_so(make_set, drawn, monkeypatch) -> None:
    monkeypatch.setattr("pneumoscope.data.together.alike.MOST_PAIRS", 30)
    films = np.repeat(drawn[:1], 12, axis=0)  # 66 pairs
    prepared = make_set(films)
    found = find_duplicates(prepared)
    assert (len(found.near), found.complete) == (30, False)
    stopped = [f for f in duplicate_findings(found, prepared.table) if f.status == "not provable"]
    assert "DUP-NEAR" in {f.code for f in stopped}


def test_all_pairs_are_compared_across_block_borders(monkeypatch) -> None:
    monkeypatch.setattr("pneumoscope.imaging.similar._BLOCK", 7)
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((30, 5)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    each = [close_pairs(codes, block, 0.6)[:2] for block in blocks(len(codes))]
    found = {(a, b) for i, j in each for a, b in zip(i, j, strict=True)}
    dense = codes @ codes.T
    assert found == {(a, b) for a in range(30) for b in range(a + 1, 30) if dense[a, b] >= 0.6}


def test_the_json_names_films_by_row_and_id(make_set, drawn) -> None:
    films = np.concatenate([drawn[:2], drawn[:1]])
    prepared = make_set(
        films, split=["train", None, "test"], label=[1, 0, None], pixel_hash=list("aba")
    )
    duplicates = find_duplicates(prepared)
    found = to_plain(list_duplicates(duplicates, prepared.table))
    assert found["exact"] == [
        {
            "films": [
                {"row": 0, "image_id": "film-0", "split": "train", "label": 1},
                {"row": 2, "image_id": "film-2", "split": "test", "label": None},
            ]
        }
    ]
    assert (found["exact_groups"], found["redundant"], found["near_pairs"]) == (1, 1, 0)
