"""What the frozen parts make of each film, computed once for each augmented view and reused.

Frozen parts give the same features for the same view of a film for ever. With V views of each
training film they are passed V times in all, not once an epoch; epoch e trains on view e mod V.

Each view is a file of its own in the run's checkpoints, there completely or not at all, beside one
of the plain validation films. It is an array (films, …) in float32, or of the 16 bits of bf16 as
int16, since NumPy has no bf16; channels lie last, as the layers behind want them. Files are written
batch by batch through a plain handle and read through a memory map whose pages are given back
after each batch, so the process owns a batch at a time, however many films there are.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pneumoscope.data.augment import Draw, augment
from pneumoscope.data.loader import Batch, Batches
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import BadRecipe
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe
from pneumoscope.records import Listener
from pneumoscope.run import Run
from pneumoscope.storage import check_space, free_space, writing
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.seeds import VIEW, seed_of
from pneumoscope.training.team import present_share

_BATCH = 64  # part of what random changes follow from; another number gives other views
_MARGIN = 64 << 20  # bytes left on the disk for checkpoints
_PATTERN = "features-*.npy"

Rows = NDArray[np.int64]
Loaders = tuple[DataLoader[Batch], DataLoader[Batch]]


def feature_loaders(
    run: Run,
    prepared: PreparedSet,
    recipe: Recipe,
    network: Network,
    *,
    seed: int,
    precision: Precision,
    listener: Listener,
) -> Loaders:
    """Batches of features of the training and the validation films, in the order of films.

    What is not in the run folder yet is computed first. Raises OutputNotWritable when it does not
    fit on the disk, and BadRecipe where several processes train.
    """
    if present_share().size > 1:
        raise BadRecipe(
            "train.views keeps features for one process only",
            got=f"{present_share().size} processes",
            remedy="train with --devices 1, or --set train.views=0",
        )
    _recall_weights(run, network)
    maker = Maker(prepared, network.to(precision.device), recipe, seed, precision)
    views = min(recipe.train.views, recipe.train.epochs)  # no epoch would see the others
    files = keep_features(run.checkpoints, maker, views, listener)
    size = recipe.train.batch_size
    labels = {split: prepared.labels(prepared.rows(split)) for split in ("train", "val")}
    order = Batches(
        np.arange(len(labels["train"])),
        size,
        seed,
        sampling=recipe.train.sampling,
        labels=labels["train"],
    )
    in_order = Batches(np.arange(len(labels["val"])), 2 * size)
    return (
        _loader(Features(files[:-1], labels["train"]), Turns(order, views)),
        _loader(Features(files[-1:], labels["val"]), Turns(in_order, 1)),
    )


def drop_features(run: Run) -> None:
    """Delete them: training is finished."""
    for file in run.checkpoints.glob(_PATTERN):
        file.unlink(missing_ok=True)


def _loader(features: Features, turns: Turns) -> DataLoader[Batch]:
    return DataLoader(features, sampler=turns, batch_size=None, num_workers=0)


def _recall_weights(run: Run, network: Network) -> None:
    """The weights of a run that began: a resumed one does not load its pretrained ones again."""
    if run.last_checkpoint.is_file():
        state = torch.load(run.last_checkpoint, "cpu", weights_only=True, mmap=True)["state_dict"]
        network.load_state_dict(
            {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
        )


class Maker:
    """Computes features batch by batch; each follows from (seed, view, batch) alone."""

    def __init__(
        self,
        prepared: PreparedSet,
        network: Network,
        recipe: Recipe,
        seed: int,
        precision: Precision,
    ) -> None:
        self.rows = {split: prepared.rows(split) for split in ("train", "val")}
        self._images = prepared.images
        self._content = prepared.content
        self._network = network
        self._choices = recipe.augment
        self._seed = seed
        self._precision = precision

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

    def _of(self, rows: Rows, view: int | None, index: int) -> NDArray[Any]:
        device = self._precision.device
        kind, half = device.split(":")[0], self._precision.name == "bf16"
        with torch.inference_mode():
            films = torch.from_numpy(self._images[rows]).to(device)
            films = self._network.seen(films) if view is None else self._change(films, view, index)
            with torch.autocast(kind, torch.bfloat16, enabled=half):
                return _to_array(self._network.frozen_features(films))

    def _change(self, films: Tensor, view: int, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self._seed, VIEW, view, index))
        spec = self._network.spec
        draw, visible = Draw(generator, len(films)), spec.visible / spec.stored
        return augment(films, self._choices, spec.network, draw, visible=visible)


def _to_array(features: Tensor) -> NDArray[Any]:
    """Float32, or the bits of bf16 as int16, contiguous with channels last."""
    if features.ndim == 4:
        features = features.permute(0, 2, 3, 1)
    features = features.cpu().contiguous()
    bits = features.dtype == torch.bfloat16
    return features.view(torch.int16).numpy() if bits else features.float().numpy()


def _to_tensor(values: NDArray[Any]) -> Tensor:
    """What ``_to_array`` was given."""
    features = torch.from_numpy(values)
    if features.dtype == torch.int16:
        features = features.view(torch.bfloat16)
    return features.permute(0, 3, 1, 2) if features.ndim == 4 else features


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of features: of ``view``, or of the validation films (None)."""

    file: Path
    view: int | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def is_there(self) -> bool:
        """Whether the file is complete; one that is damaged is made again."""
        try:
            found = map_file(self.file)[0]
        except (OSError, ValueError):
            return False
        return found.shape == self.shape and found.dtype == self.dtype


