from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.audit import genealogy as module
from pneumoscope.audit.genealogy import Genealogy, Overlap, genealogy_findings, trace
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import thumbnails

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL = (DATA / "pneumoniamnist.npz", DATA / "chest_xray" / "test")
Films = NDArray[np.uint8]


def squash(film: Films, side: int = 64) -> Films:
    resized = Image.fromarray(np.ascontiguousarray(film)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    return np.asarray(resized)


def middle(film: Films) -> Films:
    """The middle square of a film that is wider than high."""
    left = (film.shape[1] - film.shape[0]) // 2
    return film[:, left : left + film.shape[0]]


@pytest.fixture(scope="module")
def wide() -> list[Films]:
    """120 large films, 1.1 to 1.6 times as wide as high, made by stretching phantoms."""
    films = []
    for i in range(120):
        film = draw_phantom(9, i, label=i % 2, size=128).image
        width = int(128 * (1.1 + 0.5 * (i % 11) / 10))
        films.append(np.asarray(Image.fromarray(film).resize((width, 128))))
    return films


def compare(a, b) -> Genealogy:
    return trace(a, b, thumbnails(a.images))


def found(genealogy: Genealogy) -> set[tuple[str, str]]:
    return {(p.image_id, p.image_id_of_other) for p in genealogy.pairs}


def test_a_cropped_and_a_squashed_edition_are_one_family(make_set, wide, monkeypatch) -> None:
    monkeypatch.setattr(module, "_LISTED", 1000)
    squashed = make_set(np.stack([squash(f) for f in wide]), name="squashed")
    cropped = make_set(np.stack([squash(middle(f)) for f in wide[:60]]), split="val")
    there, back = compare(cropped, squashed), compare(squashed, cropped)
    same = {(f"film-{i}", f"film-{i}") for i in range(60)}
    assert found(there) <= same
    assert len(found(there)) >= 54
    assert found(back) <= same
    assert len(found(back)) >= 54
    assert there.shared["val"].value == len(found(there)) / 60
    assert there.against == "squashed"


def test_strangers_and_mirrored_films_are_not_related(make_set, wide, drawn) -> None:
    squashed = make_set(np.stack([squash(f) for f in wide]))
    mirrored = make_set(np.stack([squash(middle(f)[:, ::-1]) for f in wide[:60]]))
    assert compare(mirrored, squashed).found == 0
    assert compare(make_set(drawn[:60]), squashed).found == 0


def test_constant_films_are_nobodys_copy(make_set, drawn) -> None:
    blank = make_set(np.full((5, 64, 64), 7, np.uint8))
    both = make_set(np.concatenate([np.full((5, 64, 64), 9, np.uint8), drawn[:40]]))
    assert compare(blank, both).found == 0
    assert compare(both, blank).found == 0


def test_test_films_among_training_films_are_severe(make_set, drawn) -> None:
    mine = make_set(drawn[:20], split=["test"] * 10 + ["train"] * 10)
    theirs = make_set(drawn[5:25], split="train", name="other")
    genealogy = compare(mine, theirs)
    assert genealogy.overlap == (Overlap("train", "train", 10), Overlap("test", "train", 5))
    assert genealogy.looked == {"test": 10, "train": 10}
    findings = {f.code: f for f in genealogy_findings(genealogy)}
    assert findings["SAME-FAMILY"].severity == "warning"
    assert (findings["TEST-WITHIN-TRAIN"].severity, findings["TEST-WITHIN-TRAIN"].count) == (
        "severe",
        5,
    )
    back = {f.code for f in genealogy_findings(compare(theirs, mine))}
    assert "TEST-WITHIN-TRAIN" in back


def test_the_same_test_split_is_one_family_but_no_leak(make_set, drawn) -> None:
    mine, theirs = (make_set(drawn[:20], split="test") for _ in range(2))
    assert [f.code for f in genealogy_findings(compare(mine, theirs))] == ["SAME-FAMILY"]


def test_finding_nothing_is_not_provable_and_bounded(make_set, drawn) -> None:
    (finding,) = genealogy_findings(compare(make_set(drawn[:50]), make_set(drawn[50:])))
    assert (finding.code, finding.status) == ("SAME-FAMILY", "not provable")
    assert "at most 7.1%" in finding.title  # Wilson: 3.84 / (50 + 3.84)


def test_equal_hashes_are_counted_among_all_films(make_set, drawn) -> None:
    mine = make_set(drawn[:3], pixel_hash=["a", "b", None])
    theirs = make_set(drawn[3:7], pixel_hash=["b", "a", None, "c"])
    genealogy = compare(mine, theirs)
    assert (genealogy.found, genealogy.exact) == (0, 2)
    assert [f.count for f in genealogy_findings(genealogy)] == [2]


def test_a_part_of_each_split_is_looked_for(make_set, drawn, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_A_SPLIT", 7)
    mine = make_set(drawn[:30], split=["test"] * 4 + ["train"] * 20 + [None] * 6)
    genealogy = compare(mine, make_set(drawn[30:40]))
    assert genealogy.looked == {"test": 4, "train": 7, "no split": 6}
    assert compare(mine, mine) == compare(mine, mine)


@pytest.mark.skipif(
    not all(p.exists() for p in REAL), reason="no ../shared/data beside the checkout"
)
def test_pneumoniamnist_and_the_kaggle_set_are_one_family(make_set) -> None:
    with np.load(REAL[0], allow_pickle=False) as arrays:
        images, labels = arrays["test_images"][:150], arrays["test_labels"][:150, 0]
    files = sorted(REAL[1].rglob("*.jpeg"))
    films = np.stack([squash(np.asarray(Image.open(f).convert("L")), 112) for f in files])
    sick = [int(f.parent.name == "PNEUMONIA") for f in files]
    kaggle = make_set(films, split="test", label=sick)
    pairs = compare(make_set(images, split="test", label=labels), kaggle)
    assert 0.75 < pairs.shared["test"].value < 0.95
    assert all(labels[p.row] == sick[p.row_of_other] for p in pairs.pairs)
    mirrored = make_set(np.ascontiguousarray(images[:, :, ::-1]), split="test")
    assert compare(mirrored, kaggle).found == 0
