"""Geometry against the network's own resize and against hand-worked shifts; photometry by table."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from pneumoscope.data.augment import affine_matrices, augment, grey_tables, resample
from pneumoscope.recipe import AugmentChoices

NONE = dict.fromkeys(AugmentChoices.model_fields, 0.0)


def choices(**changed: float) -> AugmentChoices:
    return AugmentChoices(**(NONE | changed))


def films(count: int = 4, side: int = 28) -> torch.Tensor:
    generator = Generator().manual_seed(3)
    return torch.randint(0, 256, (count, side, side), dtype=torch.uint8, generator=generator)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("side", [28, 64, 112])
def test_no_change_is_the_networks_own_resize(side: int) -> None:
    got = augment(films(), choices(), side, seeded())
    expected = F.interpolate(
        films().float()[:, None], (side, side), mode="bilinear", align_corners=False
    )[:, 0]
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, atol=2e-3, rtol=0)


def test_certain_flip_is_the_mirror_image() -> None:
    got = augment(films(), choices(flip=1.0), 28, seeded())
    torch.testing.assert_close(got, films().float().flip(-1), atol=2e-3, rtol=0)


def test_quarter_turn_is_rot90() -> None:
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]).repeat(4, 1, 1)
    got = resample(films(), quarter, 28)
    # out[i, j] = in[j, n - 1 - i], which is how numpy defines a quarter turn.
    torch.testing.assert_close(got, torch.rot90(films().float(), 1, (1, 2)), atol=2e-3, rtol=0)


def test_shift_by_whole_pixels_moves_columns() -> None:
    pixels = 3
    move = torch.tensor([[1.0, 0.0, 2 * pixels / 28], [0.0, 1.0, 0.0]]).repeat(4, 1, 1)
    got = resample(films(), move, 28)
    torch.testing.assert_close(
        got[:, :, : 28 - pixels], films().float()[:, :, pixels:], atol=2e-3, rtol=0
    )


@settings(max_examples=25, deadline=None)
@given(
    rotation=st.floats(0, 180),
    translation=st.floats(0, 0.5),
    scale=st.floats(0, 0.89),
    stretch=st.floats(0, 0.89),
    gamma=st.floats(0, 0.99),
    contrast=st.floats(0, 0.99),
    brightness=st.floats(0, 1),
    noise=st.floats(0, 0.5),
    erase=st.floats(0, 1),
)
def test_whatever_the_ranges_levels_stay_between_0_and_255(**ranges: float) -> None:
    got = augment(films(3, 16), choices(flip=0.5, **ranges), 24, seeded())
    assert got.shape == (3, 24, 24)
    assert torch.isfinite(got).all()
    assert got.min() >= -1e-3 and got.max() <= 255 + 1e-3


def test_same_generator_same_films_and_another_seed_other_films() -> None:
    wild = choices(rotation=20, gamma=0.5, noise=0.1, erase=0.5, translation=0.1)
    first, again = (augment(films(), wild, 32, seeded(5)) for _ in range(2))
    other = augment(films(), wild, 32, seeded(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_is_not_touched() -> None:
    before = torch.get_rng_state()
    augment(films(), choices(rotation=9, noise=0.1, erase=1.0, gamma=0.2), 28, seeded())
    assert torch.equal(before, torch.get_rng_state())


def test_inputs_are_not_changed() -> None:
    batch = films()
    augment(batch, choices(contrast=0.5, noise=0.2, erase=1.0), 28, seeded())
    assert torch.equal(batch, films())


def test_grey_table_is_gamma_then_contrast_then_brightness() -> None:
    tables = grey_tables(5, choices(gamma=0.5, contrast=0.3, brightness=0.1), seeded(1))
    draw = Generator().manual_seed(1)
    gamma = 2 ** ((torch.rand(5, generator=draw) * 2 - 1) * 0.5)
    contrast = 1 + (torch.rand(5, generator=draw) * 2 - 1) * 0.3
    brightness = (torch.rand(5, generator=draw) * 2 - 1) * 0.1
    level = 100 / 255
    expected = (level**gamma - 0.5) * contrast + 0.5 + brightness
    torch.testing.assert_close(tables[:, 100], expected.clamp(0, 1) * 255)


def test_noise_has_the_asked_strength() -> None:
    grey = torch.full((64, 64, 64), 128, dtype=torch.uint8)
    got = augment(grey, choices(noise=0.1), 64, seeded())
    spread = got.std(dim=(1, 2)) / 255
    # Uniform between 0 and 0.1 over the films.
    assert spread.max() < 0.105
    assert 0.04 < spread.mean() < 0.06
    assert abs(float(got.mean()) - 128) < 0.5


def test_erasing_blanks_the_asked_share_of_films() -> None:
    white = torch.full((400, 32, 32), 255, dtype=torch.uint8)
    got = augment(white, choices(erase=0.3), 32, seeded())
    blanked = (got < 200).flatten(1)
    assert 0.22 < blanked.any(dim=1).float().mean() < 0.38
    hit = blanked[blanked.any(dim=1)].float().mean(dim=1)
    assert hit.max() < 0.25


def test_matrices_compose_to_the_asked_scale() -> None:
    matrices = affine_matrices(1000, choices(scale=0.2), seeded())
    zoom = 1 / np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2].numpy())))
    assert 0.8 <= zoom.min() < 0.82 and 1.18 < zoom.max() <= 1.2
