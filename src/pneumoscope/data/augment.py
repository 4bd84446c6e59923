"""Augmentation: random changes of whole batches on the training device.

Exposure (gamma, contrast, brightness) is a table of 256 grey levels for each film, looked up on the
stored bytes: a tenth of the cost of powers and products on floats, and what another exposure of
the same film would have stored. Geometry is one affine resample from the stored to the network
size, composed of crop, flip, rotation, scale, stretch and translation, so a film is interpolated
once. Detail, a field of brightness, noise and erasing follow. All randomness comes from the
generator passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

if TYPE_CHECKING:  # pydantic takes a while to import, and reading films needs none of it
    from pneumoscope.sections import AugmentChoices

_GREY = 127.5
_BANK = 1 << 22
_BENDS = 4
_DETAIL = 24, 8  # cells a side: what is lost at 24 is fine detail, between 24 and 8 middling


@dataclass(frozen=True, slots=True)
class Draw:
    """Random numbers for the films of a batch, from a generator on the CPU.

    A few numbers a film are drawn there, so the changes are the same on every device. ``whole`` is
    the number of films for which is drawn and ``part`` those that are here (None: all): several
    processes that share a batch draw alike and each takes its own.
    """

    generator: Generator
    whole: int
    part: slice | None = None

    @property
    def here(self) -> slice:
        """The films here among all that are drawn for."""
        return self.part or slice(0, self.whole)

    def rand(self) -> Tensor:
        """Float32, one number in [0, 1) for each film here."""
        return torch.rand(self.whole, generator=self.generator)[self.here]

    def uniform(self, half_width: float) -> Tensor:
        """Float32, one number in [-half_width, half_width) for each film here."""
        return (self.rand() * 2 - 1) * half_width


def augment(
    images: Tensor, choices: AugmentChoices, side: int, draw: Draw, *, visible: float = 1.0
) -> Tensor:
    """Uint8 (B, S, S) to float32 (B, side, side), 0–255.

    ``visible`` is the part of the side that is judged later: what is shown, where no random crop
    says otherwise. With all ranges zero this equals the network's own crop and resize.
    """
    tables = grey_tables(choices, draw)
    matrices = affine_matrices(choices, draw) @ crop_matrices(choices, draw, visible)
    films = resample(_look_up(images, tables), matrices[:, :2], side)
    if choices.detail > 0:
        films = _change_detail(films, choices.detail, draw).clamp_(0.0, 255.0)
    if choices.field > 0:
        films = _add_field(films, choices.field, draw).clamp_(0.0, 255.0)
    if choices.noise > 0:
        films = _add_noise(films, choices.noise, draw).clamp_(0.0, 255.0)
    if choices.erase > 0:
        blank = _rectangles(films.shape[-1], choices.erase, draw)
        films = films.masked_fill_(blank.to(films.device), _GREY)
    return films


def affine_matrices(choices: AugmentChoices, draw: Draw) -> Tensor:
    """Float32 (B, 3, 3): from the coordinates of the turned and moved film to those of the film
    itself, both in [-1, 1] of the side."""
    angle = draw.uniform(math.radians(choices.rotation))
    scale = 1 + draw.uniform(choices.scale)
    stretch = torch.exp(draw.uniform(math.log1p(choices.stretch) / 2))
    flip = torch.where(draw.rand() < choices.flip, -1.0, 1.0)
    # A shift of the part t of the side is 2 t in coordinates that span [-1, 1].
    x_shift, y_shift = (draw.uniform(2 * choices.translation) for _ in "xy")
    cos, sin = torch.cos(angle), torch.sin(angle)
    x_scale, y_scale = flip / (scale * stretch), stretch / scale
    rows = [x_scale * cos, -x_scale * sin, x_shift, y_scale * sin, y_scale * cos, y_shift]
    return _square_matrices(rows)


def crop_matrices(choices: AugmentChoices, draw: Draw, visible: float) -> Tensor:
    """Float32 (B, 3, 3): from what is shown to the whole film, both in [-1, 1] of the side.

    A random crop has an area of ``choices.crop`` to 1 and an aspect of 3/4 to 4/3, and lies
    anywhere in the film, as torchvision's RandomResizedCrop; a side that would be longer than the
    film's is cut to it, where torchvision draws again.
    """
    if choices.crop == 1:
        one = torch.full_like(draw.uniform(0.0), visible)
        return _square_matrices([one, 0 * one, 0 * one, 0 * one, one, 0 * one])
    area = 1 - draw.rand() * (1 - choices.crop)
    aspect = torch.exp(draw.uniform(math.log(4 / 3)))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    x, y = draw.uniform(1.0) * (1 - width), draw.uniform(1.0) * (1 - height)
    return _square_matrices([width, 0 * x, x, 0 * y, height, y])


def _square_matrices(rows: list[Tensor]) -> Tensor:
    """Six times (B,) to (B, 3, 3) with the last row 0, 0, 1, so that they can be multiplied."""
    upper = torch.stack(rows, dim=1).view(-1, 2, 3)
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(upper), 1, 3)
    return torch.cat([upper, last], dim=1)


def resample(images: Tensor, matrices: Tensor, side: int) -> Tensor:
    """Bilinear affine resample of (B, S, S) to float32 (B, side, side), edges continued.

    ``align_corners=False`` with continued edges is the convention of ``F.interpolate``, so the
    identity matrix gives what the network's own resize gives.
    """
    films = images.float().unsqueeze(1)
    matrices = matrices.to(films.device)
    with torch.autocast(films.device.type, enabled=False):  # places need more than bf16's 8 bits
        grid = F.affine_grid(matrices, [len(films), 1, side, side], align_corners=False)
        return F.grid_sample(
            films, grid, mode="bilinear", padding_mode="border", align_corners=False
        ).squeeze(1)


def grey_tables(choices: AugmentChoices, draw: Draw) -> Tensor:
    """Float32 (B, 256): the new grey level of every old one, clamped to 0–255.

    Gamma acts on the full scale; contrast acts around middle grey, then brightness shifts.
    """
    gamma = torch.exp2(draw.uniform(choices.gamma))
    contrast = 1 + draw.uniform(choices.contrast)
    brightness = draw.uniform(choices.brightness)
    levels = torch.arange(256, dtype=torch.float32).repeat(len(gamma), 1) / 255
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


def _change_detail(films: Tensor, most: float, draw: Draw) -> Tensor:
    """Weaken or strengthen fine and middling detail, each by a factor of its own, as another
    detector, sharpening or compression would: how sharp a film is tells where it comes from."""
    fine, middling = (torch.exp2(draw.uniform(most))[:, None, None].to(films.device) for _ in "fm")
    less, least = (_without_detail(films, cells) for cells in _DETAIL)
    return films.mul_(fine).addcmul_(less, middling - fine).addcmul_(least, 1 - middling)


def _without_detail(films: Tensor, cells: int) -> Tensor:
    """The films (B, s, s) as they are at ``cells`` a side."""
    size = films.shape[-2:]
    small = F.interpolate(films.unsqueeze(1), (min(cells, size[0]),) * 2, mode="area")
    return F.interpolate(small, size, mode="bilinear", align_corners=False).squeeze(1)


def _add_field(films: Tensor, most: float, draw: Draw) -> Tensor:
    """Add a field of few bends, as uneven exposure and soft tissue make it: what tells the classes
    apart in a film of 8 x 8 pixels is then no longer to be trusted."""
    bends = torch.randn(draw.whole, 1, _BENDS, _BENDS, generator=draw.generator)[draw.here]
    strength = 255 * most * draw.rand()
    field = F.interpolate(
        (bends * strength[:, None, None, None]).to(films.device),
        films.shape[-2:],
        mode="bicubic",
        align_corners=True,
    )
    return films.add_(field[:, 0])


def _add_noise(films: Tensor, most: float, draw: Draw) -> Tensor:
    sigma = 255 * most * draw.rand()[:, None, None]
    first = draw.here.start
    size = films[0].numel()
    start = (int(torch.randint(_BANK, (1,), generator=draw.generator)) + first * size) % _BANK
    count = films.numel()
    noise = _noise_bank()[start : start + count]
    if len(noise) < count:  # a window that runs over the end goes on at the beginning
        noise = torch.cat([noise, *[_noise_bank()] * (1 + count // _BANK)])[:count]
    return films.addcmul_(noise.view_as(films).to(films.device), sigma.to(films.device))


def _rectangles(side: int, probability: float, draw: Draw) -> Tensor:
    """Bool (B, side, side): a rectangle of 2–20 % of the area in some films (Zhong 2020)."""
    hit = draw.rand() < probability
    area = 0.02 + 0.18 * draw.rand()
    ratio = torch.exp(draw.uniform(math.log(3.3)) / 2)
    centre = draw.rand(), draw.rand()
    height, width = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    at = (torch.arange(side) + 0.5) / side
    in_rows = ((at - centre[0][:, None]).abs() <= height[:, None] / 2) & hit[:, None]
    in_columns = (at - centre[1][:, None]).abs() <= width[:, None] / 2
    return in_rows[:, :, None] & in_columns[:, None, :]


def mix(
    films: Tensor, labels: Tensor, choices: AugmentChoices, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Blend each film of a batch, float (B, s, s), with the one before, and their labels (B,).

    Mixup (Zhang 2018) weighs whole films; CutMix (Yun 2019) replaces a rectangle, and the label by
    its area. Where both are on, each batch takes one of them. New tensors are returned.
    """
    if not (choices.mixup or choices.cutmix):
        return films, labels
    seed = int(torch.randint(2**31, (1,), generator=generator))
    rng = np.random.default_rng(seed)
    cut = choices.cutmix > 0 and (choices.mixup == 0 or rng.random() < 0.5)
    alpha = choices.cutmix if cut else choices.mixup
    kept = float(rng.beta(alpha, alpha))
    others = films.roll(1, 0)
    if cut:
        films, kept = _paste(films, others, kept, rng)
    else:
        films = torch.lerp(others, films, kept)
    return films, torch.lerp(labels.roll(1, 0), labels, kept)


def _paste(
    films: Tensor, others: Tensor, kept: float, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """A rectangle of ``others`` in ``films``, and the part of the area that is left."""
    side = films.shape[-1]
    half = side * math.sqrt(1 - kept) / 2
    y, x = rng.random(2) * side
    top, left = (max(0, round(at - half)) for at in (y, x))
    bottom, right = (min(side, round(at + half)) for at in (y, x))
    films = films.clone()
    films[:, top:bottom, left:right] = others[:, top:bottom, left:right]
    return films, 1 - (bottom - top) * (right - left) / side**2
