"""Geometry against the network's own resize and against hand-worked shifts; photometry by table."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator
from torchvision.transforms import RandomResizedCrop

from pneumoscope.data.augment import (
    Draw,
    _change_detail,
    affine_matrices,
    augment,
    crop_matrices,
    grey_tables,
    mix,
    resample,
)
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec
from pneumoscope.sections import AugmentChoices

NONE = dict.fromkeys(AugmentChoices.model_fields, 0.0) | {"crop": 1.0}


def choices(**changed: float) -> AugmentChoices:
    return AugmentChoices(**(NONE | changed))


def films(count: int = 4, side: int = 28) -> torch.Tensor:
    generator = Generator().manual_seed(3)
    return torch.randint(0, 256, (count, side, side), dtype=torch.uint8, generator=generator)


def seeded(seed: int = 0, count: int = 4) -> Draw:
    return Draw(Generator().manual_seed(seed), count)


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


def test_places_are_exact_also_under_bf16() -> None:
    """Autocast would round the grid to 8 bits, a tenth of a pixel and more."""
    films = torch.rand(2, 64, 64) * 255
    turn = torch.tensor([[0.995, -0.105, 0.0], [0.105, 0.995, 0.0]]).expand(2, 2, 3)
    want = resample(films, turn, 64)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(resample(films, turn, 64), want, atol=0, rtol=0)


def test_shift_by_whole_pixels_moves_columns() -> None:
    pixels = 3
    move = torch.tensor([[1.0, 0.0, 2 * pixels / 28], [0.0, 1.0, 0.0]]).repeat(4, 1, 1)
    got = resample(films(), move, 28)
    torch.testing.assert_close(
        got[:, :, : 28 - pixels], films().float()[:, :, pixels:], atol=2e-3, rtol=0
    )


@given(
    rotation=st.floats(0, 180),
    translation=st.floats(0, 0.5),
    scale=st.floats(0, 0.89),
    stretch=st.floats(0, 0.89),
    gamma=st.floats(0, 0.99),
    contrast=st.floats(0, 0.99),
    brightness=st.floats(0, 1),
    detail=st.floats(0, 4),
    noise=st.floats(0, 0.5),
    erase=st.floats(0, 1),
    crop=st.floats(0.01, 1),
)
def test_whatever_the_ranges_levels_stay_between_0_and_255(**ranges: float) -> None:
    got = augment(films(3, 16), choices(flip=0.5, **ranges), 24, seeded(count=3))
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
    tables = grey_tables(choices(gamma=0.5, contrast=0.3, brightness=0.1), seeded(1, 5))
    draw = Generator().manual_seed(1)
    gamma = 2 ** ((torch.rand(5, generator=draw) * 2 - 1) * 0.5)
    contrast = 1 + (torch.rand(5, generator=draw) * 2 - 1) * 0.3
    brightness = (torch.rand(5, generator=draw) * 2 - 1) * 0.1
    level = 100 / 255
    expected = (level**gamma - 0.5) * contrast + 0.5 + brightness
    torch.testing.assert_close(tables[:, 100], expected.clamp(0, 1) * 255)


def test_detail_is_weakened_or_strengthened_and_nothing_else() -> None:
    # At 96 px stripes of 2 px are fine detail; waves of 12 px, one for each of the eight coarsest
    # cells, are middling with a part of fine.
    x = torch.arange(96)
    stripes = 20.0 * (1 - 2 * (x // 2 % 2))
    waves = 20 * torch.cos(2 * torch.pi * (x + 0.5) / 12)
    ramp = torch.linspace(90, 150, 96)
    draw = Generator().manual_seed(2)
    fine, middling = (2 ** (torch.rand(50, generator=draw) * 2 - 1) for _ in "fm")

    def strength(pattern: torch.Tensor) -> torch.Tensor:
        film = (ramp + pattern).expand(50, 96, 96)
        got = _change_detail(film.clone(), 1.0, seeded(2, 50))[:, 48, 12:84]
        torch.testing.assert_close(
            got.mean(dim=1), film[:, 48, 12:84].mean(dim=1), atol=0.5, rtol=0
        )
        return ((got - ramp[12:84]) * pattern[12:84]).mean(dim=1) / pattern[12:84].square().mean()

    torch.testing.assert_close(strength(stripes), fine, atol=0.02, rtol=0)
    found = strength(waves)
    low, high = torch.minimum(fine, middling), torch.maximum(fine, middling)
    assert ((found > low - 0.02) & (found < high + 0.02)).all()
    assert ((found - middling).abs() < (found - fine).abs()).float().mean() > 0.9


def test_noise_has_the_asked_strength() -> None:
    grey = torch.full((64, 64, 64), 128, dtype=torch.uint8)
    got = augment(grey, choices(noise=0.1), 64, seeded(count=64))
    spread = got.std(dim=(1, 2)) / 255
    # Uniform between 0 and 0.1 over the films.
    assert spread.max() < 0.105
    assert 0.04 < spread.mean() < 0.06
    assert abs(float(got.mean()) - 128) < 0.5


def test_erasing_blanks_the_asked_share_of_films() -> None:
    white = torch.full((400, 32, 32), 255, dtype=torch.uint8)
    got = augment(white, choices(erase=0.3), 32, seeded(count=400))
    blanked = (got < 200).flatten(1)
    assert 0.22 < blanked.any(dim=1).float().mean() < 0.38
    hit = blanked[blanked.any(dim=1)].float().mean(dim=1)
    assert hit.max() < 0.25


def test_matrices_compose_to_the_asked_scale() -> None:
    matrices = affine_matrices(choices(scale=0.2), seeded(count=1000))
    zoom = 1 / np.sqrt(np.abs(np.linalg.det(matrices[:, :2, :2].numpy())))
    assert 0.8 <= zoom.min() < 0.82 and 1.18 < zoom.max() <= 1.2


def test_the_margin_is_left_out_as_the_network_leaves_it_out() -> None:
    network = Network(
        build_backbone("resnet18"), InputSpec(32, 24, margin=0.25), normalisation=(0.0, 1)
    )
    batch = films(4, 32)
    got = augment(batch, choices(), 24, seeded(), visible=0.75)
    torch.testing.assert_close(got, network.seen(batch)[:, 0], atol=2e-3, rtol=0)


def test_random_crops_have_torchvisions_areas_and_aspects() -> None:
    matrices = crop_matrices(choices(crop=0.3), seeded(count=4000), 1.0)
    width, height = matrices[:, 0, 0], matrices[:, 1, 1]
    x, y = matrices[:, 0, 2], matrices[:, 1, 2]
    assert (x.abs() + width <= 1 + 1e-6).all() and (y.abs() + height <= 1 + 1e-6).all()
    whole = (width < 1) & (height < 1)  # torchvision draws the others again
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(torch.zeros(1, 500, 500), (0.3, 1.0), (3 / 4, 4 / 3))
         for _ in range(2000)]
    ) / 500  # fmt: skip
    ours = (height * width)[whole]
    assert float(ours.mean()) == pytest.approx(
        float((theirs[:, 2] * theirs[:, 3]).mean()), abs=0.02
    )
    aspect = (width / height)[whole].log()
    assert float(aspect.std()) == pytest.approx(
        float((theirs[:, 3] / theirs[:, 2]).log().std()), abs=0.02
    )
    assert 0.29 < float(ours.min()) < 0.32


def test_processes_that_share_a_batch_change_its_films_alike() -> None:
    wild = choices(
        rotation=20, gamma=0.5, noise=0.1, erase=0.5, translation=0.1, crop=0.5, detail=1
    )
    whole = augment(films(), wild, 32, seeded(5))
    for part in (slice(0, 2), slice(2, 4)):
        draw = Draw(Generator().manual_seed(5), 4, part)
        torch.testing.assert_close(augment(films()[part], wild, 32, draw), whole[part])


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_blended_labels_are_the_share_of_each_film(mixup: float, cutmix: float) -> None:
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0])
    flat = (255 * labels)[:, None, None].expand(4, 32, 32)
    for seed in range(20):
        generator = Generator().manual_seed(seed)
        got, soft = mix(flat, labels, choices(mixup=mixup, cutmix=cutmix), generator)
        torch.testing.assert_close(got.mean(dim=(1, 2)) / 255, soft, atol=1e-5, rtol=0)
    assert torch.equal(flat[1], torch.full((32, 32), 255.0))


def test_nothing_is_blended_unless_asked() -> None:
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0])
    batch = films().float()
    got = mix(batch, labels, choices(), Generator())
    assert got[0] is batch and got[1] is labels