def keep_features(folder: Path, maker: Maker, views: int, listener: Listener) -> list[Path]:
    """The files of ``views`` views, in their order, and last that of the validation films."""
    start = time.perf_counter()
    sample, key = maker.sample(), maker.key()
    parts = []
    for view in [*range(views), None]:
        count = len(maker.rows["val" if view is None else "train"])
        name = f"features-{key}-{'val' if view is None else f'{view:04d}'}.npy"
        parts.append(_Part(folder / name, view, (count, *sample.shape[1:]), sample.dtype))
    files = [part.file for part in parts]
    for other in set(folder.glob(_PATTERN)) - set(files):
        other.unlink(missing_ok=True)
    missing = [part for part in parts if not part.is_there()]
    if missing:
        _check_space(folder, missing, parts)
        listener.stage("Compute frozen features")
        _compute(maker, missing, listener)
    size = sum(part.size for part in parts) / 2**20
    taken = f"computed in {time.perf_counter() - start:,.1f} s" if missing else "computed before"
    listener.choice(
        "frozen features",
        f"{views} view{'s' * (views != 1)} of {parts[0].shape[0]:,} films, {size:,.1f} MiB",
        f"{taken}; removed when training is finished",
    )
    if missing:
        listener.stage("Train on the frozen features")
    return files


def _check_space(folder: Path, missing: Sequence[_Part], parts: Sequence[_Part]) -> None:
    fit = (free_space(folder) - _MARGIN - parts[-1].size) // parts[0].size
    fewer = f"fewer views: --set train.views={max(0, fit)}"
    check_space(
        folder,
        sum(part.size for part in missing) + _MARGIN,
        "the frozen features do not fit",
        purpose=f" for {len(parts) - 1} views of {parts[0].shape[0]:,} films",
        remedy=f"{fewer}{'' if fit > 0 else ' computes them at each step'}; or free some space; or "
        "a run folder on another disk: --out",
    )


def _compute(maker: Maker, missing: Sequence[_Part], listener: Listener) -> None:
    done, total = 0, sum(part.shape[0] for part in missing)
    for part in missing:
        # A draft that a killed process leaves has a name that is swept away on resuming.
        draft = part.file.with_name(f".{part.file.name}.tmp")
        with writing(part.file):
            try:
                with draft.open("wb") as file:
                    descr = npy.dtype_to_descr(part.dtype)
                    about = {"descr": descr, "fortran_order": False, "shape": part.shape}
                    npy.write_array_header_1_0(file, about)
                    for values in maker.batches(part.view):
                        file.write(values.data)
                        done += len(values)
                        listener.progress(done, total, "film")
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(part.file)
            finally:
                draft.unlink(missing_ok=True)


def map_file(file: Path) -> tuple[NDArray[Any], mmap.mmap]:
    """The array in ``file`` and the memory map it lies in. Raises ValueError when damaged."""
    with file.open("rb") as opened:
        if npy.read_magic(opened) != (1, 0):
            raise ValueError("another version of the format")
        shape, _, dtype = npy.read_array_header_1_0(opened)
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, dtype, offset=opened.tell()).reshape(shape), mapped


class Features(Dataset[Batch]):
    """Features and labels, indexed by a view and the places of a whole batch of films."""

    def __init__(self, files: Sequence[Path], labels: NDArray[np.int64]) -> None:
        self._views = [map_file(file) for file in files]
        self._labels = torch.from_numpy(labels.astype(np.float32))

    def __getitem__(self, at: tuple[int, Rows]) -> Batch:
        """Features float32 or bf16 (B, …), labels float32 (B,), 0 or 1."""
        view, places = at
        array, mapped = self._views[view]
        batch = _to_tensor(array[places]), self._labels[torch.from_numpy(places)]
        if hasattr(mmap, "MADV_DONTNEED"):
            # Pages that were read count as this process's until it gives them back; the kernel
            # keeps them in its cache as long as it likes.
            mapped.madvise(mmap.MADV_DONTNEED)
        return batch


class Turns(Sampler[tuple[int, Rows]]):
    """The batches of an epoch with the view whose turn it is: epoch e takes view e mod V."""

    def __init__(self, batches: Batches, views: int) -> None:
        self._batches = batches
        self._views = views

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        # The epoch is asked for with the first batch: resuming, Lightning sets it after this call.
        for places in self._batches:
            yield self._batches.epoch % self._views, places
