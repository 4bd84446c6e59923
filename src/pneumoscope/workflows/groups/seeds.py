"""What runs that differ only in their seed say together: ``summary.json`` and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import pneumoscope
from pneumoscope.errors import NotARun
from pneumoscope.report.groups.seeds import write_seeds_page
from pneumoscope.report.run.folder import Judged, read_judged
from pneumoscope.run import SCHEMA, SUMMARY
from pneumoscope.storage import write_json

MEANING = (
    "sd is the spread between training seeds on the same films. It is not the uncertainty that "
    "comes of the test films being a sample: the interval of each run is."
)


def write_seeds(folder: Path, runs: Sequence[Path], command: str = "") -> Path:
    """Write ``summary.json`` and ``report.html`` of complete ``runs`` within ``folder``; return
    the page. Each file is written whole or not at all. Raises NotARun."""
    judged = [read_judged(run) for run in runs]
    summary = summarise_seeds(folder, judged, command)
    write_json(folder / SUMMARY, summary)
    return write_seeds_page(folder, summary, judged)


def summarise_seeds(folder: Path, runs: Sequence[Judged], command: str = "") -> dict[str, Any]:
    """Plain data: each metric as mean and sd over the runs beside each run's value and interval,
    and seconds, epochs and threshold of each run.

    ``sd`` is the sample standard deviation (n - 1). A metric that is undefined in some run is
    averaged over the others, ``n`` says over how many. Raises NotARun where the runs were not
    judged on the same films.
    """
    _check_same_films(runs)
    first = runs[0]
    return {
        "schema": SCHEMA,
        "version": pneumoscope.__version__,
        "name": folder.absolute().name,
        "command": command,
        "data": first.run["source"]["name"],
        "recipe": first.model["lineage"]["recipe"],
        "backbone": first.model["backbone"],
        "split": first.split,
        "n": first.metrics["n"],
        "positives": first.metrics["positives"],
        "meaning": MEANING,
        "runs": [_about(folder, run) for run in runs],
        "metrics": {name: _over_seeds(name, runs) for name in first.metrics["metrics"]},
    }


def _check_same_films(runs: Sequence[Judged]) -> None:
    first = runs[0].predictions
    for run in runs[1:]:
        other = run.predictions
        if list(first["image_id"]) != list(other["image_id"]):
            raise NotARun(
                "the runs were not judged on the same films",
                got=run.folder,
                remedy="remove that folder, and finish with: pneumoscope train --resume FOLDER",
            )


def _about(folder: Path, run: Judged) -> dict[str, Any]:
    timing: Mapping[str, float] = run.run["timing"]
    lineage = run.model["lineage"]
    return {
        "seed": run.run["seed"],
        "folder": str(run.folder.relative_to(folder)),
        "train_seconds": timing.get("train_seconds"),
        "seconds": round(sum(timing.values()), 2),
        "epochs": lineage["epochs"],
        "best_epoch": lineage["best_epoch"],
        "threshold": run.threshold,
    }


def _over_seeds(name: str, runs: Sequence[Judged]) -> dict[str, Any]:
    estimates = [run.metrics["metrics"].get(name) or {} for run in runs]
    known = [e["value"] for e in estimates if e.get("value") is not None]
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    values = [
        {"seed": run.run["seed"], **{key: e.get(key) for key in ("value", "low", "high")}}
        for run, e in zip(runs, estimates, strict=True)
    ]
    return {
        "mean": float(np.mean(known)) if known else None,
        "sd": sd if math.isfinite(sd) else None,
        "n": len(known),
        "values": values,
    }
