"""Summary of seeds: what runs that differ only in their seed say together, and its page."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

import pneumoscope
from pneumoscope.errors import NotARun
from pneumoscope.evaluation.groups import OverSeeds, SeedRun, SeedsSummary, SeedValue
from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.groups.seeds import write_seeds_page
from pneumoscope.run import SCHEMA, SUMMARY
from pneumoscope.storage import write_record

_MEANING = (
    "sd is the spread between training seeds on the same films. It is not the uncertainty that "
    "comes of the test films being a sample: the interval of each run is."
)


def write_seeds(folder: Path, runs: Sequence[Path], command: str = "") -> Path:
    """Write ``summary.json`` and ``report.html`` of complete ``runs`` within ``folder``; return
    the page. Each file is written whole or not at all. Raises NotARun."""
    evaluated = [read_evaluated(run) for run in runs]
    summary = summarise_seeds(folder, evaluated, command)
    write_record(folder / SUMMARY, summary)
    return write_seeds_page(folder, summary, evaluated)


def summarise_seeds(folder: Path, runs: Sequence[EvaluatedRun], command: str = "") -> SeedsSummary:
    """Each metric as mean and sd over the runs beside each run's value and interval, and seconds,
    epochs and threshold of each run. A metric that is undefined in some run is averaged over the
    others. Raises NotARun where the runs were not judged on the same films.
    """
    check_same_films(runs)
    first = runs[0]
    return SeedsSummary(
        schema=SCHEMA,
        version=pneumoscope.__version__,
        name=folder.absolute().name,
        command=command,
        data=first.manifest["source"]["name"],
        recipe=first.model["lineage"]["recipe"],
        backbone=first.model["backbone"],
        split=first.split,
        n=first.results.n,
        positives=first.results.positives,
        meaning=_MEANING,
        runs=tuple(seed_run(folder, run) for run in runs),
        metrics={name: over_seeds(name, runs) for name in first.results.metrics},
    )


def check_same_films(runs: Sequence[EvaluatedRun]) -> None:
    """Refuse runs that were not judged on the films of the first. Raises NotARun."""
    first = runs[0].predictions
    for run in runs[1:]:
        other = run.predictions
        if list(first["image_id"]) != list(other["image_id"]):
            raise NotARun(
                "the runs were not judged on the same films",
                got=run.folder,
                remedy="remove that folder, and finish with: pneumoscope train --resume FOLDER",
            )


def seed_run(folder: Path, run: EvaluatedRun) -> SeedRun:
    """What a summary in ``folder`` says of one of its runs."""
    timing, lineage = run.manifest["timing"], run.model["lineage"]
    return SeedRun(
        seed=run.manifest["seed"],
        folder=str(run.folder.relative_to(folder)),
        train_seconds=timing.get("train_seconds"),
        seconds=round(sum(timing.values()), 2),
        epochs=lineage["epochs"],
        best_epoch=lineage["best_epoch"],
        threshold=run.threshold,
    )


def over_seeds(name: str, runs: Sequence[EvaluatedRun]) -> OverSeeds:
    """The metric called ``name`` over runs that differ in their seed."""
    values = []
    for run in runs:
        found = run.estimate(name)
        ends = (found.value, found.low, found.high) if found else (nan, nan, nan)
        values.append(SeedValue(run.manifest["seed"], *ends))
    return OverSeeds.of_seeds(values)
