"""Occlusion of models whose evidence is at a known place; it asks them for answers alone."""

import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope.explain.heat import find_method
from pneumoscope.explain.occlusion import occlusion
from pneumoscope.inference.model import Engine
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Grey, InputSpec
from pneumoscope.workflows.explain.pictures import HeatPictures


class Bright(Engine):
    """Answers to the brightness of the one square around ``place``, times ``gain``."""

    def __init__(self, place: tuple[int, int], gain: float = 1.0) -> None:
        self.here = np.s_[:, place[0] - 4 : place[0] + 5, place[1] - 4 : place[1] + 5]
        self.gain = gain

    def batch(self, films: Grey) -> Floats:
        return self.gain * films[self.here].mean(axis=(1, 2), dtype=np.float64)


def dark(*places: tuple[int, int], side: int = 48) -> Grey:
    """A dark film with a bright square around each place."""
    film = np.full((1, side, side), 10, np.uint8)
    for row, column in places:
        film[:, row - 4 : row + 5, column - 4 : column + 5] = 240
    return film


@pytest.mark.parametrize("side", [48, 50, 61])
@pytest.mark.parametrize("place", [(12, 32), (36, 12), (5, 42)])
def test_the_maximum_is_where_the_evidence_is(place: tuple[int, int], side: int) -> None:
    films = dark(place, (24, 24), side=side)
    heat = occlusion(Bright(place), InputSpec(side, side), films)
    assert heat.shape == films.shape and heat.dtype == np.float32
    hottest = np.argwhere(heat[0] == heat.max()).mean(axis=0)
    assert np.abs(hottest - place).max() <= side / 8, hottest
    assert heat.min() >= 0 and heat.max() == 1
    # No step: heat runs evenly from square to square.
    assert np.abs(np.diff(heat[0], axis=0)).max() <= 0.25


def test_what_the_margin_cuts_off_is_cold() -> None:
    spec = InputSpec(48, 32, margin=1 / 3)
    heat = occlusion(Bright((24, 28)), spec, dark((24, 28)))[0]
    edge = (48 - spec.visible) // 2
    assert edge and not heat[:edge].any() and not heat[:, -edge:].any() and heat.max() == 1


def test_a_film_without_evidence_has_no_heat_and_its_picture_says_so() -> None:
    spec = InputSpec(48, 48)
    against = Bright((24, 24), gain=-1.0)
    film = dark((24, 24))
    assert not occlusion(against, spec, film).any()
    for engine, cold in ((against, True), (Bright((24, 24)), False)):
        pictures = HeatPictures(
            lambda films, engine=engine: occlusion(engine, spec, films),
            spec,
            find_method("occlusion"),
        )
        said = Image.open(io.BytesIO(pictures.picture(film[0]))).info["Description"]
        assert ("no heat: nothing on this film" in said) is cold
