"""Which files on disk are the rows of which split, as the hub and ``save_to_disk`` lay them out.

A link is followed where it ends inside the folder that the user named or, in the hub's cache,
among the blobs of the same repository: its snapshots consist of such links.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeGuard

from pneumoscope.errors import DataNotFound, UnreadableData, nearest
from pneumoscope.records import SPLITS
from pneumoscope.sources.places.files import ANOTHER_KIND, FoundFile
from pneumoscope.sources.splits import split_of

Part = Literal["train", "val", "test", "all"]
"""A split, or all: rows of no known split."""

_ORDER = {part: place for place, part in enumerate((*SPLITS, "all"))}
_SHARD = re.compile(r"(.+?)-[0-9]{5}-of-[0-9]{5}(-.*)?")
_NUMBER = re.compile(r"[0-9]{4}")
_DEEPEST = 8
_LARGEST_JSON = 16 << 20


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of rows, all of one split."""

    file: FoundFile
    path: Path
    part: Part


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of one configuration in fixed order, and what was seen on the way.

    ``features`` are those of ``dataset_info.json``; None for parquet, which carries its own.
    """

    root: Path
    shards: tuple[Shard, ...]
    why: str
    features: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)


def find_shards(path: Path) -> Shards:
    """The shards at ``path``: a parquet file, a folder of them, or what ``save_to_disk`` wrote.

    Raises DataNotFound and UnreadableData.
    """
    try:
        if path.is_file():
            # A link that the user names himself is followed wherever it leads.
            part = place_of(f"{path.absolute().parent.name}/{path.name}")[1]
            return _ordered(path.parent, [_shard(path.name, path, part)], "a parquet file")
        if not path.is_dir():
            raise DataNotFound(
                "there is no such file or folder" if not path.exists() else "this is no file",
                got=path,
                expected="a parquet file, a folder of them, or a folder made by save_to_disk",
            )
        root = _snapshot(path)
        if is_saved(root):
            return _saved(root)
        return _parquet_folder(root)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableData("the data cannot be read", got=f"{path} ({why})") from None


def is_saved(folder: Path) -> bool:
    """Whether ``save_to_disk`` seems to have written this folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json")) or (
        (folder / "dataset_info.json").is_file() and any(folder.glob("*.arrow"))
    )


