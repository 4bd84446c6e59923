"""Loader of batches: one fancy-indexing call of the memory map each, no per-image Python.

The order of the films is a pure function of (seed, epoch), so a resumed run continues with
exactly the batches an uninterrupted one would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.records import Split

Sampling = Literal["shuffle", "oversample", "undersample", "sites"]

Batch = tuple[Tensor, Tensor]
"""Images uint8 (B, S, S), 0–255, and labels float32 (B,), 0 or 1."""


@dataclass(frozen=True, slots=True)
class RankSlice:
    """What falls to process ``rank`` (from 0) where ``world_size`` of them share the work; all of
    it to a process that is alone."""

    rank: int = 0
    world_size: int = 1

    def of(self, count: int) -> slice:
        """Which of ``count`` pieces: neighbours, in the order of the ranks, and as many for each
        process where ``world_size`` divides ``count``."""
        first, after = self.rank * count, (self.rank + 1) * count
        return slice(first // self.world_size, after // self.world_size)


WHOLE = RankSlice()
"""All of the work."""


class Films(Dataset[Batch]):
    """A prepared set indexed by a whole batch of row numbers at a time."""

    def __init__(self, prepared: PreparedSet) -> None:
        self._images = prepared.images
        self._labels = torch.from_numpy(prepared.table["label"].to_numpy(np.float32, na_value=-1))

    def __getitem__(self, rows: NDArray[np.int64]) -> Batch:
        # No worker processes: one call a batch, and they would have to pickle it.
        # Indexing a memory map copies just these rows; the pages stay the kernel's to reclaim.
        return torch.from_numpy(self._images[rows]), self._labels[torch.from_numpy(rows)]


class Batches(Sampler[NDArray[np.int64]]):
    """Row numbers, a batch at a time.

    With a ``seed`` the rows are drawn anew each epoch and the last, incomplete batch is left
    out when there is a whole one; without it they come in order and completely. ``strata`` (n,) of
    the rows, numbers from 0 such as their labels, are needed to sample by class: ``oversample``
    draws n rows with repetition, all strata alike, and so does ``sites``, whose strata are the
    classes of each site; ``undersample`` as many of each as the smallest one has. ``part`` is
    what comes of each batch; all processes draw the same batches. ``rising`` sorts each batch,
    which reads the file forwards; not where neighbours in a batch are blended, for those in a file
    are mostly of one class.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        size: int,
        seed: int | None = None,
        *,
        sampling: Sampling = "shuffle",
        strata: NDArray[np.int64] | None = None,
        part: RankSlice = WHOLE,
        rising: bool = True,
    ) -> None:
        self._rows = rows
        self._rising = rising
        self._part = part
        self._size = size
        self._seed = seed
        self._sampling = sampling
        self._strata = (
            [] if strata is None else [rows[strata == each] for each in np.unique(strata)]
        )
        self._count = len(rows)
        if sampling == "undersample":
            self._count = len(self._strata) * min(map(len, self._strata))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self._count, self._size)
        return whole if self._seed is not None and whole else whole + bool(rest)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        rows = self._rows
        if self._seed is not None:
            rows = self._draw(np.random.default_rng([self._seed, self.epoch]))
        for start in range(0, len(self) * self._size, self._size):
            batch = rows[start : start + self._size]
            if self._rising:
                batch = np.sort(batch)
            yield batch[self._part.of(len(batch))]

    def _draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The rows of an epoch, in the order in which they are shown."""
        if self._sampling == "shuffle":
            return rng.permutation(self._rows)
        drawn = [
            # Whole rounds before any repetition: no film is left out by chance.
            np.resize(rng.permutation(rows), count)
            for rows, count in zip(self._strata, self._shares(), strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))

    def _shares(self) -> list[int]:
        """How many rows of each of the strata an epoch has."""
        each, more = divmod(self._count, len(self._strata))
        return [each + (place < more) for place in range(len(self._strata))]


def make_loader(
    prepared: PreparedSet,
    split: Split,
    batch_size: int,
    seed: int | None = None,
    sampling: Sampling = "shuffle",
    part: RankSlice = WHOLE,
    *,
    rising: bool = True,
) -> DataLoader[Batch]:
    """Batches of a split; drawn anew each epoch when a seed is given, and ``rising`` as of Batches.

    A process has its ``part`` of each batch; without a seed it has its part of the rows, so that
    those of all processes, one after the other, are all rows in order and none twice.
    """
    rows = prepared.rows(split)
    if seed is None:
        rows, batch_size = rows[part.of(len(rows))], max(1, batch_size // part.world_size)
        part = WHOLE
    strata = prepared.strata(rows) if sampling == "sites" else prepared.labels(rows)
    batches = Batches(
        rows, batch_size, seed, sampling=sampling, strata=strata, part=part, rising=rising
    )
    return DataLoader(Films(prepared), sampler=batches, batch_size=None, num_workers=0)
