"""Films in the report: right and wrong ones, typical ones, and a table of all that are misread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.explain.words import CAUTION
from pneumoscope.report.kit.figure import house_style
from pneumoscope.report.kit.films import Panel, Tile, draw_mosaic, tile
from pneumoscope.report.kit.gallery import Gallery, Shown, shown_rows
from pneumoscope.report.kit.heat import bar_uri
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

ERRORS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class TiledPanel:
    """A titled row of films with their pictures."""

    title: str
    note: str
    predicted: bool
    tiles: list[Tile]


def sheets(gallery: Gallery) -> dict[str, list[Panel]]:
    """The pages of films, by name; the same in the report and as PNG."""
    alarms = "normal films called pneumonia, the most confident first"
    missed = "pneumonia called normal, the most confident first"
    near = "nearest to the threshold, right or wrong"
    lowest = "From the lowest to the highest probability"
    found, cleared = "the middle of the true positives", "the middle of the true negatives"
    return {
        "misclassified": [
            Panel("False alarms", alarms, gallery.false_positives, heated=True),
            Panel("Missed pneumonia", missed, gallery.false_negatives, heated=True),
            Panel("Least certain", near, gallery.least_certain, heated=True),
        ],
        "predictions": [
            Panel(lowest, "at evenly spaced ranks", gallery.spread),
            Panel("Typical pneumonia found", found, gallery.true_positives, heated=True),
            Panel("Typical normal cleared", cleared, gallery.true_negatives, heated=True),
        ],
        "samples": [
            Panel("Normal", "", gallery.samples_normal, predicted=False),
            Panel("Pneumonia", "", gallery.samples_pneumonia, predicted=False),
        ],
    }


def heated(gallery: Gallery) -> list[str]:
    """The image ids of films that are shown with their heat, each once."""
    panels = [panel for sheet in sheets(gallery).values() for panel in sheet if panel.heated]
    return list(dict.fromkeys(shown.image_id for panel in panels for shown in panel.films))


def mosaics(context: ReportContext) -> dict[str, bytes]:
    """Each sheet that holds a film as a PNG, by name."""
    found = {}
    with house_style():
        for name, panels in sheets(context.gallery).items():
            sheet = draw_mosaic(panels, context.film, context.heat)
            if sheet is not None:
                found[name] = sheet
    return found


def panels_with_tiles(panels: Sequence[Panel], context: ReportContext) -> list[TiledPanel]:
    """The panels with a picture of each film."""
    out = []
    for panel in panels:
        heat = context.heat if panel.heated else None
        tiles = [
            tile(shown, context.film, heat, predicted=panel.predicted) for shown in panel.films
        ]
        out.append(TiledPanel(panel.title, panel.note, panel.predicted, tiles))
    return out


def error_rows(run: EvaluatedRun) -> tuple[list[Shown], int]:
    """The misread films, the most confident error first, at most ``ERRORS_SHOWN``; how many there
    are."""
    wrong = [row for row in shown_rows(run.predictions, run.threshold) if not row.right]
    wrong.sort(key=lambda row: (-abs(row.probability - run.threshold), row.image_id))
    return wrong[:ERRORS_SHOWN], len(wrong)


def gather(context: ReportContext) -> Variables:
    """What the section prints."""
    shown = sheets(context.gallery)
    errors, count = error_rows(context.run)
    return {
        "panels": panels_with_tiles([*shown["misclassified"], *shown["predictions"]], context),
        "errors": errors,
        "all_errors": count,
        "threshold": context.run.threshold,
        "heat": context.heat,
        "bar": bar_uri() if context.heat.maps else "",
        "marked": any(context.heat.boxes.values()),
        "caution": CAUTION,
    }