def parquet_files(root: Path, passed: Counter[str] | None = None) -> Iterator[tuple[str, Path]]:
    """Each parquet file below ``root``: its path relative to it with ``/``, and where it lies."""
    homes = _homes(root)
    missed: Counter[str] = Counter() if passed is None else passed
    for folder, below, names in os.walk(root):
        here = Path(folder).relative_to(root)
        deep = len(here.parts) >= _DEEPEST
        below[:] = [] if deep else sorted(name for name in below if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if not name.lower().endswith(".parquet"):
                missed[ANOTHER_KIND] += 1
            elif _allowed(Path(folder) / name, homes):
                yield (here / name).as_posix(), Path(folder) / name
            else:
                missed["links out of the folder, broken, or to folders"] += 1


def part_of(word: str) -> Part:
    """The split that a word means; ``all`` when it is no split's name."""
    return split_of(word.casefold().removeprefix("partial-")) or "all"


def place_of(path: str) -> tuple[str, Part]:
    """Configuration (empty when there is but one) and split of a parquet file, by its path.

    The hub's three ways: ``[CONFIG/]data/train-00000-of-00002.parquet``, ``CONFIG/train/0000``
    and ``train.parquet``.
    """
    *folders, name = PurePosixPath(path).parts
    stem = PurePosixPath(name).stem
    words = [stem]
    if shard := _SHARD.fullmatch(stem):
        words = [shard[1]]
    elif _NUMBER.fullmatch(stem) and folders:
        words = [folders.pop()]
    parts = [part_of(word) for word in words]
    parts += [part_of(token) for token in re.split(r"[^A-Za-z0-9]+", words[0])]
    parts += [part_of(folder) for folder in reversed(folders)]
    config = [one for one in folders if part_of(one) == "all" and one != "data"]
    return "/".join(config), next((part for part in parts if part != "all"), "all")


def choose_config(sizes: Mapping[str, int], asked: str | None = None) -> tuple[str, str]:
    """The configuration to read, and why; ``sizes`` are bytes by configuration, not empty.

    Configurations are never mixed: most hold the same films. Raises DataNotFound.
    """
    if asked is not None:
        if asked not in sizes:
            raise DataNotFound(
                f"there is no configuration {asked!r}", expected=nearest(asked, sizes)
            )
        return asked, "as asked"
    if len(sizes) == 1:
        return next(iter(sizes)), "the only one"
    if "full" in sizes:
        return "full", "named full"
    return max(sorted(sizes), key=lambda name: sizes[name]), "the largest"


def _snapshot(path: Path) -> Path:
    """The folder to read where ``path`` is a repository in the hub's cache."""
    if not ((path / "blobs").is_dir() and (path / "snapshots").is_dir()):
        return path
    found = sorted(one for one in (path / "snapshots").iterdir() if one.is_dir())
    if len(found) != 1:
        raise UnreadableData(
            "the hub's cache holds several snapshots of this set" if found else "it is empty",
            got=f"{len(found)} in {path / 'snapshots'}",
            remedy="give one of the folders below snapshots",
        )
    return found[0]


def _homes(root: Path) -> tuple[Path, ...]:
    """The folders that a link below ``root`` may end in."""
    base = root.resolve()
    blobs = [one.parent / "blobs" for one in (base, *base.parents) if one.name == "snapshots"]
    return (base, *(one for one in blobs[:1] if one.is_dir()))


def _allowed(path: Path, homes: Iterable[Path]) -> bool:
    try:
        return path.is_file() and any(path.resolve().is_relative_to(home) for home in homes)
    except (OSError, RuntimeError):  # a link to itself
        return False


def _parquet_folder(root: Path) -> Shards:
    passed: Counter[str] = Counter()
    configs: dict[str, list[Shard]] = {}
    for name, path in parquet_files(root, passed):
        config, part = place_of(name)
        part = part_of(root.absolute().name) if part == "all" else part
        configs.setdefault(config, []).append(_shard(name, path, part))
    if not configs:
        raise DataNotFound("the folder holds no parquet files", got=root)
    sizes = {name: sum(one.file.size for one in shards) for name, shards in configs.items()}
    config, why = choose_config(sizes)
    notes = []
    if len(configs) > 1:
        others = {name: shards for name, shards in sorted(configs.items()) if name != config}
        notes.append(
            f"Of {len(configs)} configurations {config!r} was read ({why}); "
            f"{', '.join(map(repr, others))} not. To read another, give its folder."
        )
        passed["parquet files of other configurations"] = sum(map(len, others.values()))
    if any("partial-" in one.file.path for one in configs[config]):
        notes.append("The hub converted only the first part of a split (partial-): films lack.")
    return _ordered(root, configs[config], "parquet files", tuple(notes), passed)


def _saved(root: Path) -> Shards:
    why, folders = "a Dataset of save_to_disk", {"": root}
    if (root / "dataset_dict.json").is_file():
        names = _json(root / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not all(_plain(name) for name in names):
            raise UnreadableData(
                "dataset_dict.json does not name its splits", got=root / "dataset_dict.json"
            )
        why, folders = "a DatasetDict of save_to_disk", {name: root / name for name in names}
    shards: list[Shard] = []
    features = None
    for name, folder in folders.items():
        more, found = _saved_split(root, folder, name)
        if features is not None and found != features:
            raise UnreadableData("the splits have different columns", got=f"{name!r} in {root}")
        shards, features = shards + more, found
    return _ordered(root, shards, why, features=features)


def _saved_split(
    root: Path, folder: Path, split: str
) -> tuple[list[Shard], Mapping[str, Any] | None]:
    """The shards of one Dataset folder, and its features; where ``split`` is empty, its state says
    which it is."""
    state = _json(folder / "state.json")
    if any(value for key, value in state.items() if key.startswith("_indices")):
        raise UnreadableData(
            "the set was saved with an index mapping, by an old version of datasets",
            got=folder,
            remedy="load it with datasets, and save it again: flatten_indices().save_to_disk(…)",
        )
    info = _json(folder / "dataset_info.json") if (folder / "dataset_info.json").is_file() else {}
    named = state.get("_data_files")
    listed = named if isinstance(named, list) else []
    names = [one.get("filename") if isinstance(one, dict) else None for one in listed]
    if not names or len(set(map(str, names))) < len(names):
        raise UnreadableData("state.json does not name its data files", got=folder / "state.json")
    homes = _homes(root)
    part = part_of(split or str(state.get("_split")))
    shards = []
    for name in names:
        if not _plain(name) or not _allowed(folder / name, homes):
            raise UnreadableData(
                "state.json names a file that is not in its folder",
                got=f"{str(name)[:120]!r} in {folder / 'state.json'}",
                expected="a data-*.arrow file beside it",
                remedy="copy the whole folder again; nothing outside of it is ever read",
            )
        path = (folder / name).relative_to(root).as_posix()
        shards.append(_shard(path, folder / name, part))
    features = info.get("features")
    return shards, features if isinstance(features, dict) else None


def _shard(name: str, path: Path, part: Part) -> Shard:
    stat = path.stat()
    return Shard(FoundFile(name, stat.st_size, stat.st_mtime_ns), path, part)


def _ordered(
    root: Path,
    shards: Iterable[Shard],
    why: str,
    notes: tuple[str, ...] = (),
    passed: Mapping[str, int] | None = None,
    features: Mapping[str, Any] | None = None,
) -> Shards:
    """The shards by split, each split in its own order; a lone train split is no split at all."""
    kept = list(shards)
    if {one.part for one in kept} == {"train"}:
        kept = [Shard(one.file, one.path, "all") for one in kept]
        notes += ("The set has one split only, named train: it is taken as not yet split.",)
    elif len({one.part for one in kept}) > 1 and any(one.part == "all" for one in kept):
        notes += ("Some files belong to no split that is known; their films are of no split.",)
    kept.sort(key=lambda one: _ORDER[one.part])
    return Shards(root, tuple(kept), why, features, notes, dict(passed or {}))


def _plain(name: object) -> TypeGuard[str]:
    """Whether a name from a file is that of something in the folder itself."""
    return isinstance(name, str) and re.fullmatch(r"\w[\w.+ -]{0,200}", name) is not None


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise UnreadableData("the file is too large for what it is", got=path)
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UnreadableData(
            f"{path.name} is missing",
            got=path.parent,
            expected="the whole folder that save_to_disk wrote",
        ) from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UnreadableData(f"{path.name} is not a JSON object", got=path)
    return value
