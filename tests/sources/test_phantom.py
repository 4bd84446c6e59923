"""The phantom source: a fixed order, patient-wise splits, lazy reads that draw once."""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from pneumoscope.errors import InputError
from pneumoscope.imaging.phantom import Phantom, draw_phantom
from pneumoscope.records import SPLITS, Record
from pneumoscope.sources.forms import phantom
from pneumoscope.sources.forms.phantom import phantom_source


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(phantom_source(count=1000, seed=4).records)


def test_order_and_ids_are_fixed(records: list[Record]) -> None:
    source = phantom_source(count=1000, seed=4)
    again = list(source.records)
    assert [r.image_id for r in again] == [f"phantom-{i:06d}" for i in range(1000)]
    assert len(again) == source.count == len(list(source.records))
    assert [(r.label, r.patient_id, r.split) for r in again] == [
        (r.label, r.patient_id, r.split) for r in records
    ]


def test_a_patient_lies_in_one_split_with_one_label(records: list[Record]) -> None:
    seen: dict[str, set[tuple[object, object]]] = defaultdict(set)
    for record in records:
        assert record.patient_id is not None
        seen[record.patient_id].add((record.split, record.label))
    assert all(len(pairs) == 1 for pairs in seen.values())
    films = Counter(record.patient_id for record in records)
    assert set(films.values()) == {1, 2}


def test_splits_and_labels_are_balanced(records: list[Record]) -> None:
    for split, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        labels = [r.label == 1 for r in records if r.split == split]
        assert len(labels) / len(records) == pytest.approx(share, abs=0.03)
        assert 0.45 <= np.mean(labels) <= 0.65


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_tiny_sources_hold(count: int) -> None:
    assert len(list(phantom_source(count=count).records)) == count


def test_read_and_mask_are_one_draw(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(seed: int, index: int, **options: Any) -> Phantom:
        calls.append(index)
        return draw_phantom(seed, index, **options)

    phantom._draw.cache_clear()
    monkeypatch.setattr(phantom, "draw_phantom", counting)
    record = next(r for r in records if r.label == 1)
    assert record.mask is not None
    assert record.read(0).pixels.shape == record.mask().shape
    assert calls == [int(record.image_id.removeprefix("phantom-"))]


def test_reader_may_write_on_what_it_got(records: list[Record]) -> None:
    first = records[0].read(0).pixels
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(records[0].read(0).pixels, kept)


def test_records_survive_pickling(records: list[Record]) -> None:
    twin = pickle.loads(pickle.dumps(records[7]))
    assert np.array_equal(twin.read(0).pixels, records[7].read(0).pixels)
    assert twin.mask is not None and twin.mask().any() == (twin.label == 1)


def test_subtype_is_truth(records: list[Record]) -> None:
    assert all((r.facts["subtype"] == "none") == (r.label == 0) for r in records)


def test_fingerprint_follows_the_parameters() -> None:
    prints = {
        phantom_source(count=count, seed=seed, size=size).fingerprint
        for count, seed, size in ((10, 0, 96), (11, 0, 96), (10, 1, 96), (10, 0, 64))
    }
    assert len(prints) == 4
    assert phantom_source(count=10).fingerprint == phantom_source(count=10).fingerprint


@pytest.mark.parametrize("wrong", [{"count": 0}, {"size": 8}, {"seed": -1}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="out of range"):
        phantom_source(**wrong)
