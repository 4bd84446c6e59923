"""Batches: every film once, order a function of (seed, epoch), no copies of the whole set."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pneumoscope.data.loader import Batches, Films, make_loader
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.records import InputSpec


def prepared(count: int = 50) -> PreparedSet:
    images = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    table = pd.DataFrame({"label": pd.array(np.arange(count) % 2, dtype="Int8")})
    table["split"] = ["train"] * (count - 20) + ["val"] * 20
    return PreparedSet(Path(), InputSpec(4, 4), images, None, table, {})


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (9, 3), (2, 3), (1, 64)])
def test_in_order_every_row_comes_exactly_once(rows: int, size: int) -> None:
    drawn = list(Batches(np.arange(rows), size))
    assert np.concatenate(drawn).tolist() == list(range(rows))
    assert len(drawn) == len(Batches(np.arange(rows), size))


def test_shuffled_rows_are_distinct_and_batches_whole() -> None:
    batches = Batches(np.arange(100), 32, seed=1)
    drawn = list(batches)
    assert [len(b) for b in drawn] == [32, 32, 32] and len(batches) == 3
    assert len(set(np.concatenate(drawn).tolist())) == 96


def test_neighbours_in_a_batch_are_of_any_class_where_films_are_blended() -> None:
    """Sets lie in the order of their classes; sorted batches would blend likes alone."""
    labels = np.arange(1000) >= 500

    def others(*, rising: bool) -> float:
        drawn = list(Batches(np.arange(1000), 50, seed=1, rising=rising))
        assert len(set(np.concatenate(drawn).tolist())) == 1000
        return float(np.mean([labels[b] != np.roll(labels[b], 1) for b in drawn]))

    assert others(rising=True) == 0.04
    assert 0.4 < others(rising=False) < 0.6


def test_fewer_films_than_a_batch_still_train() -> None:
    assert [len(b) for b in Batches(np.arange(5), 32, seed=1)] == [5]


def test_order_follows_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        batches = Batches(np.arange(64), 8, seed)
        batches.set_epoch(epoch)
        return np.concatenate(list(batches)).tolist()

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_a_batch_pairs_images_with_their_labels() -> None:
    images, labels = Films(prepared())[np.array([3, 8, 11])]
    assert images.dtype == torch.uint8 and images.shape == (3, 4, 4)
    assert images[:, 0, 0].tolist() == [3, 8, 11]
    assert labels.tolist() == [1.0, 0.0, 1.0]


def test_loader_draws_its_split_only() -> None:
    seen = torch.cat([images[:, 0, 0] for images, _ in make_loader(prepared(), "val", 7)])
    assert seen.tolist() == list(range(30, 50))


LABELS = np.array([0] * 10 + [1] * 90)


def test_oversampling_shows_both_classes_alike_and_no_film_less_than_its_share() -> None:
    rows = np.arange(100)
    drawn = np.concatenate(list(Batches(rows, 10, 1, sampling="oversample", strata=LABELS)))
    assert len(drawn) == 100 and (LABELS[drawn] == 0).sum() == 50
    assert np.bincount(drawn, minlength=100)[:10].tolist() == [5] * 10
    assert np.bincount(drawn, minlength=100)[10:].max() == 1


def test_undersampling_takes_as_many_of_each_and_others_each_epoch() -> None:
    batches = Batches(np.arange(100), 10, 1, sampling="undersample", strata=LABELS)
    first = np.concatenate(list(batches))
    batches.set_epoch(1)
    second = np.concatenate(list(batches))
    assert len(batches) == 2 and len(first) == 20
    assert sorted(first[LABELS[first] == 0]) == list(range(10))
    assert set(first[LABELS[first] == 1]) != set(second[LABELS[second] == 1])
