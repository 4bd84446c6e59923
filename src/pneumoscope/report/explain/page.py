"""An explanation in; pictures, ``explain.json`` and a self-contained ``explain.html`` out.

The page has the make of the training report. It reads what came of it as plain data, as
``explain.json`` holds it, and draws each film under its heat.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.errors import printable
from pneumoscope.explain.overlay import (
    Box,
    Colour,
    draw_film,
    draw_overlay,
    to_png,
    with_bar,
)
from pneumoscope.explain.truth import boxes_around
from pneumoscope.formatting import Cell, percent, percent_interval
from pneumoscope.records import CLASSES, Estimate, Grey
from pneumoscope.report.audit.films import shortened
from pneumoscope.report.explain import words
from pneumoscope.report.kit.heat import bar_uri
from pneumoscope.report.kit.page import Page, Section, Variables
from pneumoscope.storage import slug, write_atomic, write_json

Json = Mapping[str, Any]

SIDE = 304
"""Side in pixels of a picture on the page, sharp at 170 CSS pixels."""
MEASURES = {
    "pointing": ("Maximum inside", "the hottest point lies inside the abnormality"),
    "energy": ("Heat inside", "part of the heat that lies inside the abnormality"),
    "overlap": ("Overlap", "IoU of the abnormality and the area above half of the maximum"),
}
_KEYS = ("rank", "structure")
_KINDS = {
    (1, 1): "pneumonia found",
    (0, 1): "false alarm",
    (1, 0): "missed pneumonia",
    (0, 0): "normal cleared",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A film uint8 (S, S), air dark, and its heat float32 (S, S), 0–1, by method; ``boxes`` in
    its pixels and ``mask`` bool (S, S) where the truth is known."""

    film: Grey
    heat: Mapping[str, NDArray[np.float32]]
    boxes: tuple[Box, ...] = ()
    mask: NDArray[np.bool_] | None = None

    def marks(self) -> tuple[Box, ...]:
        """What to draw of the truth: the boxes, else a box around each part of the mask."""
        if self.boxes or self.mask is None:
            return self.boxes
        return boxes_around(self.mask)


@dataclass(frozen=True, slots=True)
class ExplainContext:
    """All that a section may draw on: the plain data, and each film with its overlays."""

    about: Json
    shown: Sequence[Variables]


def write_explanation(folder: Path, about: Mapping[str, Any], pictures: Sequence[Picture]) -> Path:
    """Write ``figures/*.png``, ``explain.json`` and ``explain.html`` into ``folder``, which
    exists; return the page, which is written last.

    ``about`` is plain data with a film for each of ``pictures``. Raises OutputNotWritable.
    """
    (folder / "figures").mkdir(exist_ok=True)
    listed, shown = [], []
    for place, (film, picture) in enumerate(zip(about["films"], pictures, strict=True), 1):
        stem = f"{place:02d}-{slug(film['name'])}"[:60]
        drawn = _draw(picture)
        files = {kind: f"figures/{stem}-{slug(kind)}.png" for kind in drawn}
        for kind, overlay in drawn.items():
            sheet = overlay if kind == "film" else with_bar(overlay)
            write_atomic(folder / files[kind], to_png(sheet))
        listed.append({**film, "pictures": files})
        shown.append(_card(film, drawn, about["titles"], bool(picture.marks())))
    known = {key: value for key, value in about.items() if key != "titles"}
    known |= {"films": listed, "summary": words.summary(about), "caution": words.CAUTION}
    write_json(folder / "explain.json", known)
    page = folder / "explain.html"
    write_atomic(page, _page(about, shown))
    return page


def _draw(picture: Picture) -> dict[str, Colour]:
    marks = picture.marks()
    drawn = {"film": draw_film(picture.film, marks)}
    for method, heat in picture.heat.items():
        drawn[method] = draw_overlay(picture.film, heat, marks)
    return drawn


def _card(film: Json, drawn: Mapping[str, Colour], titles: Json, marked: bool) -> Variables:
    """One film and its overlays, as the template shows them."""
    truth, called = film["label"], film["called"]
    known = truth is not None
    what = f"truly {CLASSES[truth]}, " if known else ""
    says = f"Chest film {printable(film['name'])}, {what}read as {CLASSES[called]}"
    cells = []
    for kind, picture in drawn.items():
        title = "Film" if kind == "film" else titles[kind]
        inside = film["peaks"].get(kind, {}).get("inside")
        hit = {True: "maximum inside", False: "maximum outside", None: ""}[inside]
        alt = says if kind == "film" else f"{title} of it{', ' * bool(hit)}{hit}"
        cells.append({"title": title, "hit": hit, "uri": _uri(picture), "alt": alt})
    return {
        "name": shortened(printable(film["name"])),
        "kind": _KINDS[truth, called] if known else f"read as {CLASSES[called]}",
        "wrong": known and truth != called,
        "probability": f"{film['probability']:.2f}",
        "marked": marked,
        "cells": cells,
    }


def _uri(picture: Colour) -> str:
    """A data URI of a picture, made small."""
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _page(about: Json, shown: Sequence[Variables]) -> str:
    return PAGE.render(
        ExplainContext(about, shown),
        about=about,
        lines=words.headline(about),
        caution=words.CAUTION,
    )


def _films(context: ExplainContext) -> Variables:
    about = context.about
    return {
        "cards": context.shown,
        "bar": bar_uri(),
        "which": about["which"],
        "notes": about["notes"],
        "marked": any(card["marked"] for card in context.shown),
    }


def _methods(context: ExplainContext) -> Variables:
    about = context.about
    return {name: about[name] for name in ("methods", "layers", "mirror", "turned")}


def _location(context: ExplainContext) -> Variables | None:
    about = context.about
    found = about["localisation"]
    if not found:
        return None
    groups = []
    for measure, (title, meaning) in MEASURES.items():
        rows = [
            {
                "title": about["titles"][method],
                "cells": [_cell(measures[measure][part]) for part in ("value", "above_prior")],
            }
            for method, measures in found["methods"].items()
        ]
        first = next(iter(found["methods"].values()))[measure]
        rivals = [percent(first[part]["value"]) for part in ("chance", "prior")]
        groups.append({"title": title, "meaning": meaning, "rows": rows, "rivals": rivals})
    area, lines = percent(found["area"]), words.located_lines(about)
    return {"groups": groups, "found": found, "area": area, "lines": lines}


def _cell(estimate: Json) -> Cell:
    found = Estimate.from_json(estimate)
    return percent(found.value), percent_interval(found)


def _sanity(context: ExplainContext) -> Variables | None:
    about = context.about
    if not about["sanity"]:
        return None
    rows = [
        {
            "title": about["titles"][method],
            "passed": check["passed"],
            "levels": [[f"{e[k]:.2f}".replace("-", "−") for k in _KEYS] for e in check["levels"]],
        }
        for method, check in about["sanity"].items()
    ]
    checks = list(about["sanity"].values())
    levels = [each["level"] for each in checks[0]["levels"]]
    lines = [words.sane(about["titles"][name], check) for name, check in about["sanity"].items()]
    return {"rows": rows, "levels": levels, "films": checks[0]["films"], "lines": lines}


def _repeat(context: ExplainContext) -> Variables:
    about = context.about
    return {"about": about}


PAGE: Page[ExplainContext] = Page(
    "explain",
    (
        Section("films", "Films and heatmaps", _films),
        Section("location", "Does it point to the abnormality?", _location),
        Section("sanity", "Does it depend on what was learnt?", _sanity),
        Section("methods", "Methods", _methods),
        Section("repeat", "Reproduction", _repeat),
    ),
)
