"""Features of the frozen parts: what they make of each film, as it is or as a view changes it.

Frozen parts give the same features for the same view of a film for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.data.augment import Draw, augment
from pneumoscope.models.network import Network
from pneumoscope.training.job import TrainingJob
from pneumoscope.training.seeds import VIEW, seed_of

_BATCH = 64  # part of what random changes follow from; another number gives other views

RowNumbers = NDArray[np.int64]


class FeatureExtractor:
    """Computes features batch by batch; each follows from (seed, view, batch) alone."""

    def __init__(self, job: TrainingJob, network: Network) -> None:
        self.rows = {split: job.prepared.rows(split) for split in ("train", "val")}
        self._images = job.prepared.images
        self._content = job.prepared.content
        self._network = network.to(job.precision.device)
        self._choices = job.recipe.augment
        self._seed = job.seed
        self._precision = job.precision

    def key(self) -> str:
        """16 hex digits of all that the features follow from."""
        hasher = hashlib.blake2b(digest_size=8)
        precision, spec = self._precision, self._network.spec
        about = (self._content, self._choices, self._seed, precision.name, precision.device, spec)
        hasher.update(repr(about).encode())
        for rows in self.rows.values():
            hasher.update(rows.tobytes())
        parts = [module.state_dict().values() for _, module in self._network.frozen_parts]
        for tensor in (self._network.mean, self._network.std, *(t for part in parts for t in part)):
            values = tensor.detach().cpu().contiguous().reshape(-1)
            hasher.update(values.view(torch.uint8).numpy().data)
        return hasher.hexdigest()

    def sample(self) -> NDArray[Any]:
        """The features of one film."""
        return self._of(self.rows["val"][:1], None, 0)

    def batches(self, view: int | None) -> Iterator[NDArray[Any]]:
        """Features (B, …) of all training films as ``view`` changes them, or, for None, of the
        validation films as they are."""
        rows = self.rows["val" if view is None else "train"]
        for index, start in enumerate(range(0, len(rows), _BATCH)):
            yield self._of(rows[start : start + _BATCH], view, index)

    def _of(self, rows: RowNumbers, view: int | None, index: int) -> NDArray[Any]:
        device = self._precision.device
        kind, half = device.split(":")[0], self._precision.name == "bf16"
        with torch.inference_mode():
            films = torch.from_numpy(self._images[rows]).to(device)
            films = self._network.seen(films) if view is None else self._change(films, view, index)
            with torch.autocast(kind, torch.bfloat16, enabled=half):
                return to_array(self._network.frozen_features(films))

    def _change(self, films: Tensor, view: int, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self._seed, VIEW, view, index))
        spec = self._network.spec
        draw, visible = Draw(generator, len(films)), spec.visible / spec.stored
        return augment(films, self._choices, spec.network, draw, visible=visible)


def to_array(features: Tensor) -> NDArray[Any]:
    """Float32, or the bits of bf16 as int16, contiguous with channels last."""
    if features.ndim == 4:
        features = features.permute(0, 2, 3, 1)
    features = features.cpu().contiguous()
    bits = features.dtype == torch.bfloat16
    return features.view(torch.int16).numpy() if bits else features.float().numpy()


def to_tensor(values: NDArray[Any]) -> Tensor:
    """What ``to_array`` was given."""
    features = torch.from_numpy(values)
    if features.dtype == torch.int16:
        features = features.view(torch.bfloat16)
    return features.permute(0, 3, 1, 2) if features.ndim == 4 else features
