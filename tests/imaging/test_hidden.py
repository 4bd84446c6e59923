"""Hidden parts of films: the parts make the film, thumbnails are blown up as torch does."""

import numpy as np
import torch
from torch.nn import functional

from pneumoscope.imaging.hidden import altered, border_mask, mean_film

SIDE = 40


def _films() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE), dtype=np.uint8)


def test_the_ring_is_a_tenth_and_the_parts_make_the_film() -> None:
    films, fill = _films(), np.full((SIDE, SIDE), 7, np.uint8)
    border, centre = altered(films, "border", fill), altered(films, "centre", fill)
    mask = border_mask(SIDE)
    assert mask.sum() == SIDE**2 - (SIDE - 8) ** 2
    np.testing.assert_array_equal(np.where(mask, border, centre), films)
    assert (border[:, ~mask] == 7).all()
    assert (centre[:, mask] == 7).all()


def test_thumbnails_are_area_means_enlarged_as_torch_does() -> None:
    films = _films()
    small = functional.adaptive_avg_pool2d(torch.from_numpy(films).float()[:, None], 8)
    large = functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    ours = altered(films, "thumbnail", films[0])
    np.testing.assert_allclose(ours, large[:, 0].numpy(), atol=0.51)


def test_the_mean_film_is_of_the_named_rows() -> None:
    films = _films()
    expected = films[[1, 3]].astype(float).mean(axis=0)
    np.testing.assert_allclose(mean_film(films, np.array([1, 3])), expected, atol=0.5)
