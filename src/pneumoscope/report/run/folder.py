"""What a report reads of a run folder, checked once, here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pneumoscope.errors import NotARun
from pneumoscope.evaluation.predictions import read_predictions
from pneumoscope.records import Estimate
from pneumoscope.storage import read_json

HISTORY_COLUMNS = ("epoch", "train_loss", "val_loss")


@dataclass(frozen=True, slots=True)
class Judged:
    """A run folder after evaluation, as read.

    ``predictions`` holds the rows of the judged split only, indexed by their place in the
    whole table. ``history`` is None where the run was not trained here. ``model`` is empty where
    there is no model.json.
    """

    folder: Path
    run: Mapping[str, Any]
    model: Mapping[str, Any]
    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame | None
    recipe: str

    @property
    def name(self) -> str:
        return str(self.run.get("name") or self.folder.name)

    @property
    def split(self) -> str:
        return str(self.metrics["split"])

    @property
    def threshold(self) -> float:
        return float(self.metrics["operating_point"]["threshold"])

    def estimate(self, name: str) -> Estimate | None:
        """The metric called ``name``, or None where it was not measured."""
        found = self.metrics["metrics"].get(name)
        return None if found is None else Estimate.from_json(found)


def read_judged(folder: Path) -> Judged:
    """Read a run folder that has been evaluated. Raises ``NotARun`` where a part is missing."""
    metrics = read_json(folder / "metrics.json")
    for key in ("split", "n", "metrics", "operating_point", "confusion"):
        if key not in metrics:
            raise NotARun(f"{folder / 'metrics.json'} has no {key!r}", remedy=_remedy(folder))
    table = read_predictions(folder / "predictions.csv")
    judged = table[(table["split"] == metrics["split"]) & table["label"].isin([0, 1])]
    judged = judged.astype({"label": int})
    return Judged(
        folder=folder,
        run=read_json(folder / "run.json"),
        model=read_json(folder / "model.json") if (folder / "model.json").exists() else {},
        metrics=metrics,
        predictions=judged,
        history=_read_history(folder / "history.csv"),
        recipe=_read_optional(folder / "recipe.yaml"),
    )


def _read_history(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        table = pd.read_csv(path).apply(pd.to_numeric, errors="coerce")
    except (OSError, ValueError) as fault:
        raise NotARun(
            f"{path} cannot be read", got=str(fault), remedy=_remedy(path.parent)
        ) from None
    missing = [name for name in HISTORY_COLUMNS if name not in table.columns]
    if missing:
        raise NotARun(
            f"{path} lacks columns",
            got=", ".join(table.columns),
            expected=", ".join(HISTORY_COLUMNS),
        )
    return table if len(table) else None


def _read_optional(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _remedy(folder: Path) -> str:
    return f"complete the run: pneumoscope train --resume {folder}"
