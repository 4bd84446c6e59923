"""Comparison of finished runs on the films they were all evaluated on: from folders to a page.

No torch: runs are compared from their tables of predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

import pneumoscope
from pneumoscope.errors import InputError, NotARun, NotComparable
from pneumoscope.evaluation.compare import (
    Side,
    compare_recipes,
    compare_sides,
    letter,
)
from pneumoscope.evaluation.comparison import (
    SCHEMA,
    ComparedRun,
    Comparison,
    RecipeDifference,
    SeedGroup,
    Spread,
)
from pneumoscope.evaluation.predictions import rows_of
from pneumoscope.formatting import listed
from pneumoscope.listener import Listener, Silent
from pneumoscope.metrics.paired import PAIRED_METRICS
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.report.compare.page import write_comparison
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.run import Run, check_output, create_folder
from pneumoscope.storage import timestamp

SETTINGS = IntervalSettings()
PlainRecipe = dict[str, Any]
"""A recipe as read of its file, or by dotted key; one of another version may hold anything."""


@dataclass(frozen=True, slots=True)
class _Contestant:
    """A folder as read, and its recipe by dotted key (empty where it has none)."""

    evaluated: EvaluatedRun
    side: Side
    recipe: PlainRecipe


def compare(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Compare finished runs, the first being the reference; the new folder with comparison.json
    and comparison.html.

    ``folders`` are run folders, or folders that ``evaluate`` made. Without ``out`` the folder is
    ``runs/NNN-compare-…``. Raises InputError for fewer than two or one twice, NotARun for a
    folder that is no finished run, NotComparable where the evaluated films differ.
    """
    listener = listener or Silent()
    check_output(out)
    _check_folders(folders)
    listener.stage(f"Compare {len(folders)} runs")
    runs = _told_apart([_read(folder, letter(at)) for at, folder in enumerate(folders)])
    _check_split(runs)
    comparison = _comparison(runs, command)
    for note in comparison.notes:
        listener.note(note)

    def fill(draft: Path, name: str) -> None:
        evaluated = [run.evaluated for run in runs]
        write_comparison(draft, replace(comparison, name=name), evaluated)

    return create_folder(out, f"compare-{_label(runs)}", fill)


