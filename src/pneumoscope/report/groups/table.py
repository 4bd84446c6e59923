"""Table of metrics over several runs, as the pages of seeds and of folds show it."""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.formatting import Cell
from pneumoscope.report.kit.catalogue import Metric


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A metric: over all runs in the first cell, then in each column's own."""

    metric: Metric
    cells: tuple[Cell, ...]
