"""The shortcut check on the page: a row for what is left of the film, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pneumoscope.evaluation.gallery import Shown
from pneumoscope.evaluation.shortcuts import CHANCE, KEPT, MARGIN
from pneumoscope.formatting import Cell, cell, percent, percent_cell
from pneumoscope.records import CLASSES, Estimate
from pneumoscope.report.kit.catalogue import Metric
from pneumoscope.report.kit.films import to_uri
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.run.context import ReportContext
from pneumoscope.report.run.summary import shortcut_findings
from pneumoscope.report.run.tables import Row, metric_row

_TITLES = {
    "full": ("Full film", "as judged above"),
    "border": ("Border only", "the outer tenth, little lung"),
    "centre": ("Centre only", "all but the outer tenth"),
    "thumbnail": ("Thumbnail", "8 × 8 means, blown up"),
}
_NONE = ("", "")


@dataclass(frozen=True, slots=True)
class Left:
    """A variant as printed: ``row`` is its AUROC; ``share`` and ``lost`` are (value, interval),
    empty for the full film; ``uri`` is the example, empty where there is none."""

    row: Row
    share: Cell
    lost: Cell
    uri: str
    alt: str


def gather_shortcuts(context: ReportContext) -> Variables | None:
    """What the section prints, None where the run was not checked."""
    found = context.judged.metrics.get("shortcuts")
    if not found:
        return None
    example = _example(context)
    pictures = context.hidden(example.image_id) if example and context.hidden else {}
    rows = [_left(each, pictures) for each in found]
    return {
        "rows": rows,
        "example": _about(example) if example and any(row.uri for row in rows) else "",
        "findings": shortcut_findings(context.judged),
        "verdict": _verdict(found),
        "bound": f"{CHANCE + MARGIN:g}",
        "margin": f"{MARGIN:g}",
        "kept": percent(KEPT),
        "methods": [found[0]["auroc"]["method"], *_share_method(found)],
    }


def _example(context: ReportContext) -> Shown | None:
    """The middle of the pneumonia films that were found, else any film that is shown."""
    gallery = context.gallery
    films = gallery.true_positives or gallery.spread
    return films[len(films) // 2] if films else None


def _about(shown: Shown) -> str:
    found = shown.called and shown.label
    kind = "a typical pneumonia found" if found else f"a film, truly {CLASSES[shown.label]}"
    return f"{kind} ({shown.name})"


def _left(found: Mapping[str, Any], pictures: Mapping[str, Any]) -> Left:
    variant = str(found["variant"])
    title, gloss = _TITLES[variant]
    share, lost = found.get("share"), found["difference"]
    return Left(
        row=metric_row(Metric(variant, title, gloss), Estimate.from_json(found["auroc"])),
        share=percent_cell(Estimate.from_json(share)) if share else _NONE,
        lost=cell(Estimate.from_json(lost)) if lost and lost["value"] is not None else _NONE,
        uri=to_uri(pictures[variant]) if variant in pictures else "",
        alt=f"{title}: {gloss}. The example film as the network saw it",
    )


def _share_method(found: list[dict[str, Any]]) -> list[str]:
    return [each["share"]["method"] for each in found if each.get("share")][:1]


def _verdict(found: list[dict[str, Any]]) -> str:
    """What the border says where it makes no finding."""
    border = next((each for each in found if each["variant"] == "border"), None)
    if border is None or border["finding"]:
        return ""
    auroc = Estimate.from_json(border["auroc"])
    if auroc.low > CHANCE:
        return (
            "No finding on the border: it tells more than chance, as arms or a child’s size may, "
            "but not by the margin."
        )
    if auroc.low <= CHANCE:
        return "No finding on the border: by its interval it may tell nothing."
    return ""
