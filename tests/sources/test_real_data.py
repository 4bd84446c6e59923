"""The real PneumoniaMNIST file, where it lies beside the checkout; skipped elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscope.data.prepare import prepare
from pneumoscope.data.prepared import flow
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.forms.arrays import arrays_source

FILE = Path(__file__).parents[2].parent / "shared" / "data" / "pneumoniamnist.npz"
pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="no ../shared/data/pneumoniamnist.npz beside the checkout"
)


def test_counts_pixels_and_the_remark_on_the_variant(tmp_path: Path) -> None:
    source = arrays_source(DataRequest(str(FILE)))
    assert (source.count, source.native_size) == (5030, 28)
    assert any("imbalanced" in note for note in source.notes)
    prepared = prepare(source, InputSpec(28, 64), tmp_path / "set")
    splits = flow(prepared)["splits"]
    assert {name: (s["n"], s["positives"]) for name, s in splits.items()} == {
        "train": (3882, 3494),
        "val": (524, 389),
        "test": (624, 390),
    }
    with np.load(FILE, allow_pickle=False) as arrays:
        rows = prepared.rows("test")
        assert np.array_equal(prepared.images[rows], arrays["test_images"])
        assert np.array_equal(prepared.labels(rows), arrays["test_labels"][:, 0])
