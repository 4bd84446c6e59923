"""Feature batches: training on what the frozen parts made of each film, instead of on films.

With V views of each training film these are passed through the frozen parts V times in all, not
once an epoch; epoch e trains on view e mod V. The memory maps' pages are given back after each
batch, so the process owns a batch at a time, however many films there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from pneumoscope.data.loader import Batch, Batches
from pneumoscope.data.prepared import give_back, map_file
from pneumoscope.listener import Listener
from pneumoscope.models.network import Network
from pneumoscope.run import Run
from pneumoscope.training.features.extract import FeatureExtractor, RowNumbers, to_tensor
from pneumoscope.training.features.store import keep_features
from pneumoscope.training.job import TrainingJob, sampling_of

Loaders = tuple[DataLoader[Batch], DataLoader[Batch]]


def feature_loaders(run: Run, job: TrainingJob, network: Network, listener: Listener) -> Loaders:
    """Batches of features of the training and the validation films, in the order of films.

    What is not in the run folder yet is computed first. Raises OutputNotWritable when it does not
    fit on the disk.
    """
    _recall_weights(run, network)
    prepared, train = job.prepared, job.recipe.train
    views = min(train.views, train.epochs)  # no epoch would see the others
    files = keep_features(run.checkpoints, FeatureExtractor(job, network), views, listener)
    labels = {split: prepared.labels(prepared.rows(split)) for split in ("train", "val")}
    sampling = sampling_of(prepared, job.recipe)
    order = Batches(
        np.arange(len(labels["train"])),
        train.batch_size,
        job.seed,
        sampling=sampling,
        strata=prepared.strata(prepared.rows("train")) if sampling == "sites" else labels["train"],
    )
    in_order = Batches(np.arange(len(labels["val"])), 2 * train.batch_size)
    return (
        _loader(Features(files[:-1], labels["train"]), ViewSampler(order, views)),
        _loader(Features(files[-1:], labels["val"]), ViewSampler(in_order, 1)),
    )


def _loader(features: Features, sampler: ViewSampler) -> DataLoader[Batch]:
    return DataLoader(features, sampler=sampler, batch_size=None, num_workers=0)


def _recall_weights(run: Run, network: Network) -> None:
    """The weights of a run that began: a resumed one does not load its pretrained ones again."""
    if run.last_checkpoint.is_file():
        state = torch.load(run.last_checkpoint, "cpu", weights_only=True, mmap=True)["state_dict"]
        network.load_state_dict(
            {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
        )


class Features(Dataset[Batch]):
    """Features and labels, indexed by a view and the places of a whole batch of films."""

    def __init__(self, files: Sequence[Path], labels: NDArray[np.int64]) -> None:
        self._views = [map_file(file) for file in files]
        self._labels = torch.from_numpy(labels.astype(np.float32))

    def __getitem__(self, at: tuple[int, RowNumbers]) -> Batch:
        """Features float32 or bf16 (B, …), labels float32 (B,), 0 or 1."""
        view, places = at
        array, mapped = self._views[view]
        batch = to_tensor(array[places]), self._labels[torch.from_numpy(places)]
        give_back(mapped)
        return batch


class ViewSampler(Sampler[tuple[int, RowNumbers]]):
    """The batches of an epoch with the view whose turn it is: epoch e takes view e mod V."""

    def __init__(self, batches: Batches, views: int) -> None:
        self._batches = batches
        self._views = views

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[int, RowNumbers]]:
        # The epoch is asked for with the first batch: resuming, Lightning sets it after this call.
        for places in self._batches:
            yield self._batches.epoch % self._views, places
