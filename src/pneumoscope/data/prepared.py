"""Prepared set: the first door of the house, and all that training knows of the data.

A folder of ``images.npy`` (uint8 (N, S, S), 0–255, air dark, memory-mapped), ``table.parquet``
(row i describes image i), ``thumbs.npy`` (uint8 (N, 32, 32), of whole films), ``prepared.json``
(spec, source, counts) and, where the truth is known, ``masks.npy`` (uint8 (N, S, S), 1 inside the
abnormality).
"""

from __future__ import annotations

import mmap
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from pneumoscope.errors import NotARun, UnreadableData
from pneumoscope.imaging.hidden import VARIANTS, altered, mean_film
from pneumoscope.imaging.known.reference import Reference, make_reference
from pneumoscope.imaging.thumbnails import LOOK, thumbnails
from pneumoscope.manifest import Flow, Population, PreparedManifest, SplitCount
from pneumoscope.records import SPLITS, Grey, InputSpec, Split
from pneumoscope.storage import read_json

SCHEMA = 5

# The files of a prepared set; the last one is written last, so a set that has it is whole.
IMAGES = "images.npy"
MASKS = "masks.npy"
LOOKS = "looks.npy"
THUMBS = "thumbs.npy"
ALIKE = "alike.parquet"
TABLE = "table.parquet"
PREPARED = "prepared.json"

_MOST_KNOWN = 0.9

