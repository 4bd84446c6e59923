from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.audit.quality import judge_quality, quality_findings
from pneumoscope.imaging.appearance import look
from pneumoscope.imaging.thumbnails import thumbnails

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "chest_xray" / "test"
Films = NDArray[np.uint8]

DAMAGE = {
    "inverted": lambda f: 255 - f,
    "turned left": lambda f: np.rot90(f, 1, (1, 2)),
    "turned over": lambda f: np.rot90(f, 2, (1, 2)),
    "turned right": lambda f: np.rot90(f, 3, (1, 2)),
}
KIND = {"inverted": "inverted"}


def noise(n: int) -> Films:
    return np.random.default_rng(0).integers(0, 256, (n, 64, 64), np.uint8)


def screens(n: int) -> Films:
    """Light pages with dark lines of words."""
    rng = np.random.default_rng(1)
    pages = np.full((n, 64, 64), 230, np.uint8)
    for page in pages:
        for top in range(4, 58, 6):
            ends = np.sort(rng.integers(4, 60, 6))
            for k in range(0, 6, 2):
                page[top : top + 3, ends[k] : ends[k + 1]] = 40
    return pages


def checkers(n: int) -> Films:
    cells = np.indices((64, 64)) // 8
    return np.repeat(((cells.sum(axis=0) % 2) * 200).astype(np.uint8)[None], n, axis=0)


def discs(n: int) -> Films:
    away = np.hypot(*(np.indices((64, 64)) - 31.5))
    return np.stack([(away < 16 + k % 12) * np.uint8(200) for k in range(n)])


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("few", [True, False])
def test_damaged_films_are_found_and_sound_ones_left(make_set, drawn, damage, few) -> None:
    films = drawn[:40].copy() if few else drawn.copy()
    hurt = np.arange(3, len(films), 10)
    films[hurt] = DAMAGE[damage](films[hurt])
    quality = judge_quality(make_set(films).table, thumbnails(films))
    found = getattr(quality, KIND.get(damage, "rotated"))
    other = quality.rotated if damage == "inverted" else quality.inverted
    assert np.array_equal(np.flatnonzero(found), hurt)
    assert not other.any()
    assert not quality.foreign.any()


def test_how_far_a_film_is_turned_is_known(drawn) -> None:
    for quarters in range(4):
        looks = look(thumbnails(np.ascontiguousarray(np.rot90(drawn[:30], quarters, (1, 2)))))
        assert (looks.turned == quarters).all()


def test_a_set_knows_its_own_kind_better_than_the_reference_does(make_set, drawn) -> None:
    post = np.where(np.abs(np.arange(64) - 31.5) < 8, 220, 20).astype(np.uint8)
    other = np.repeat(np.tile(post, (64, 1))[None], 3, axis=0)
    films = np.concatenate([drawn, other])
    assert look(thumbnails(other)).chest.all()
    quality = judge_quality(make_set(films).table, thumbnails(films))
    assert np.array_equal(np.flatnonzero(quality.foreign), np.arange(300, 303))


@pytest.mark.parametrize("other", [noise, screens, checkers, discs])
def test_images_of_no_chest_are_told_apart(make_set, drawn, other) -> None:
    films = np.concatenate([drawn, other(6)])
    quality = judge_quality(make_set(films).table, thumbnails(films))
    assert np.array_equal(np.flatnonzero(quality.foreign), np.arange(300, 306))


def test_constant_films_are_constant_and_nothing_else(make_set, drawn) -> None:
    films = np.concatenate([drawn[:20], np.full((1, 64, 64), 90, np.uint8)])
    quality = judge_quality(make_set(films).table, thumbnails(films))
    kinds = (quality.constant, quality.foreign, quality.rotated, quality.inverted)
    assert [k.sum() for k in kinds] == [1, 0, 0, 0]
    assert quality.constant[20]


@pytest.mark.parametrize(("sides", "severity"), [((300, 63), "warning"), ((28, 28), "info")])
def test_tiny_films_are_a_warning_unless_all_are(make_set, drawn, sides, severity) -> None:
    prepared = make_set(drawn[:2], height=[sides[0], 28], width=[64, sides[1]])
    quality = judge_quality(prepared.table, thumbnails(drawn[:2]))
    found = {f.code: f for f in quality_findings(prepared, quality)}
    assert found["TINY"].severity == severity
    assert found["TINY"].count == (1 if severity == "warning" else 2)


def test_a_sound_set_has_no_finding(make_set, drawn) -> None:
    prepared = make_set(drawn)
    assert quality_findings(prepared, judge_quality(prepared.table, thumbnails(drawn))) == []


def test_examples_name_the_odd_films(make_set, drawn) -> None:
    films = drawn[:30].copy()
    films[[4, 9]] = 255 - films[[4, 9]]
    prepared = make_set(films)
    (finding,) = quality_findings(prepared, judge_quality(prepared.table, thumbnails(films)))
    assert (finding.code, finding.count, finding.examples) == (
        "INVERTED",
        2,
        ("film-4", "film-9"),
    )


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/chest_xray beside the checkout")
def test_real_films_are_judged_rightly_by_the_drawn_reference() -> None:
    files = sorted(REAL.rglob("*.jpeg"))[::2]
    films = np.stack([np.asarray(Image.open(f).convert("L")) for f in files])
    sound, negative = look(thumbnails(films)), look(thumbnails(255 - films))
    assert not sound.inverted.any()
    assert (sound.turned > 0).mean() < 0.01
    assert sound.chest.mean() > 0.99
    assert negative.inverted.mean() > 0.98
    for quarters, least in ((1, 0.97), (2, 0.88), (3, 0.97)):
        turned = look(thumbnails(np.ascontiguousarray(np.rot90(films, quarters, (1, 2)))))
        assert (turned.turned == quarters).mean() > least


@pytest.mark.parametrize(("turned", "severity"), [(1, "info"), (4, "warning")])
def test_as_many_as_are_named_by_mistake_are_a_remark(make_set, turned, severity) -> None:
    from pneumoscope.audit.quality import Quality, quality_findings

    images = np.zeros((400, 28, 28), np.uint8)
    none = np.zeros(400, bool)
    found = quality_findings(
        make_set(images), Quality(none, none, none, np.arange(400) < turned, none)
    )
    assert [(f.code, f.severity, f.count) for f in found] == [("ROTATED", severity, turned)]
