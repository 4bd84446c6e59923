"""Matrix of sites: ``matrix.json``, what models trained on some sites come to on each.

The fields are the keys of the file, in its order. A row is a model, a column a site; films of a
column are the same in every row, and in no row has the model been trained or tuned on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.evaluation.results import SCHEMA, SiteResult
from pneumoscope.readings import OperatingPoint
from pneumoscope.storage import read_record


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A model: the run in ``folder``, the sites that it was trained on, the point that it carries,
    what it comes to on the same films of each site (``cells``, by site), and on all films of the
    site that was left out (``left_out``)."""

    folder: str
    trained_on: tuple[str, ...]
    operating_point: OperatingPoint
    cells: tuple[SiteResult, ...]
    left_out: SiteResult
    seconds: float


@dataclass(frozen=True, slots=True)
class SiteMatrix:
    """What the models of a cross-validation by site come to on each site."""

    schema: int
    version: str
    name: str
    command: str
    sites: tuple[str, ...]
    recipe: str
    backbone: str
    meaning: Mapping[str, str]
    rows: tuple[MatrixRow, ...]


def read_matrix(file: Path) -> SiteMatrix:
    """``matrix.json``. Raises NotARun where it is missing or damaged."""
    return read_record(SiteMatrix, file, (SCHEMA,))
