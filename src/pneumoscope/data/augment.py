"""Random changes of whole batches on the training device.

Exposure (gamma, contrast, brightness) is a table of 256 grey levels for each film, looked up on the
stored bytes: a tenth of the cost of powers and products on floats, and what another exposure of
the same film would have stored. Geometry is one affine resample from the stored to the network
size, composed of flip, rotation, scale, stretch and translation, so a film is interpolated once.
Noise and erasing follow. All randomness comes from the generator passed in.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pneumoscope.recipe import AugmentChoices

_GREY = 127.5
_BANK = 1 << 22


def augment(images: Tensor, choices: AugmentChoices, side: int, generator: Generator) -> Tensor:
    """Uint8 (B, S, S) to float32 (B, side, side), 0–255.

    ``generator`` lives on the CPU: a few numbers a film are drawn there, so the changes are the
    same on every device. With all ranges zero this equals the network's own resize.
    """
    count = len(images)
    tables = grey_tables(count, choices, generator)
    matrices = affine_matrices(count, choices, generator)
    films = resample(_look_up(images, tables), matrices, side)
    if choices.noise > 0:
        films = _add_noise(films, choices.noise, generator).clamp_(0.0, 255.0)
    if choices.erase > 0:
        films = films.masked_fill_(_rectangles(films, choices.erase, generator), _GREY)
    return films


def _uniform(count: int, half_width: float, generator: Generator) -> Tensor:
    """Float32 (count,) uniform in [-half_width, half_width]."""
    return (torch.rand(count, generator=generator) * 2 - 1) * half_width


def affine_matrices(count: int, choices: AugmentChoices, generator: Generator) -> Tensor:
    """Float32 (count, 2, 3): from output to input coordinates, both in [-1, 1] of the side."""
    angle = _uniform(count, math.radians(choices.rotation), generator)
    scale = 1 + _uniform(count, choices.scale, generator)
    stretch = torch.exp(_uniform(count, math.log1p(choices.stretch) / 2, generator))
    flip = torch.where(torch.rand(count, generator=generator) < choices.flip, -1.0, 1.0)
    # A shift of the part t of the side is 2 t in coordinates that span [-1, 1].
    shift = _uniform(2 * count, 2 * choices.translation, generator).view(2, count)
    cos, sin = torch.cos(angle), torch.sin(angle)
    x_scale, y_scale = flip / (scale * stretch), stretch / scale
    rows = [x_scale * cos, -x_scale * sin, shift[0], y_scale * sin, y_scale * cos, shift[1]]
    return torch.stack(rows, dim=1).view(count, 2, 3)


def resample(images: Tensor, matrices: Tensor, side: int) -> Tensor:
    """Bilinear affine resample of (B, S, S) to float32 (B, side, side), edges continued.

    ``align_corners=False`` with continued edges is the convention of ``F.interpolate``, so the
    identity matrix gives what the network's own resize gives.
    """
    films = images.float().unsqueeze(1)
    matrices = matrices.to(films.device)
    grid = F.affine_grid(matrices, [len(films), 1, side, side], align_corners=False)
    return F.grid_sample(
        films, grid, mode="bilinear", padding_mode="border", align_corners=False
    ).squeeze(1)


def grey_tables(count: int, choices: AugmentChoices, generator: Generator) -> Tensor:
    """Float32 (count, 256): the new grey level of every old one, clamped to 0–255.

    Gamma acts on the full scale; contrast acts around middle grey, then brightness shifts.
    """
    levels = torch.arange(256, dtype=torch.float32).repeat(count, 1) / 255
    gamma = torch.exp2(_uniform(count, choices.gamma, generator))
    contrast = 1 + _uniform(count, choices.contrast, generator)
    brightness = _uniform(count, choices.brightness, generator)
    levels = (levels.pow(gamma[:, None]) - 0.5) * contrast[:, None] + 0.5 + brightness[:, None]
    return levels.clamp_(0, 1).mul_(255)


def _look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Float32 (B, S, S): each film's levels through its own table of 256."""
    flat = images.reshape(len(images), -1).long()
    return tables.to(images.device).gather(1, flat).view(images.shape)


@cache
def _noise_bank() -> Tensor:
    """Four million standard normal numbers, drawn once.

    Drawing anew costs a tenth of a training step on a CPU; a random window of a fixed bank
    serves as well, since no film ever meets the same window at the same scale twice.
    """
    return torch.randn(_BANK, generator=Generator().manual_seed(0))


def _add_noise(films: Tensor, most: float, generator: Generator) -> Tensor:
    sigma = 255 * most * torch.rand(len(films), 1, 1, generator=generator)
    count = films.numel()
    start = int(torch.randint(_BANK, (1,), generator=generator))
    noise = _noise_bank()[start : start + count]
    if len(noise) < count:  # a window that runs over the end goes on at the beginning
        noise = torch.cat([noise, *[_noise_bank()] * (1 + count // _BANK)])[:count]
    return films.addcmul_(noise.view_as(films).to(films.device), sigma.to(films.device))


def _rectangles(films: Tensor, probability: float, generator: Generator) -> Tensor:
    """Bool (B, side, side): a rectangle of 2–20 % of the area in some films (Zhong 2020)."""
    count, side = len(films), films.shape[-1]
    hit = torch.rand(count, generator=generator) < probability
    area = 0.02 + 0.18 * torch.rand(count, generator=generator)
    ratio = torch.exp(_uniform(count, math.log(3.3), generator) / 2)
    centre = torch.rand(2, count, generator=generator)
    height, width = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    at = (torch.arange(side) + 0.5) / side
    in_rows = ((at - centre[0, :, None]).abs() <= height[:, None] / 2) & hit[:, None]
    in_columns = (at - centre[1, :, None]).abs() <= width[:, None] / 2
    return (in_rows[:, :, None] & in_columns[:, None, :]).to(films.device)
