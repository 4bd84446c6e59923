"""Report of a run: its figures, ``report.html`` and ``model_card.md``, from its folder, no model.

The page is an ordered table of sections, ``PAGE``: see ``kit.page``.
"""

from __future__ import annotations

from pathlib import Path

from pneumoscope.report.evaluated import EvaluatedRun, read_evaluated
from pneumoscope.report.kit.catalogue import HEADLINE, METRICS
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.figure import PageFigure, house_style
from pneumoscope.report.kit.films import HiddenLookup, ImageLookup
from pneumoscope.report.kit.gallery import choose_films
from pneumoscope.report.kit.heat import HeatLookup, Heatmaps
from pneumoscope.report.kit.page import DISCLAIMER, Page, PageSection, Variables
from pneumoscope.report.kit.rows import KeyFigure, key_figure
from pneumoscope.report.review import people, shortcuts, withheld, yardsticks
from pneumoscope.report.review.context import ReportContext
from pneumoscope.report.review.topics import TOPICS, draw_topics
from pneumoscope.report.run import data, decisions, films, ranking, sites, tables, training
from pneumoscope.report.run.answers import answers
from pneumoscope.report.run.card import card_text
from pneumoscope.report.run.model import AUROC_WORDS, HOW_TO_USE, INTENDED, OUT_OF_SCOPE
from pneumoscope.report.run.summary import limits, summarise
from pneumoscope.run import Run
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
    run, files = read_evaluated(folder), Run(folder)
    gallery = choose_films(run.predictions, run.threshold)
    heatmaps = heat(films.heated(gallery)) if heat else lambda: Heatmaps(missing=NO_HEAT)
    context = ReportContext(
        run=run,
        figures=draw_all(run),
        gallery=gallery,
        film=film,
        heat=heatmaps(),
        hidden=hidden,
    )
    (folder / "figures").mkdir(exist_ok=True)
    for name, content in _pictures(context).items():
        write_atomic(folder / "figures" / f"{name}.png", content)
    if card:
        write_atomic(files.model_card_file, card_text(run))
    door = door_lines(run.door)
    text = PAGE.render(
        context, run=run, answers=answers(run), keys=_keys(run), door=door, auroc_words=AUROC_WORDS
    )
    write_atomic(files.report_file, text)
    return files.report_file


def draw_all(run: EvaluatedRun) -> dict[str, PageFigure]:
    """Every figure that the run's data allow, by name."""
    parts = (ranking.figures, decisions.figures, draw_topics, data.figures, training.figures)
    with house_style():
        return {figure.name: figure for part in parts for figure in part(run)}


def _pictures(context: ReportContext) -> dict[str, bytes]:
    """What lies in the folder ``figures``, by name."""
    drawn = {figure.name: figure.png for figure in context.figures.values()}
    return drawn | films.mosaics(context)


def _keys(run: EvaluatedRun) -> list[KeyFigure]:
    """The figures that stand beside the summary: the AUROC of each site where there are several,
    and four of all films."""
    of = f", {sites.POOLED}" if run.results.sites else ""
    each = [(f"AUROC, {site.name}", site.metrics["auroc"]) for site in run.results.sites or ()]
    found = [*each, *((f"{METRICS[key].title}{of}", run.estimate(key)) for key in HEADLINE)]
    return [key_figure(title, estimate) for title, estimate in found if estimate]


def _details(context: ReportContext) -> Variables:
    return {"remarks": summarise(context.run)}


def _results(context: ReportContext) -> Variables:
    groups = tables.metric_groups(context.run)
    return {
        "figures": context.drawn("roc", "precision_recall", "confusion", "probabilities"),
        "groups": groups,
        "notes": tables.method_notes(groups),
        "classes": tables.class_rows(context.run),
        "one_class": "roc" not in context.figures,
        "scale": context.run.scale_words,
        "withheld": withheld.words(context.run),
    }


def _choices(context: ReportContext) -> Variables | None:
    choices = context.run.manifest.get("choices", ())
    return {"choices": choices} if choices else None


def _reproduce(context: ReportContext) -> Variables:
    run = context.run
    return {
        "run": run.manifest,
        "command": run.command,
        "model": run.model,
        "recipe": run.recipe,
        "environment": run.manifest.get("environment", {}),
    }


def _use(context: ReportContext) -> Variables:
    return {
        "disclaimer": DISCLAIMER,
        "how": HOW_TO_USE if context.run.model else "",
        "scope": (INTENDED, OUT_OF_SCOPE),
        "limits": [*limits(context.run), *shortcuts.findings(context.run)],
    }


PAGE: Page[ReportContext] = Page(
    "run",
    (
        PageSection("sites", "By site", sites.gather),
        PageSection("details", "In more detail", _details),
        PageSection("yardsticks", "Beside what?", yardsticks.gather),
        PageSection("people", "For whom?", people.gather),
        PageSection("results", "Results", _results),
        *(topic.section for topic in TOPICS),
        PageSection("films", "Films, right and wrong", films.gather),
        PageSection("data", "Data", data.gather),
        PageSection("training", "Training", training.gather),
        PageSection("choices", "Automatic choices", _choices),
        PageSection("reproduce", "Reproduction", _reproduce),
        PageSection("use", "Use and limits", _use),
    ),
)
