"""The shortcut check on the page: a row for what is left of the film, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pneumoscope.evaluation.gallery import Shown
from pneumoscope.evaluation.shortcuts import CHANCE, KEPT, MARGIN
from pneumoscope.records import CLASSES
from pneumoscope.report.kit.films import to_uri
from pneumoscope.report.kit.words import (
    Metric,
    interval,
    number,
    percent_range,
    shortcut_findings,
)
from pneumoscope.report.run.folder import to_estimate
from pneumoscope.report.run.material import Context, Material
from pneumoscope.report.run.tables import Row, metric_row

_TITLES = {
    "full": ("Full film", "as judged above"),
    "border": ("Border only", "the outer tenth, little lung"),
    "centre": ("Centre only", "all but the outer tenth"),
    "thumbnail": ("Thumbnail", "8 × 8 means, blown up"),
}


@dataclass(frozen=True, slots=True)
class Left:
    """A variant as printed: ``row`` is its AUROC; ``share`` and ``lost`` are (value, interval),
    empty for the full film; ``uri`` is the example, empty where there is none."""

    row: Row
    share: tuple[str, str]
    lost: tuple[str, str]
    uri: str
    alt: str


def gather_shortcuts(material: Material) -> Context | None:
    """What the section prints, None where the run was not checked."""
    found = material.judged.metrics.get("shortcuts")
    if not found:
        return None
    example = _example(material)
    pictures = material.hidden(example.image_id) if example and material.hidden else {}
    rows = [_left(each, pictures) for each in found]
    return {
        "rows": rows,
        "example": _about(example) if example and any(row.uri for row in rows) else "",
        "findings": shortcut_findings(material.judged),
        "verdict": _verdict(found),
        "bound": f"{CHANCE + MARGIN:g}",
        "margin": f"{MARGIN:g}",
        "kept": f"{KEPT:.0%}",
        "methods": [found[0]["auroc"]["method"], *_share_method(found)],
    }


def _example(material: Material) -> Shown | None:
    """The middle of the pneumonia films that were found, else any film that is shown."""
    gallery = material.gallery
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
    cell = ("", "")
    if lost and lost["value"] is not None:
        estimate = to_estimate(lost)
        cell = (number(estimate.value), interval(estimate))
    return Left(
        row=metric_row(Metric(variant, title, gloss), to_estimate(found["auroc"])),
        share=percent_range(to_estimate(share)) if share else ("", ""),
        lost=cell,
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
    auroc = to_estimate(border["auroc"])
    if auroc.low > CHANCE:
        return (
            "No finding on the border: it tells more than chance, as arms or a child’s size may, "
            "but not by the margin."
        )
    if auroc.low <= CHANCE:
        return "No finding on the border: by its interval it may tell nothing."
    return ""
