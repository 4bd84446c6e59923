"""Feature files: what the frozen parts made of each film, kept in the run folder until it is done.

Each view is a file of its own in the run's checkpoints, there completely or not at all, beside one
of the plain validation films. It is an array (films, …) in float32, or of the 16 bits of bf16 as
int16, since NumPy has no bf16; channels lie last, as the layers behind want them. Files are written
batch by batch through a plain handle and read through a memory map.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from pneumoscope.data.prepared import map_file
from pneumoscope.formatting import plural
from pneumoscope.listener import Listener
from pneumoscope.run import Run
from pneumoscope.storage import check_space, free_space, writing
from pneumoscope.training.features.extract import FeatureExtractor

_MARGIN = 64 << 20  # bytes left on the disk for checkpoints
_PATTERN = "features-*.npy"


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


def keep_features(
    folder: Path, extractor: FeatureExtractor, views: int, listener: Listener
) -> list[Path]:
    """The files of ``views`` views, in their order, and last that of the validation films."""
    start = time.perf_counter()
    sample, key = extractor.sample(), extractor.key()
    parts = []
    for view in [*range(views), None]:
        count = len(extractor.rows["val" if view is None else "train"])
        name = f"features-{key}-{'val' if view is None else f'{view:04d}'}.npy"
        parts.append(_Part(folder / name, view, (count, *sample.shape[1:]), sample.dtype))
    files = [part.file for part in parts]
    for other in set(folder.glob(_PATTERN)) - set(files):
        other.unlink(missing_ok=True)
    missing = [part for part in parts if not part.is_there()]
    if missing:
        _check_space(folder, missing, parts)
        listener.stage("Compute frozen features")
        _compute(extractor, missing, listener)
    size = sum(part.size for part in parts) / 2**20
    taken = f"computed in {time.perf_counter() - start:,.1f} s" if missing else "computed before"
    listener.choice(
        "frozen features",
        f"{plural(views, 'view')} of {parts[0].shape[0]:,} films, {size:,.1f} MiB",
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


def _compute(extractor: FeatureExtractor, missing: Sequence[_Part], listener: Listener) -> None:
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
                    for values in extractor.batches(part.view):
                        file.write(values.data)
                        done += len(values)
                        listener.progress(done, total, "film")
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(part.file)
            finally:
                draft.unlink(missing_ok=True)


def drop_features(run: Run) -> None:
    """Delete them: training is finished."""
    for file in run.checkpoints.glob(_PATTERN):
        file.unlink(missing_ok=True)
