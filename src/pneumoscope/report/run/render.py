"""A run folder in, its figures, ``report.html`` and ``model_card.md`` out; no model needed.

The page is an ordered table of sections. A section is a name, a title, a template under
``templates/sections`` and a function that gathers what the template prints, or None where the
run has nothing to say there. To add one, add a line to ``SECTIONS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope.evaluation.gallery import Gallery, choose_films
from pneumoscope.report.explain.words import CAUTION
from pneumoscope.report.kit import words
from pneumoscope.report.kit.films import Film, Hidden, Panel, draw_mosaic, tile
from pneumoscope.report.kit.heat import Heat, Heatmaps, bar_uri
from pneumoscope.report.kit.page import render_page
from pneumoscope.report.kit.plates import house_style, to_png
from pneumoscope.report.review.sections import REVIEW
from pneumoscope.report.run import tables
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.charts import draw_all
from pneumoscope.report.run.folder import Judged, read_judged
from pneumoscope.report.run.material import Context, Material, Section
from pneumoscope.storage import write_atomic

NO_HEAT = "the model was not at hand"


def write_report(
    folder: Path,
    film: Film,
    *,
    heat: Heat | None = None,
    hidden: Hidden | None = None,
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
    material = Material(
        judged=judged,
        plates=draw_all(judged),
        gallery=gallery,
        film=film,
        heat=heat(_heated(gallery)) if heat else Heatmaps(missing=NO_HEAT),
        hidden=hidden,
    )
    (folder / "figures").mkdir(exist_ok=True)
    for name, content in _pictures(material).items():
        write_atomic(folder / "figures" / f"{name}.png", content)
    if card:
        write_atomic(folder / "model_card.md", card_text(judged))
    report = folder / "report.html"
    write_atomic(report, _page(material))
    return report


def _heated(gallery: Gallery) -> list[str]:
    """The image ids of films that are shown with their heat, each once."""
    panels = [panel for sheet in _sheets(gallery).values() for panel in sheet if panel.heated]
    return list(dict.fromkeys(shown.image_id for panel in panels for shown in panel.films))


def _pictures(material: Material) -> dict[str, bytes]:
    found = {plate.name: plate.png for plate in material.plates.values()}
    with house_style():
        for name, panels in _sheets(material.gallery).items():
            figure = draw_mosaic(panels, material.film, material.heat)
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


def _page(material: Material) -> str:
    return render_page(
        "page.html.j2",
        "sections",
        [(section, section.gather(material)) for section in SECTIONS],
        judged=material.judged,
        remarks=words.summarise(material.judged),
        keys=_keys(material.judged),
    )


def _keys(judged: Judged) -> list[tables.Row]:
    """The four figures that stand beside the summary."""
    rows = {row.key: row for _, group in tables.metric_groups(judged) for row in group}
    wanted = ("auroc", "sensitivity", "specificity", "balanced_accuracy")
    return [rows[key] for key in wanted if key in rows]


def _results(material: Material) -> Context:
    groups = tables.metric_groups(material.judged)
    return {
        "plates": material.figures("roc", "precision_recall", "confusion", "probabilities"),
        "groups": groups,
        "notes": tables.method_notes(groups),
        "classes": tables.class_rows(material.judged),
        "one_class": "roc" not in material.plates,
    }


def _films(material: Material) -> Context:
    sheets = _sheets(material.gallery)
    errors, count = tables.error_rows(material.judged)
    return {
        "panels": [
            _tiles(panel, material)
            for name in ("misclassified", "predictions")
            for panel in sheets[name]
        ],
        "errors": errors,
        "all_errors": count,
        "threshold": material.judged.threshold,
        "heat": material.heat,
        "bar": bar_uri() if material.heat.maps else "",
        "marked": any(material.heat.boxes.values()),
        "caution": CAUTION,
    }


def _data(material: Material) -> Context | None:
    run = material.judged.run
    if not run.get("flow") and not run.get("source"):
        return None
    panels = _sheets(material.gallery)["samples"]
    return {
        "flow": run.get("flow", {}),
        "source": run.get("source", {}),
        "plates": material.figures("labels"),
        "panels": [_tiles(panel, material) for panel in panels if panel.films],
        "split": material.judged.split,
        "shifts": tables.shift_rows(run.get("shifts") or ()),
    }


def _training(material: Material) -> Context | None:
    history = material.judged.history
    if history is None:
        return None
    return {
        "plates": material.figures("loss", "scores"),
        "columns": [str(column) for column in history.columns],
        "epochs": history.to_dict("records"),
        "best": material.judged.model.get("lineage", {}).get("best_epoch"),
        "model": material.judged.model,
        "views": words.views(material.judged.model),
        "timing": material.judged.run.get("timing", {}),
    }


def _choices(material: Material) -> Context | None:
    choices: Sequence[Mapping[str, Any]] = material.judged.run.get("choices", ())
    return {"choices": choices} if choices else None


def _reproduce(material: Material) -> Context:
    judged = material.judged
    return {
        "run": judged.run,
        "model": judged.model,
        "recipe": judged.recipe,
        "environment": judged.run.get("environment", {}),
    }


def _use(material: Material) -> Context:
    return {
        "judged": material.judged,
        "disclaimer": words.DISCLAIMER,
        "how": words.HOW_TO_USE if material.judged.model else "",
        "scope": (words.INTENDED, words.OUT_OF_SCOPE),
        "limits": [*words.limits(material.judged), *words.shortcut_findings(material.judged)],
    }


SECTIONS = (
    Section("results", "Results", _results),
    *REVIEW,
    Section("films", "Films, right and wrong", _films),
    Section("data", "Data", _data),
    Section("training", "Training", _training),
    Section("choices", "Automatic choices", _choices),
    Section("reproduce", "Reproduction", _reproduce),
    Section("use", "Use and limits", _use),
)


def _tiles(panel: Panel, material: Material) -> dict[str, Any]:
    heat = material.heat if panel.heated else None
    tiles = [tile(shown, material.film, heat, judged=panel.judged) for shown in panel.films]
    return {"title": panel.title, "note": panel.note, "judged": panel.judged, "tiles": tiles}
