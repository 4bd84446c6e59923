"""From a source to a prepared set: read, make square, write in a stream.

Memory holds one image at a time. The folder appears under its name only when it is complete, so
a killed run leaves nothing that looks finished.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from platformdirs import user_cache_path

from pneumoscope.data.prepared import SCHEMA, PreparedSet, open_prepared, split_counts
from pneumoscope.errors import OutputNotWritable, UnreadableData, UnreadableImage
from pneumoscope.imaging.geometry import fit_square, fit_square_mask
from pneumoscope.records import SPLITS, Grey, InputSpec, Record, Source
from pneumoscope.run import refusal, slug, sweep, write_json, writing

Advance = Callable[[int, int], None]
"""Called with (films done, films in all)."""

_DAY = 24 * 3600.0

MOST_BAD = 0.05
"""A source of which more than this part cannot be read is refused."""


def cache_folder() -> Path:
    """Where prepared sets and downloads are kept: $PNEUMOSCOPE_CACHE, else the user's cache."""
    chosen = os.environ.get("PNEUMOSCOPE_CACHE")
    try:
        folder = Path(chosen) if chosen else user_cache_path("pneumoscope", appauthor=False)
        return folder.expanduser().absolute()
    except RuntimeError:  # this user has no home
        return Path(tempfile.gettempdir()) / "pneumoscope"


def prepared_name(source: Source, spec: InputSpec) -> str:
    """The folder name that this content under this spec has in the cache."""
    print_ = source.fingerprint[:16]
    # The schema is raised when the way films are prepared changes, so old sets are not reused.
    return f"{slug(source.name)}-{spec.stored}px-{spec.fit}-v{SCHEMA}-{print_}"


def prepare(
    source: Source, spec: InputSpec, folder: Path, advance: Advance | None = None
) -> PreparedSet:
    """Write the prepared set to ``folder``, or open it when it is there already.

    Raises UnreadableData when more than 5 % of the films are bad or a split is left without
    both classes, OutputNotWritable when the disk is full or closed. Bad films are dropped and
    counted with their reason.
    """
    if (folder / "prepared.json").is_file():
        return open_prepared(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, older_than=_DAY)
        _check_space(source, spec, folder.parent)
        draft = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.tmp")
        draft.mkdir()
        try:
            _write(source, spec, draft, advance)
            _publish(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return open_prepared(folder)


def _publish(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        # A second process prepared the same content in the meantime: its set is as good.
        if not (folder / "prepared.json").is_file():
            raise refusal(error, folder) from None


def _check_space(source: Source, spec: InputSpec, parent: Path) -> None:
    needed = source.count * spec.stored**2 + (64 << 20)
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise OutputNotWritable(
            "the disk is full: the prepared set does not fit",
            got=f"{free >> 20} MiB free in {parent}",
            expected=f"{needed >> 20} MiB",
            remedy="free some space, or set PNEUMOSCOPE_CACHE to a folder on another disk",
        )


def _write(source: Source, spec: InputSpec, draft: Path, advance: Advance | None) -> None:
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    done = 0
    with (
        _Stack(draft / "images.npy", spec.stored) as images,
        _Stack(draft / "masks.npy", spec.stored) as masks,
    ):
        for record in source.records:
            try:
                image = record.read()
            except UnreadableImage as error:
                dropped[error.what] += 1
            else:
                images.append(fit_square(image, spec))
                if record.mask is not None:
                    masks.append(fit_square_mask(record.mask(), spec).astype(np.uint8))
                rows.append(_row(record, image))
            done += 1
            if advance:
                advance(done, source.count)
    if masks.count != images.count:  # truth is kept only when it is known for every film
        (draft / "masks.npy").unlink()
    table = _table(rows)
    _check_usable(source, table, dropped)
    table.to_parquet(draft / "table.parquet", index=False)
    write_json(draft / "prepared.json", _about(source, spec, table, dropped))


def _row(record: Record, image: Grey) -> dict[str, Any]:
    facts = {f"fact_{key}": value for key, value in record.facts.items()}
    return {
        "image_id": record.image_id,
        "patient_id": record.patient_id,
        "split": record.split,
        "label": record.label,
        "height": image.shape[0],
        "width": image.shape[1],
        **facts,
    }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = ["image_id", "patient_id", "split", "label", "height", "width"]
    table = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    # Without this an all-unknown column would be stored as null type and read back as object.
    return table.astype({"patient_id": "string", "label": "Int8", "image_id": "string"})


def _check_usable(source: Source, table: pd.DataFrame, dropped: Counter[str]) -> None:
    bad = dropped.total()
    if bad > MOST_BAD * max(source.count, 1):
        reasons = "; ".join(f"{count} × {reason}" for reason, count in dropped.most_common(5))
        raise UnreadableData(
            f"{bad} of {source.count} films of {source.name} cannot be read",
            got=reasons,
            expected=f"at most {MOST_BAD:.0%}",
        )
    for split in SPLITS:
        classes = table.loc[table["split"] == split, "label"].dropna().nunique()
        if classes < 2:
            raise UnreadableData(
                f"the {split} split of {source.name} has {('no', 'one')[classes]} class",
                expected="normal and pneumonia in every split",
            )


def _about(
    source: Source, spec: InputSpec, table: pd.DataFrame, dropped: Counter[str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "spec": spec.to_json(),
        "fingerprint": source.fingerprint,
        "source": source.to_json(),
        "flow": {
            "found": source.count,
            "kept": len(table),
            "dropped": [{"reason": r, "count": c} for r, c in dropped.most_common()],
            "patients_known": bool(table["patient_id"].notna().all()) and len(table) > 0,
            "splits": split_counts(table),
        },
    }


class _Stack:
    """A ``.npy`` of uint8 (N, S, S) that grows: the header gets its N when all is written.

    The header of a growing array is padded by numpy to the same length for any N below 10**21,
    so it can be written twice in the same place.
    """

    def __init__(self, path: Path, side: int) -> None:
        self.count = 0
        self._side = side
        self._file = path.open("wb")

    def __enter__(self) -> _Stack:
        self._write_header()
        return self

    def append(self, image: Grey) -> None:
        """Add one uint8 (S, S)."""
        self._file.write(np.ascontiguousarray(image).data)
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        shape = (self.count, self._side, self._side)
        npy.write_array_header_1_0(
            self._file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