MANY_FILMS = 200
"""Among so many films some patient has a second one, if the ids are of patients."""


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """An open prepared set. ``images`` and ``masks`` are memory maps; nothing is copied."""

    folder: Path
    spec: InputSpec
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    table: pd.DataFrame
    about: PreparedManifest

    def __reduce__(self) -> tuple[object, ...]:
        # Another process maps the same files: pickling a memory map would send all its pixels.
        return _open_again, (self.folder.absolute(), self.content, self.table)

    @property
    def fingerprint(self) -> str:
        return str(self.about["fingerprint"])

    @property
    def content(self) -> str:
        """Digest of all pixels, labels and official splits; the same wherever the data lies."""
        return str(self.about["content"])

    @property
    def thumbs(self) -> NDArray[np.uint8]:
        """Thumbnails, uint8 (N, 32, 32), of whole films: the same whatever size is stored, so that
        what is measured on them is one figure in every command. In sets that were made before
        these were kept they are of the stored films."""
        file = self.folder / THUMBS
        return np.load(file, allow_pickle=False) if file.is_file() else thumbnails(self.images)

    def rows(self, split: Split | Literal["own"]) -> NDArray[np.int64]:
        """Row numbers of a split, ascending, int64 (n,)."""
        here = (self.table["split"] == split).fillna(False)  # a film may be in no split
        return np.flatnonzero(here.to_numpy(dtype=bool))

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Labels 0/1 of those rows, int64 (n,)."""
        return self.table["label"].to_numpy()[rows].astype(np.int64)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites of several sets that were joined, in their order; empty for one set."""
        return sites_of(self.table)

    def strata(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers from 0 of the class of each site that those rows are of, int64 (n,); the labels
        where there is one set alone."""
        labels = self.labels(rows)
        if not self.sites:
            return labels
        site = pd.Categorical(self.table["site"], self.sites).codes[rows]
        return labels + 2 * site.astype(np.int64)


def open_prepared(folder: Path) -> PreparedSet:
    """Open a prepared set. Raises UnreadableData when it is damaged or incomplete."""
    try:
        about = cast(PreparedManifest, read_json(folder / PREPARED))
        spec = InputSpec(**about["spec"])
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        table = pd.read_parquet(folder / TABLE)
        mask_file = folder / MASKS
        masks = (
            np.load(mask_file, mmap_mode="r", allow_pickle=False) if mask_file.exists() else None
        )
    except NotARun as error:
        raise _damaged(folder, error.what) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error)) from None
    if images.shape != (len(table), spec.stored, spec.stored) or images.dtype != np.uint8:
        raise _damaged(folder, f"images {images.shape}, table of {len(table)} rows")
    return PreparedSet(folder, spec, images, masks, table, about)


def _open_again(folder: Path, content: str, table: pd.DataFrame) -> PreparedSet:
    """The set with the splits of another process, which may run on another machine. Raises
    UnreadableData."""
    prepared = open_prepared(folder) if folder.is_dir() else None
    if prepared is None or prepared.content != content:
        raise UnreadableData(
            "a machine does not see the prepared set",
            got=f"{folder} on {platform.node()}",
            remedy="set PNEUMOSCOPE_CACHE to a folder on a disk that all machines see",
        )
    return replace(prepared, table=table)


def sites_of(table: pd.DataFrame) -> tuple[str, ...]:
    """The sites of the films of a joined table, in their order; empty for one set alone."""
    return tuple(map(str, table["site"].unique())) if "site" in table else ()


def population(prepared: PreparedSet) -> Population:
    """Whom a model of these training films knows: ``youngest`` and ``oldest`` in years, and
    ``from`` where that is known; empty where it is not."""
    rows = prepared.rows("train")
    if "fact_age" in prepared.table:
        ages = pd.to_numeric(prepared.table["fact_age"].iloc[rows], errors="coerce").dropna()
        if len(ages) >= _MOST_KNOWN * len(rows) > 0:
            low, high = (round(float(age), 2) for age in (ages.min(), ages.max()))
            return {"youngest": low, "oldest": high, "from": "the ages of the training films"}
    name = str(prepared.about["source"]["name"])
    if name == "kermany" or name.startswith("pneumoniamnist"):
        return {"youngest": 1.0, "oldest": 5.0, "from": "Kermany 2018: children of 1 to 5 years"}
    return {}


def flow(prepared: PreparedSet) -> Flow:
    """The films' way into the splits: found, kept, dropped by reason, films and patients of each
    split, how many labelled films are in none, whether all patients are known, how many lie in
    several splits, and whether each film has an id of its own, so that it may be one of the film
    and not of the patient."""
    table = prepared.table
    known = table["patient_id"].notna()
    pairs = table.loc[known & table["split"].notna(), ["patient_id", "split"]].drop_duplicates()
    return {
        **prepared.about["flow"],
        "patients_known": bool(known.all()) and len(table) > 0,
        "patients_divided": int((pairs["patient_id"].value_counts() > 1).sum()),
        "patient_each_film": bool(table["patient_id"].is_unique) and len(table) >= MANY_FILMS,
        "splits": split_counts(table),
        "in_no_split": int((table["label"].notna() & table["split"].isna()).sum()),
    }


def split_counts(table: pd.DataFrame) -> dict[str, SplitCount]:
    """Films, positives and patients (None where unknown) of each split."""
    counts: dict[str, SplitCount] = {}
    for split in SPLITS:
        part = table[table["split"] == split]
        known = part["patient_id"].notna().all() and len(part) > 0
        counts[split] = {
            "n": len(part),
            "positives": int((part["label"] == 1).sum()),
            "patients": int(part["patient_id"].nunique()) if known else None,
        }
    return counts


def reference_of(prepared: PreparedSet) -> Reference:
    """What a model keeps of the films that it is made from, in the splits of ``prepared``."""
    splits = prepared.table["split"].astype(object).where(prepared.table["split"].notna(), None)
    return make_reference(thumbnails(prepared.images, LOOK), splits.tolist())


def facts_of(table: pd.DataFrame) -> pd.DataFrame:
    """What is known of each film beside its pixels: ``image_id`` and a column a fact, the site of
    several sets first.

    ``table`` is a prepared set's. Native sizes are facts too, where they differ.
    """
    names = [str(name) for name in table.columns]
    facts = [name for name in names if name.startswith("fact_")]
    sizes = [name for name in ("height", "width") if name in names and table[name].nunique() > 1]
    of = ["site"] if "site" in names else []
    found = table[["image_id", *of, *facts, *sizes]]
    return found.rename(columns={name: name.removeprefix("fact_") for name in facts})


def image_lookup(prepared: PreparedSet | None) -> Callable[[str], Grey | None]:
    """From an image id to the stored image, uint8 (S, S); None where it is not in the set, or
    there is no set."""
    rows = (
        {} if prepared is None else {name: i for i, name in enumerate(prepared.table["image_id"])}
    )

    def image(image_id: str) -> Grey | None:
        if prepared is None or image_id not in rows:
            return None
        return np.asarray(prepared.images[rows[image_id]])

    return image


def hidden_lookup(prepared: PreparedSet) -> Callable[[str], dict[str, Grey]]:
    """From an image id to the image as the shortcut check shows it to the model: uint8 (S, S) by
    variant, the full one first; empty where it is not in the set."""
    image = image_lookup(prepared)

    def hidden(image_id: str) -> dict[str, Grey]:
        film, train = image(image_id), prepared.rows("train")
        if film is None or not len(train):
            return {}
        fill = mean_film(prepared.images, train)
        return {"full": film} | {name: altered(film[None], name, fill)[0] for name in VARIANTS}

    return hidden


def _damaged(folder: Path, why: str) -> UnreadableData:
    return UnreadableData(
        "the prepared set is damaged",
        got=f"{folder} ({why})",
        remedy="delete that folder: it is made again from the data",
    )


def map_file(file: Path) -> tuple[NDArray[Any], mmap.mmap]:
    """The array in ``file`` and the memory map it lies in. Raises ValueError when damaged."""
    with file.open("rb") as opened:
        if npy.read_magic(opened) != (1, 0):
            raise ValueError("another version of the format")
        shape, _, dtype = npy.read_array_header_1_0(opened)
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, dtype, offset=opened.tell()).reshape(shape), mapped


def give_back(mapped: mmap.mmap) -> None:
    """Give back the pages of a map that were read, which count as this process's until it does;
    the kernel keeps them in its cache as long as it likes."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
