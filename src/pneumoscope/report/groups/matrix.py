"""Page of a cross-validation by site: the matrix of sites, from ``matrix.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.evaluation.results import SiteResult
from pneumoscope.evaluation.shortcuts import CHANCE
from pneumoscope.evaluation.site.matrix import MatrixRow, SiteMatrix
from pneumoscope.formatting import Cell, brief, cell, listed, one_call, plural, written_alike
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import Remark, key_figure
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic

_SHOWN = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One model on the films of one site: its figures, each with its interval."""

    trained_on: str
    site: str
    n: int
    positives: int
    left_out: bool
    cells: tuple[Cell, ...]


def write_matrix_page(folder: Path, found: SiteMatrix, runs: Sequence[EvaluatedRun]) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. Raises
    OutputNotWritable."""
    text = PAGE.render(
        found,
        matrix=found,
        said=list(_remarks(found)),
        door=door_lines(runs[0].door, splits=False),
        keys=[
            key_figure(f"{row.left_out.name}, left out", row.left_out.metrics["auroc"])
            for row in found.rows
        ],
    )
    page = Run(folder).report_file
    write_atomic(page, text)
    return page


def lost(row: MatrixRow, found: SiteMatrix) -> tuple[SiteResult, SiteResult] | None:
    """The left-out site in ``row``, and the best of the models that learnt from it, on the same
    films; None where AUROC is undefined."""
    site = row.left_out.name
    here = _at(row, site)
    others = [_at(other, site) for other in found.rows if site in other.trained_on]
    known = [each for each in (here, *others) if math.isfinite(each.metrics["auroc"].value)]
    if here not in known or len(known) < 2:  # noqa: PLR2004
        return None
    return here, max(known[1:], key=lambda each: each.metrics["auroc"].value)


def _at(row: MatrixRow, site: str) -> SiteResult:
    return next(each for each in row.cells if each.name == site)


def _remarks(found: SiteMatrix) -> Iterator[Remark]:
    for row in found.rows:
        at = row.left_out
        if same := one_call(at.metrics["sensitivity"].value, at.metrics["specificity"].value):
            yield Remark(f"{at.name}, left out.", same)
    parts = []
    for row in found.rows:
        auroc = row.left_out.metrics["auroc"]
        verdict = (
            "better than chance" if auroc.low > CHANCE else "not shown to be better than chance"
        )
        on = f"{row.left_out.name}: AUROC {brief(auroc)} on {plural(row.left_out.n, 'film')}"
        parts.append(f"{on}, {verdict}")
    yield Remark("Judged where it was not trained.", f"{'; '.join(parts)}.")
    losses = [(row, pair) for row in found.rows if (pair := lost(row, found))]
    if losses:
        said = [
            f"{row.left_out.name} {_against(here.metrics['auroc'], best.metrics['auroc'])}"
            for row, (here, best) in losses
        ]
        yield Remark(
            "What is lost where a site takes no part in training.",
            f"AUROC on the same test films, left out against learnt from: {'; '.join(said)}.",
        )
    yield Remark("Thresholds are carried.", f"{' '.join(_carried(found))}")
    yield Remark("No ensemble.", "The models of this folder have each seen all sites but one, so "
                 "together they are no model for films of these sites; train on all of them for "
                 "that.")  # fmt: skip


def _against(here: Estimate, best: Estimate) -> str:
    same = "the same, " if written_alike(here.value, best.value) else ""
    return f"{brief(here)} against {same}{brief(best)}"


def _carried(found: SiteMatrix) -> Iterator[str]:
    for row in found.rows:
        site, point = row.left_out, row.operating_point
        sure = (site.metrics["sensitivity"], site.metrics["specificity"])
        yield (
            f"At {point.threshold:.3f}, the threshold of the model trained on "
            f"{listed(row.trained_on)}, {site.name} has sensitivity {brief(sure[0])} and "
            f"specificity {brief(sure[1])}."
        )


def _matrix(found: SiteMatrix) -> Variables:
    rows = [
        (
            listed(row.trained_on),
            [(cell(each.metrics["auroc"]), each.name == row.left_out.name) for each in row.cells],
        )
        for row in found.rows
    ]
    return {"sites": [(each.name, each.n, each.positives) for each in found.rows[0].cells],
            "rows": rows}  # fmt: skip


def _figures(found: SiteMatrix) -> Variables:
    return {
        "rows": [
            _row(row, each, each.name == row.left_out.name)
            for row in found.rows
            for each in row.cells
        ]
    }


def _left_out(found: SiteMatrix) -> Variables:
    return {"rows": [_row(row, row.left_out, True) for row in found.rows]}


def _row(row: MatrixRow, site: SiteResult, left_out: bool) -> FigureRow:
    shown: list[Estimate] = [site.metrics[key] for key in _SHOWN]
    shown += [site.calibration.slope, site.calibration.in_the_large]
    return FigureRow(
        listed(row.trained_on), site.name, site.n, site.positives, left_out, tuple(map(cell, shown))
    )


def _runs(found: SiteMatrix) -> Variables:
    return {"rows": found.rows}


def _limits(found: SiteMatrix) -> Variables:
    return {"meaning": found.meaning, "sites": len(found.sites)}


PAGE: Page[SiteMatrix] = Page(
    "matrix",
    (
        PageSection("matrix", "Trained on, judged on", _matrix),
        PageSection("figures", "At the carried threshold", _figures),
        PageSection("left_out", "All films of the site left out", _left_out),
        PageSection("runs", "Models", _runs),
        PageSection("limits", "Limits", _limits),
    ),
)
