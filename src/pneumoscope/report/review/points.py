"""Operating points: where one may cut, by which rule, and what each cut is worth."""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.formatting import Cell, cell, number
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

RULE_WORDS = {
    "youden": "largest sensitivity + specificity",
    "youden_smooth": "largest sensitivity + specificity, of smoothed rates",
    "f1": "largest F1",
    "fixed": "fixed beforehand",
    "re-chosen": "chosen on these films",
}


@dataclass(frozen=True, slots=True)
class PointRow:
    """An operating point as printed: name, rule, threshold, (value, interval) of four shares."""

    name: str
    rule: str
    threshold: str
    cells: tuple[Cell, ...]
    own: bool
    optimistic: bool


def point_rows(run: EvaluatedRun) -> list[PointRow]:
    """The operating points, the deciding one first, a re-chosen one last."""
    return [
        PointRow(
            name=point.name.replace("_", " "),
            rule=RULE_WORDS.get(point.name, point.rule),
            threshold=number(point.threshold),
            cells=tuple(
                map(cell, (point.sensitivity, point.specificity, point.precision, point.npv))
            ),
            own=at == 0,
            optimistic=point is run.results.re_chosen,
        )
        for at, point in enumerate(run.results.all_points)
    ]


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    rows = point_rows(context.run)
    if not rows:
        return None
    return {
        "rows": rows,
        "split": context.run.split,
        "optimistic": any(row.optimistic for row in rows),
        "notes": context.run.results.notes,
    }
