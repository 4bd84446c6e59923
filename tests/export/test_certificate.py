"""What answers otherwise than the run is not written."""

import numpy as np
import pytest
from tests.helpers.networks import POINTS

from pneumoscope.errors import NotExportable
from pneumoscope.export.certificate import Asked, compare, phantoms
from pneumoscope.inference.exported import GraphEngine
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Grey, InputSpec


class Means(GraphEngine):
    """Each film's mean grey level as its logit, ``off`` besides; a batch of seven further off."""

    runtime, instead = "a fake", "do without"

    def __init__(self, off: float = 0.0, of_seven: float = 0.0) -> None:
        self.off, self.of_seven = off, of_seven

    def batch(self, films: Grey) -> Floats:
        return films.mean(axis=(1, 2)) / 10 - 12.8 + self.off

    def run(self, films: Grey, output: str = "logit") -> Floats:
        found = self.batch(films) + (self.of_seven if len(films) == 7 else 0)
        return found if output == "logit" else np.stack([found + 1, found], axis=1)


FILMS = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)


def asked(column: int | None = None) -> Asked:
    return Asked("model", Means(), column, POINTS)


def test_agreement_is_recorded() -> None:
    check = compare(asked(), Means(5e-5), "phantoms", FILMS)
    assert check.count == 30 and check.batches == (1, 7, 64) and check.decisions == 0
    assert check.largest_difference == pytest.approx(5e-5)
    assert compare(asked(1), Means(), "validation", FILMS, np.arange(9)).count == 9


@pytest.mark.parametrize(
    "graph", [Means(2e-4), Means(of_seven=1e-3), Means(np.nan)], ids=["all", "batch", "nan"]
)
def test_a_difference_is_refused(graph: Means) -> None:
    with pytest.raises(NotExportable, match="answers otherwise"):
        compare(asked(), graph, "phantoms", FILMS)


def test_a_decision_that_changes_is_refused() -> None:
    films = np.full((1, 8, 8), 128, np.uint8)  # its logit is 0, at the threshold of a point
    with pytest.raises(NotExportable, match="1 are called otherwise"):
        compare(asked(), Means(-5e-5), "phantoms", films)


def test_phantoms_are_always_the_same() -> None:
    first, again = phantoms(InputSpec(28, 64)), phantoms(InputSpec(28, 64))
    assert first.shape == (100, 28, 28) and np.array_equal(first, again)
