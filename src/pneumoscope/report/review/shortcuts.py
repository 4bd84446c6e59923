"""Shortcuts: AUROC on films of which a part is hidden, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.evaluation.results import ShortcutResult
from pneumoscope.evaluation.shortcuts import CHANCE, KEPT, MARGIN
from pneumoscope.formatting import ABSENT, Cell, cell, full, percent, percent_cell
from pneumoscope.records import CLASSES, Grey
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.films import to_uri
from pneumoscope.report.kit.gallery import Shown
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.kit.rows import KeyFigure, key_figure
from pneumoscope.report.review.context import ReportContext

_NAMES = {
    "full": "full films",
    "border": "the outer tenth alone",
    "centre": "all but the outer tenth",
    "thumbnail": "thumbnails of 8 × 8 cells",
}
_TITLES = {
    "full": ("Full film", "as judged above"),
    "border": ("Border only", "the outer tenth, little lung"),
    "centre": ("Centre only", "all but the outer tenth"),
    "thumbnail": ("Thumbnail", "8 × 8 means, blown up"),
}
_NONE = (ABSENT, "")


@dataclass(frozen=True, slots=True)
class Left:
    """A variant as printed; ``share`` and ``lost`` are (value, interval) of the skill kept and of
    the difference to full films, ``uri`` is the example, empty where there is none."""

    auroc: KeyFigure
    gloss: str
    share: Cell
    lost: Cell
    uri: str
    alt: str


def words(run: EvaluatedRun) -> str:
    """What the model reaches on films of which a part is hidden, and what that means."""
    found = run.results.shortcuts
    if not found:
        return ""
    reached = [f"{full(each.auroc)} on {_NAMES[each.variant]}" for each in found]
    return " ".join([f"AUROC is {', '.join(reached)}.", *findings(run)])


def findings(run: EvaluatedRun) -> list[str]:
    """What the check found, a sentence or two each; empty where it found nothing."""
    return [each.finding for each in run.results.shortcuts or () if each.finding]


def gather(context: ReportContext) -> Variables | None:
    """What the section prints, None where the run was not checked."""
    found = context.run.results.shortcuts
    if not found:
        return None
    example = _example(context)
    pictures = context.hidden(example.image_id) if example and context.hidden else {}
    rows = [_left(each, pictures) for each in found]
    shares = [each.share.method for each in found if each.share]
    return {
        "rows": rows,
        "example": _about(example) if example and any(row.uri for row in rows) else "",
        "findings": findings(context.run),
        "verdict": _verdict(found),
        "bound": f"{CHANCE + MARGIN:g}",
        "margin": f"{MARGIN:g}",
        "kept": percent(KEPT),
        "methods": [found[0].auroc.method, *shares[:1]],
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


def _left(found: ShortcutResult, pictures: Mapping[str, Grey]) -> Left:
    title, gloss = _TITLES[found.variant]
    return Left(
        auroc=key_figure(title, found.auroc),
        gloss=gloss,
        share=percent_cell(found.share) if found.share else _NONE,
        lost=cell(found.difference) if found.difference else _NONE,
        uri=to_uri(pictures[found.variant]) if found.variant in pictures else "",
        alt=f"{title}: {gloss}. The example film as the network saw it",
    )


def _verdict(found: Sequence[ShortcutResult]) -> str:
    """What the border says where it makes no finding."""
    border = next((each for each in found if each.variant == "border"), None)
    if border is None or border.finding:
        return ""
    if border.auroc.low > CHANCE:
        return (
            "No finding on the border: it tells more than chance, as arms or a child’s size may, "
            "but not by the margin."
        )
    if border.auroc.low <= CHANCE:
        return "No finding on the border: by its interval it may tell nothing."
    return ""
