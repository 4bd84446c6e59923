"""The phantom: deterministic, film-like, truthful, and not solvable by a shortcut."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pneumoscope.imaging.phantom import SUBTYPES, Phantom, draw_phantom, true_subtype


@pytest.fixture(scope="module")
def films() -> list[Phantom]:
    labels = np.random.default_rng(5).integers(0, 2, 500)
    return [draw_phantom(21, i, label=int(label), size=96) for i, label in enumerate(labels)]


def test_same_arguments_give_the_same_pixels() -> None:
    one, two = (draw_phantom(3, 14, label=1, size=96) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.mask, two.mask)
    assert one.facts == two.facts


def test_seed_index_and_label_each_change_the_film() -> None:
    films = [
        draw_phantom(seed, index, label=label)
        for seed, index, label in ((3, 14, 1), (4, 14, 1), (3, 15, 1), (3, 14, 0))
    ]
    assert len({film.image.tobytes() for film in films}) == 4


@pytest.mark.parametrize("size", [48, 64, 96, 128, 224])
@pytest.mark.parametrize("label", [0, 1])
def test_shape_and_dtype(size: int, label: int) -> None:
    film = draw_phantom(0, size, label=label, size=size)
    assert film.image.dtype == np.uint8 and film.mask.dtype == np.bool_
    assert film.image.shape == film.mask.shape
    assert all(0.9 * size <= side <= 1.1 * size for side in film.image.shape)


def test_films_use_the_grey_range(films: list[Phantom]) -> None:
    assert all(film.image.min() < 30 for film in films)
    assert all(film.image.max() > 150 for film in films)


def test_mask_is_empty_exactly_on_normals(films: list[Phantom]) -> None:
    assert all(film.mask.any() == (film.label == 1) for film in films)


def test_mask_lies_inside_the_thorax(films: list[Phantom]) -> None:
    for film in films:
        rows, cols = np.nonzero(film.mask)
        if len(rows):
            height, width = film.mask.shape
            assert rows.min() > 0.05 * height and rows.max() < 0.98 * height
            assert cols.min() > 0.0 and cols.max() < width - 1
            assert 0.002 < film.mask.mean() < 0.45


def test_the_mask_is_where_the_structure_is() -> None:
    # The smooth twin on the normal film has the same mean, so compare detail, not brightness.
    def detail(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        grey = image.astype(np.float64)
        across, down = grey - np.roll(grey, 3, axis=1), grey - np.roll(grey, 3, axis=0)
        return np.hypot(across, down)

    gains = []
    for index in range(40):
        sick, well = (draw_phantom(8, index, label=label) for label in (1, 0))
        gain = detail(sick.image) - detail(well.image)
        gains.append(gain[sick.mask].mean() - gain[~sick.mask].mean())
    assert np.mean(np.array(gains) > 0) > 0.9


def test_label_changes_nothing_outside_the_lungs() -> None:
    # Same film, both labels: corners, marker, border and noise must not know the label.
    for index in range(20):
        sick, well = (draw_phantom(8, index, label=label).image for label in (1, 0))
        assert np.array_equal(sick[:6], well[:6])
        assert np.array_equal(sick[-3:], well[-3:])


def test_air_is_dark(films: list[Phantom]) -> None:
    corners, middles = [], []
    for film in films[:100]:
        height, width = film.image.shape
        corners.append(film.image[-height // 4 :, [0, 1, -2, -1]].mean())
        middles.append(
            film.image[height // 3 : height // 2, width // 2 - 3 : width // 2 + 3].mean()
        )
    assert np.mean(corners) + 60 < np.mean(middles)


def test_only_the_subtype_tells_the_label() -> None:
    for index in range(30):
        sick, well = (draw_phantom(2, index, label=label) for label in (1, 0))
        assert sick.image.shape == well.image.shape
        assert {k: v for k, v in sick.facts.items() if k != "subtype"} == {
            k: v for k, v in well.facts.items() if k != "subtype"
        }
        assert well.facts["subtype"] == "none"
        assert (
            sick.facts["subtype"] == true_subtype(2, index, 1) and sick.facts["subtype"] in SUBTYPES
        )


def test_two_films_of_a_patient_share_the_disease_not_the_pixels() -> None:
    one, two = (draw_phantom(6, index, label=1, patient=40) for index in (80, 81))
    assert one.facts["subtype"] == two.facts["subtype"]
    assert one.image.tobytes() != two.image.tobytes()


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    parts = [part for row in np.array_split(image, 8) for part in np.array_split(row, 8, axis=1)]
    return np.array([part.mean() for part in parts])


def _shortcuts(film: Phantom) -> dict[str, NDArray[np.float64]]:
    image = film.image
    moments = np.array([image.mean(), image.var()])
    return {
        "thumbnail": _thumbnail(image),
        "moments": moments,
        "histogram": np.concatenate([moments, np.quantile(image, np.linspace(0.1, 0.9, 9))]),
        "file": np.array([*image.shape, image.shape[1] / image.shape[0]]),
    }


@pytest.mark.parametrize("name", ["thumbnail", "moments", "histogram", "file"])
def test_no_shortcut_solves_it(name: str, films: list[Phantom]) -> None:
    # The bound users rely on; the benchmark measures it on more films, with intervals.
    features = np.stack([_shortcuts(film)[name] for film in films])
    labels = np.array([film.label for film in films])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")[:, 1]
    assert roc_auc_score(labels, scores) < 0.75