def _comparison(runs: Sequence[_Contestant], command: str) -> Comparison:
    """Of runs that were evaluated on one split. Raises NotComparable."""
    first = runs[0]
    notes = [note for other in runs[1:] if (note := _check_data(first, other))]
    notes += _moved(runs)
    pairs = compare_sides([run.side for run in runs], SETTINGS)
    groups = _groups(runs)
    return Comparison(
        name="",
        schema=SCHEMA,
        version=pneumoscope.__version__,
        created=timestamp(),
        command=command,
        split=first.evaluated.split,
        n=int(first.side.rows.labels.size),
        positives=int(first.side.rows.labels.sum()),
        patients=first.side.rows.patient_count,
        level=SETTINGS.level,
        resamples=SETTINGS.resamples,
        seed=SETTINGS.seed,
        runs=tuple(map(_described, runs)),
        pairs=pairs,
        seeds=tuple(map(_over_seeds, groups)),
        recipes=compare_recipes([[run.side for run in members] for members in groups], SETTINGS),
        recipe_differences=_recipe_differences(runs),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_folders(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise InputError(
            "a comparison takes at least two runs",
            got=", ".join(map(str, folders)) or "none",
            remedy="name two or more run folders: pneumoscope compare RUN RUN",
        )
    seen: dict[Path, Path] = {}
    for folder in folders:
        place = folder.resolve()
        if place in seen:
            raise InputError(
                "a run cannot be compared with itself",
                got=f"{seen[place]} and {folder}, the same folder",
                remedy="name each run once",
            )
        seen[place] = folder


def _read(folder: Path, name: str) -> _Contestant:
    run = Run(folder)
    if not folder.is_dir():
        raise NotARun("there is no such run folder", got=folder, remedy="run folders lie in: runs/")
    if not run.manifest_file.is_file():
        found = (file.parent for file in folder.glob(f"*/{run.manifest_file.name}"))
        within = sorted(each for each in found if not each.name.startswith("."))[:6]
        raise NotARun(
            "the folder holds runs, and is none itself" if within else "the folder is no run",
            got=f"no {run.manifest_file.name} in {folder}",
            expected="a folder that `pneumoscope train` or `pneumoscope evaluate` made",
            remedy=f"compare runs in it, such as {listed(list(map(str, within)))}"
            if within
            else None,
        )
    for file in (run.predictions_file, run.metrics_file):
        if not file.is_file():
            raise NotARun(
                "the run is not finished",
                got=f"no {file.name} in {folder}",
                remedy=f"complete it: pneumoscope train --resume {folder}",
            )
    evaluated = read_evaluated(folder)
    rows = rows_of(evaluated.predictions, evaluated.split).in_order()
    if rows.labels.size != evaluated.results.n:
        raise NotARun(
            "the predictions are not those that were judged",
            got=f"{rows.labels.size:,} {evaluated.split} rows in {run.predictions_file}",
            expected=f"{evaluated.results.n:,}, as {run.metrics_file.name} says",
        )
    recipe = yaml.safe_load(evaluated.recipe) if evaluated.recipe else {}
    flat = _flat(recipe if isinstance(recipe, dict) else {})
    if digest := evaluated.model.get("lineage", {}).get("weights_sha256"):
        # Files of one name may hold other weights, and then these are two recipes.
        flat["model.weights"] = f"{flat.get('model.weights')}, SHA-256 {digest[:16]}"
    return _Contestant(evaluated, Side(name, evaluated.name, rows, evaluated.threshold), flat)


def _told_apart(runs: list[_Contestant]) -> list[_Contestant]:
    """Runs of one name, as ``seed-0`` of two recipes, led by the folder that each lies in."""
    names = [run.evaluated.name for run in runs]
    longer = [f"{run.evaluated.folder.absolute().parent.name} {run.evaluated.name}" for run in runs]
    return [
        _renamed(run, new) if names.count(old) > 1 and longer.count(new) == 1 else run
        for run, old, new in zip(runs, names, longer, strict=True)
    ]


def _renamed(run: _Contestant, name: str) -> _Contestant:
    evaluated = replace(run.evaluated, manifest={**run.evaluated.manifest, "name": name})
    return replace(run, evaluated=evaluated, side=replace(run.side, name=name))


def _check_split(runs: Sequence[_Contestant]) -> None:
    splits = [run.evaluated.split for run in runs]
    for run, split in zip(runs, splits, strict=True):
        if split != splits[0]:
            raise NotComparable(
                "the runs were judged on different splits",
                got=f"{splits[0]} in {runs[0].evaluated.name}, {split} in {run.evaluated.name}",
                expected="the same films, label for label",
                remedy="judge one again: pneumoscope evaluate RUN --split SPLIT",
            )


def _check_data(first: _Contestant, second: _Contestant) -> str:
    """What must be said of the data where nothing proves it the same; refused where it differs.

    ``content`` digests pixels as decoded, which depends on the stored size: large JPEGs are
    reduced while they are decoded. So only runs of one stored size can be told apart by it.
    """
    manifests = [run.evaluated.manifest for run in (first, second)]
    contents = [manifest.get("content") for manifest in manifests]
    prints = [source["fingerprint"] if (source := m.get("source")) else None for m in manifests]
    sizes = [run.evaluated.model.get("input", {}).get("stored") for run in (first, second)]
    if None not in contents and contents[0] == contents[1]:
        return ""
    if None not in prints and prints[0] == prints[1]:
        return ""
    if None not in contents and sizes[0] == sizes[1]:
        raise NotComparable(
            f"{first.side.title} and {second.side.title} have the same image ids, but other data",
            got=f"content {contents[0]} and {contents[1]}",
            expected="the same pixels, labels and official splits",
            remedy="judge them on one data set, then compare those folders: "
            "pneumoscope evaluate RUN --data DATA, for each run",
        )
    return (
        f"{first.side.letter} and {second.side.letter} were judged on films of the same ids and "
        "labels; whether the pixels are the same too is not recorded."
    )


def _moved(runs: Sequence[_Contestant]) -> list[str]:
    """What is said of runs of before, whose files have probabilities of another scale."""
    before = [run.side.letter for run in runs if run.evaluated.results.is_moved]
    if not before:
        return []
    return [
        f"{listed(before)}: judged by an earlier version, on raw probabilities. They and the "
        "threshold are at the temperature of the model here, as those of a run of today."
    ]


def _described(run: _Contestant) -> ComparedRun:
    """What the page says of a run, from its own files."""
    evaluated, manifest = run.evaluated, run.evaluated.manifest
    found, lineage = evaluated.results, evaluated.model.get("lineage", {})
    environment, precision = manifest.get("environment"), manifest.get("precision")
    return ComparedRun(
        letter=run.side.letter,
        name=evaluated.name,
        folder=str(evaluated.folder.absolute()),
        version=manifest.get("version"),
        recipe=run.recipe.get("name"),
        seed=manifest.get("seed"),
        backbone=evaluated.model.get("backbone"),
        parameters=evaluated.model.get("parameters"),
        epochs=lineage.get("epochs"),
        best_epoch=lineage.get("best_epoch"),
        precision=precision["name"] if precision else None,
        threads=environment["threads"] if environment else None,
        train_seconds=manifest.get("timing", {}).get("train_seconds"),
        operating_point=found.operating_point,
        metrics=found.metrics,
        confusion=found.confusion,
        per_class=found.per_class,
        warnings=tuple(manifest.get("warnings", ())),
        scale=evaluated.scale,
    )


def _groups(runs: Sequence[_Contestant]) -> list[list[_Contestant]]:
    """Runs of one recipe, key for key, under several seeds."""
    by_recipe: dict[str, list[_Contestant]] = {}
    for run in runs:
        if run.recipe:
            by_recipe.setdefault(repr(sorted(run.recipe.items())), []).append(run)
    return [
        members
        for members in by_recipe.values()
        if len({run.evaluated.manifest.get("seed") for run in members}) > 1
    ]


def _values(members: Sequence[_Contestant]) -> dict[str, list[float]]:
    values = [run.side.values() for run in members]
    return {name: [value[name] for value in values] for name in PAIRED_METRICS}


def _over_seeds(members: Sequence[_Contestant]) -> SeedGroup:
    """Mean and spread of the metrics of one recipe."""
    return SeedGroup(
        recipe=members[0].recipe.get("name"),
        runs=tuple(run.side.letter for run in members),
        seeds=tuple(run.evaluated.manifest.get("seed") for run in members),
        metrics={name: Spread.of(found) for name, found in _values(members).items()},
    )


def _recipe_differences(runs: Sequence[_Contestant]) -> tuple[RecipeDifference, ...]:
    """The keys whose values are not the same in all runs that have a recipe, in its order."""
    keys = dict.fromkeys(key for run in runs for key in run.recipe if key != "about")
    out = []
    for key in keys:
        own = [run.recipe.get(key, _ABSENT) for run in runs if run.recipe]
        if any(value != own[0] for value in own):
            values = tuple(run.recipe.get(key) for run in runs)
            absent = tuple(key not in run.recipe for run in runs)
            out.append(RecipeDifference(key, values, absent))
    return tuple(out)


_ABSENT = object()


def _flat(values: PlainRecipe, prefix: str = "") -> PlainRecipe:
    out: PlainRecipe = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        out |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return out


def _label(runs: Sequence[_Contestant]) -> str:
    names = [run.evaluated.name for run in runs]
    return "-".join(names) if len("-".join(names)) <= 60 else f"{names[0]}-and-{len(names) - 1}"
