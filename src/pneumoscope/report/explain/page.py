"""An explanation in; pictures, ``explain.json`` and a self-contained ``explain.html`` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.explain.explanation import ExplainedFilm, Explanation
from pneumoscope.explain.overlay import Box, Colour, draw_film, draw_overlay, to_png, with_bar
from pneumoscope.explain.truth import boxes_around
from pneumoscope.formatting import Cell, number, percent, percent_interval, shortened
from pneumoscope.inference.image_warnings import WARNINGS, withholding
from pneumoscope.readings import Estimate
from pneumoscope.records import CLASSES, Grey
from pneumoscope.report.explain import words
from pneumoscope.report.kit.heat import bar_uri
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.uri import data_uri
from pneumoscope.storage import slug, write_atomic, write_record

CARD_SIDE = 304
"""Side in pixels of a picture on the page, sharp at 170 CSS pixels."""
MEASURE_TITLES = {
    "pointing": ("Maximum inside", "the hottest point lies inside the abnormality"),
    "energy": ("Heat inside", "part of the heat that lies inside the abnormality"),
    "overlap": ("Overlap", "IoU of the abnormality and the area above half of the maximum"),
}
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
class Overlay:
    """A picture of a card: the film, or its heat by one method; ``hit`` says in words whether the
    maximum lies inside the abnormality."""

    title: str
    hit: str
    uri: str
    alt: str


@dataclass(frozen=True, slots=True)
class FilmCard:
    """A film with its overlays; ``marked`` where its abnormality is framed."""

    name: str
    kind: str
    wrong: bool
    probability: str
    remarks: str
    marked: bool
    overlays: tuple[Overlay, ...]


@dataclass(frozen=True, slots=True)
class MethodRow:
    """What one method reached: cells, or whether it passed and (rank, structure) by level."""

    title: str
    cells: tuple[Cell, ...]
    passed: bool = False


@dataclass(frozen=True, slots=True)
class ExplainContext:
    """All that a section may draw on."""

    found: Explanation
    cards: tuple[FilmCard, ...]


def write_explanation(folder: Path, found: Explanation, pictures: Sequence[Picture]) -> Path:
    """Write ``figures/*.png``, ``explain.json`` and ``explain.html`` into ``folder``, which
    exists; return the page, which is written last.

    ``found`` has a film for each of ``pictures``. Raises OutputNotWritable.
    """
    (folder / "figures").mkdir(exist_ok=True)
    films, cards = [], []
    for place, (film, picture) in enumerate(zip(found.films, pictures, strict=True), 1):
        stem = f"{place:02d}-{slug(film.name)}"[:60]
        drawn = _draw(picture)
        files = {kind: f"figures/{stem}-{slug(kind)}.png" for kind in drawn}
        for kind, overlay in drawn.items():
            sheet = overlay if kind == "film" else with_bar(overlay)
            write_atomic(folder / files[kind], to_png(sheet))
        films.append(replace(film, pictures=files))
        cold = {method for method, heat in picture.heat.items() if not heat.any()}
        cards.append(_card(film, drawn, found.titles, cold, marked=bool(picture.marks())))
    summary = tuple(words.summary(found))
    known = replace(found, films=tuple(films), summary=summary, caution=words.CAUTION)
    write_record(folder / "explain.json", known)
    page = folder / "explain.html"
    context = ExplainContext(known, tuple(cards))
    write_atomic(page, PAGE.render(context, found=known, lines=words.headline(known)))
    return page


def _draw(picture: Picture) -> dict[str, Colour]:
    marks = picture.marks()
    drawn = {"film": draw_film(picture.film, marks)}
    for method, heat in picture.heat.items():
        drawn[method] = draw_overlay(picture.film, heat, marks)
    return drawn


def _card(
    film: ExplainedFilm,
    drawn: Mapping[str, Colour],
    titles: Mapping[str, str],
    cold: Set[str],
    *,
    marked: bool,
) -> FilmCard:
    """The card of a film; ``cold`` are the methods whose map of it has no heat."""
    truth, called = film.label, film.called
    what = "" if truth is None else f"truly {CLASSES[truth]}, "
    withheld = withholding(film.findings)
    read = f"withheld: {WARNINGS[withheld][0]}" if withheld else f"read as {CLASSES[called]}"
    says = f"{'Picture' if withheld else 'Chest film'} {film.name}, {what}{read}"
    overlays = [Overlay("Film", "", _uri(drawn["film"]), says)]
    for method, peak in film.peaks.items():
        hit = {True: "maximum inside", False: "maximum outside", None: ""}[peak.inside]
        hit = "no heat: nothing here raises the logit" if method in cold else hit
        alt = f"{titles[method]} of this film{f', {hit}' if hit else ''}"
        overlays.append(Overlay(titles[method], hit, _uri(drawn[method]), alt))
    return FilmCard(
        name=shortened(film.name),
        kind=read if truth is None or withheld else _KINDS[truth, called],
        remarks="; ".join(WARNINGS[code][1] for code in film.findings),
        wrong=truth is not None and truth != called,
        probability=number(film.probability),
        marked=marked,
        overlays=tuple(overlays),
    )


def _uri(picture: Colour) -> str:
    """A data URI of a picture, made small."""
    small = Image.fromarray(picture).resize((CARD_SIDE, CARD_SIDE), Image.Resampling.LANCZOS)
    return data_uri(small, quality=82)


def _films(context: ExplainContext) -> Variables:
    return {
        "cards": context.cards,
        "bar": bar_uri(),
        "which": context.found.which,
        "notes": context.found.notes,
        "marked": any(card.marked for card in context.cards),
        "scale": context.found.scale,
        "threshold": {number(film.threshold) for film in context.found.films},
    }


def _location(context: ExplainContext) -> Variables | None:
    check, titles = context.found.localisation, context.found.titles
    if not check:
        return None
    groups = []
    for measure, (title, meaning) in MEASURE_TITLES.items():
        by_method = {method: found[measure] for method, found in check.methods.items()}
        rows = [
            MethodRow(titles[method], (_share(found.value), _share(found.above_prior)))
            for method, found in by_method.items()
        ]
        first = next(iter(by_method.values()))
        rivals = (percent(first.chance.value), percent(first.prior.value))
        groups.append((title, meaning, rows, rivals))
    lines = words.located_lines(context.found)
    return {"groups": groups, "check": check, "area": percent(check.area), "lines": lines}


def _share(estimate: Estimate) -> Cell:
    return percent(estimate.value), percent_interval(estimate)


def _sanity(context: ExplainContext) -> Variables | None:
    checks = context.found.sanity
    if not checks:
        return None
    rows = [
        MethodRow(
            context.found.titles[method],
            tuple((number(each.rank, 2), number(each.structure, 2)) for each in check.levels),
            check.passed,
        )
        for method, check in checks.items()
    ]
    first = next(iter(checks.values()))
    levels = [each.level for each in first.levels]
    lines = words.sane_lines(context.found)
    return {"rows": rows, "levels": levels, "films": first.films, "lines": lines}


def _whole(context: ExplainContext) -> Variables:
    return {"found": context.found}


PAGE: Page[ExplainContext] = Page(
    "explain",
    (
        PageSection("films", "Films and heatmaps", _films),
        PageSection("location", "Does it point to the abnormality?", _location),
        PageSection("sanity", "Does it depend on what was learnt?", _sanity),
        PageSection("methods", "Methods", _whole),
        PageSection("repeat", "Reproduction", _whole),
    ),
)
