"""A run folder in, its figures, ``report.html`` and ``model_card.md`` out; no model needed.

The page is an ordered table of sections, ``PAGE``: see ``kit.page``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope.evaluation.gallery import Gallery, choose_films
from pneumoscope.report.explain.words import CAUTION
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS
from pneumoscope.report.kit.figure import house_style, to_png
from pneumoscope.report.kit.films import HiddenLookup, ImageLookup, Panel, draw_mosaic, tile
from pneumoscope.report.kit.heat import HeatLookup, Heatmaps, bar_uri
from pneumoscope.report.kit.page import DISCLAIMER, Page, Section, Variables
from pneumoscope.report.kit.rows import KeyFigure, key_figure, shift_rows
from pneumoscope.report.review.sections import REVIEW
from pneumoscope.report.run import summary, tables
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.charts import draw_all
from pneumoscope.report.run.context import ReportContext
from pneumoscope.report.run.folder import Judged, read_judged
from pneumoscope.report.run.summary import judged_shifts
from pneumoscope.storage import write_atomic

NO_HEAT = "the model was not at hand"


def write_report(
    folder: Path,
    film: ImageLookup,
    *,
    heat: HeatLookup | None = None,
    hidden: HiddenLookup | None = None,
    card: bool = True,
) -> Path:
    """Write figures/\\*.png, model_card.md and the self-contained report.html of a run.

    ``film`` gives the stored image of an image id as uint8 (H, W), air dark, or None. ``heat``
    gives the heatmaps of those films that are shown with one, asked once for all; ``hidden`` a
    film as the shortcut check showed it. Each file is written whole or not at all, the report
    last. ``card`` False leaves the model card out, where the folder holds no model. Returns the
    report's path. Raises ``NotARun`` where the folder has not been evaluated.
    """
    judged = read_judged(folder)
    gallery = choose_films(judged.predictions, judged.threshold)
    context = ReportContext(
        judged=judged,
        figures=draw_all(judged),
        gallery=gallery,
        film=film,
        heat=heat(_heated(gallery)) if heat else Heatmaps(missing=NO_HEAT),
        hidden=hidden,
    )
    (folder / "figures").mkdir(exist_ok=True)
    for name, content in _pictures(context).items():
        write_atomic(folder / "figures" / f"{name}.png", content)
    if card:
        write_atomic(folder / "model_card.md", card_text(judged))
    report = folder / "report.html"
    text = PAGE.render(
        context,
        judged=judged,
        remarks=summary.summarise(judged),
        keys=_keys(judged),
    )
    write_atomic(report, text)
    return report


def _heated(gallery: Gallery) -> list[str]:
    """The image ids of films that are shown with their heat, each once."""
    panels = [panel for sheet in _sheets(gallery).values() for panel in sheet if panel.heated]
    return list(dict.fromkeys(shown.image_id for panel in panels for shown in panel.films))


def _pictures(context: ReportContext) -> dict[str, bytes]:
    found = {figure.name: figure.png for figure in context.figures.values()}
    with house_style():
        for name, panels in _sheets(context.gallery).items():
            figure = draw_mosaic(panels, context.film, context.heat)
            if figure is not None:
                found[name] = to_png(figure)
    return found


def _sheets(gallery: Gallery) -> dict[str, list[Panel]]:
    """The pages of films, by name; the same in the report and as PNG."""
    return {
        "misclassified": [
            Panel(
                "False alarms",
                "normal films called pneumonia, the most confident first",
                gallery.false_positives,
                heated=True,
            ),
            Panel(
                "Missed pneumonia",
                "pneumonia called normal, the most confident first",
                gallery.false_negatives,
                heated=True,
            ),
            Panel(
                "Least certain",
                "nearest to the threshold, right or wrong",
                gallery.least_certain,
                heated=True,
            ),
        ],
        "predictions": [
            Panel(
                "From the lowest to the highest probability",
                "at evenly spaced ranks",
                gallery.spread,
            ),
            Panel(
                "Typical pneumonia found",
                "the middle of the true positives",
                gallery.true_positives,
                heated=True,
            ),
            Panel(
                "Typical normal cleared",
                "the middle of the true negatives",
                gallery.true_negatives,
                heated=True,
            ),
        ],
        "samples": [
            Panel("Normal", "", gallery.samples_normal, judged=False),
            Panel("Pneumonia", "", gallery.samples_pneumonia, judged=False),
        ],
    }


def _keys(judged: Judged) -> list[KeyFigure]:
    """The four figures that stand beside the summary."""
    found = [(METRICS[key].title, judged.estimate(key)) for key in HEADLINE]
    return [key_figure(title, estimate) for title, estimate in found if estimate]


def _results(context: ReportContext) -> Variables:
    groups = tables.metric_groups(context.judged)
    return {
        "figures": context.drawn("roc", "precision_recall", "confusion", "probabilities"),
        "groups": groups,
        "notes": tables.method_notes(groups),
        "classes": tables.class_rows(context.judged),
        "one_class": "roc" not in context.figures,
    }


def _films(context: ReportContext) -> Variables:
    sheets = _sheets(context.gallery)
    errors, count = tables.error_rows(context.judged)
    return {
        "panels": [
            _tiles(panel, context)
            for name in ("misclassified", "predictions")
            for panel in sheets[name]
        ],
        "errors": errors,
        "all_errors": count,
        "threshold": context.judged.threshold,
        "heat": context.heat,
        "bar": bar_uri() if context.heat.maps else "",
        "marked": any(context.heat.boxes.values()),
        "caution": CAUTION,
    }


def _data(context: ReportContext) -> Variables | None:
    run = context.judged.run
    if not run.get("flow") and not run.get("source"):
        return None
    panels = _sheets(context.gallery)["samples"]
    return {
        "flow": run.get("flow", {}),
        "source": run.get("source", {}),
        "figures": context.drawn("labels"),
        "panels": [_tiles(panel, context) for panel in panels if panel.films],
        "split": context.judged.split,
        "shifts": shift_rows(judged_shifts(context.judged)),
    }


def _training(context: ReportContext) -> Variables | None:
    history = context.judged.history
    if history is None:
        return None
    return {
        "figures": context.drawn("loss", "scores"),
        "columns": [str(column) for column in history.columns],
        "epochs": history.to_dict("records"),
        "best": context.judged.model.get("lineage", {}).get("best_epoch"),
        "model": context.judged.model,
        "views": summary.views(context.judged.model),
        "timing": context.judged.run.get("timing", {}),
    }


def _choices(context: ReportContext) -> Variables | None:
    choices: Sequence[Mapping[str, Any]] = context.judged.run.get("choices", ())
    return {"choices": choices} if choices else None


def _reproduce(context: ReportContext) -> Variables:
    judged = context.judged
    return {
        "run": judged.run,
        "model": judged.model,
        "recipe": judged.recipe,
        "environment": judged.run.get("environment", {}),
    }


def _use(context: ReportContext) -> Variables:
    return {
        "judged": context.judged,
        "disclaimer": DISCLAIMER,
        "how": summary.HOW_TO_USE if context.judged.model else "",
        "scope": (summary.INTENDED, summary.OUT_OF_SCOPE),
        "limits": [*summary.limits(context.judged), *summary.shortcut_findings(context.judged)],
    }


PAGE: Page[ReportContext] = Page(
    "run",
    (
        Section("results", "Results", _results),
        *REVIEW,
        Section("films", "Films, right and wrong", _films),
        Section("data", "Data", _data),
        Section("training", "Training", _training),
        Section("choices", "Automatic choices", _choices),
        Section("reproduce", "Reproduction", _reproduce),
        Section("use", "Use and limits", _use),
    ),
)


def _tiles(panel: Panel, context: ReportContext) -> dict[str, Any]:
    heat = context.heat if panel.heated else None
    tiles = [tile(shown, context.film, heat, judged=panel.judged) for shown in panel.films]
    return {"title": panel.title, "note": panel.note, "judged": panel.judged, "tiles": tiles}
