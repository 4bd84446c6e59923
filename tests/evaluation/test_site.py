"""Cross-fitting, the one-standard-error rule, and how many films are needed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumoscope.evaluation.site.crossfit import (
    balanced_errors,
    crossfitted,
    drawn,
    films_needed,
    fold_thresholds,
    patient_losses,
    simplest,
)
from pneumoscope.evaluation.site.labelling import EACH, films_to_label


def test_no_film_is_scored_by_what_it_taught() -> None:
    known, fold = np.arange(50) + 100, np.arange(50) % 5
    taught: list[tuple[set[int], set[int]]] = []

    def fit(places: NDArray[np.int64]):  # type: ignore[no-untyped-def]
        def score(others: NDArray[np.int64]) -> NDArray[np.float64]:
            taught.append((set(places.tolist()), set(others.tolist())))
            return others.astype(np.float64)

        return score

    np.testing.assert_array_equal(crossfitted(fit, known, fold), known)
    assert len(taught) == 5 and all(not (one & other) for one, other in taught)
    assert all(len(one | other) == 50 for one, other in taught)


def test_the_simplest_is_kept_unless_another_is_clearly_better() -> None:
    flat = np.array([0.60, 0.70, 0.65, 0.62, 0.68])
    noisy = flat - np.array([0.2, -0.18, 0.1, -0.1, 0.0])  # better on average, by chance
    clear = flat - 0.05
    assert simplest([flat, noisy]) == 0
    assert simplest([flat, clear]) == 1
    assert simplest([flat, clear, clear - 1e-9]) == 2
    assert simplest([clear, flat]) == 0
    assert simplest([flat]) == 0
    # One that is no number is never kept, whatever stands beside it.
    nothing = np.full(5, np.nan)
    assert simplest([flat, nothing]) == 0 and simplest([nothing, flat]) == 1
    assert simplest([nothing, nothing]) == 0
    # Equally simple ones are told apart by their loss alone, the simpler one before them is not.
    assert simplest([flat, clear + 1e-3, clear], [0, 1, 1]) == 2
    assert simplest([flat, clear, clear + 1e-3], [0, 1, 1]) == 1
    assert simplest([flat, noisy, noisy + 1e-3], [0, 1, 1]) == 0


def test_thresholds_of_a_film_come_from_other_folds() -> None:
    labels, fold = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    logits = np.where(labels == 1, 1.0, -1.0)
    logits[fold == 0] += 10  # a fold apart: its own best threshold would be 10
    bar = fold_thresholds("youden", 0.0, labels, logits, fold)
    assert (bar[fold == 0] < 2).all()
    errors = balanced_errors(labels, logits >= bar, fold)
    assert errors[0] == 0.5 and errors.shape == (5,)
    fixed = fold_thresholds("fixed", 0.5, labels, logits, fold)
    np.testing.assert_allclose(fixed, 0.0)


def test_buderer_needs_as_many_films_as_by_hand() -> None:
    found = films_needed("sensitivity", 0.9, 0.25)
    assert (found.of_class, found.films) == (139, 556)  # 1.96² · .9 · .1 / .05² = 138.3
    assert films_needed("specificity", 1.0, 0.5).of_class == 60  # a rule of three


def test_fewer_films_keep_both_classes() -> None:
    labels = (np.arange(100) < 5).astype(np.int64)
    some = drawn(np.arange(100), labels, 25, np.random.default_rng(0))
    assert some.size == 25 == np.unique(some).size and labels[some].sum() == 1


def test_films_to_label_are_random_and_uncertain_one_of_each_patient() -> None:
    logits = np.linspace(-5, 5, 200)
    ids = np.array([f"film-{at}" for at in range(200)], dtype=object)
    table = films_to_label(ids, logits, np.arange(200) // 2, 0.0)
    assert table["why"].value_counts().to_dict() == {"random": EACH, "uncertain": EACH}
    numbers = table["image"].str.removeprefix("film-").astype(int)
    assert (numbers // 2).is_unique and (table["label"] == "").all()
    near = numbers[table["why"] == "uncertain"]
    assert (near - 100).abs().max() < 80


def test_a_patient_counts_by_their_films() -> None:
    labels, logits = np.array([1, 0, 1, 0, 1]), np.array([0.5, -1.0, 2.0, 0.3, -0.7])
    patients = np.array([7, 7, 7, 2, 9])
    each = np.log1p(np.exp(np.where(labels == 1, -logits, logits)))
    found = patient_losses(labels, logits, patients)
    np.testing.assert_allclose(found, np.array([each[3], each[:3].sum(), each[4]]) * 3 / 5)
    assert found.mean() == pytest.approx(each.mean())
