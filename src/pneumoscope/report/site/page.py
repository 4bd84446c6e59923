"""Site card: one page for whoever decides whether a model is used at a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from pneumoscope.evaluation.site.card import SiteCard
from pneumoscope.evaluation.site.local import CurvePoint, LocalFigures
from pneumoscope.formatting import ABSENT, Cell, cell, number, percent, plural
from pneumoscope.report.kit.draw import look_of
from pneumoscope.report.kit.figure import PageFigure, house_style, make_figure
from pneumoscope.report.kit.page import Page, PageSection, Variables
from pneumoscope.report.kit.rows import KeyFigure, key_figure
from pneumoscope.report.site import words
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic

_MEASURES = (
    ("auroc", "AUROC"),
    ("sensitivity", "Sensitivity"),
    ("specificity", "Specificity"),
    ("log_loss", "Log loss"),
    ("ece", "ECE"),
)


def write_site_page(folder: Path, card: SiteCard) -> Path:
    """Write ``report.html`` into ``folder``, which exists; return it. Raises OutputNotWritable."""
    page = Run(folder).report_file
    write_atomic(
        page, PAGE.render(card, card=card, said=words.summary(card), keys=key_figures(card))
    )
    return page


def key_figures(card: SiteCard) -> list[KeyFigure]:
    """The figures beside the summary: what is known, or that nothing is."""
    if card.local is None:
        return [KeyFigure("AUROC at this site", ABSENT, "no labelled film judged it here")]
    now = card.local.adapted
    return [
        key_figure("AUROC at this site", now.auroc),
        key_figure("Sensitivity", now.sensitivity),
        key_figure("Specificity", now.specificity),
    ]


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """How far the films are from others, as a table shows it."""

    against: str
    verdict: str
    films: str
    p: str
    auroc: str


def _came(card: SiteCard) -> Variables:
    rows = [
        DifferenceRow(
            each.against,
            each.verdict,
            f"{each.films:,} / {each.others:,}",
            ABSENT if each.p is None else number(each.p),
            ABSENT if each.auroc is None else number(each.auroc, 2),
        )
        for each in card.differences
    ]
    withheld = card.films.withheld
    return {
        "card": card,
        "rows": rows,
        "withheld": None
        if withheld is None
        else f"{withheld:,} of {plural(card.films.used, 'film')}",
    }


def _changed(card: SiteCard) -> Variables:
    tried = card.statistics
    before, after = tried.called
    return {
        "card": card,
        "text": words.changed(card),
        "tried": tried.tried != "none",
        "called": (percent(before), percent(after)),
        "spread": number(tried.spread, 2),
        "agreement": number(tried.agreement, 2),
        "points": [(point.name, number(point.threshold), point.rule) for point in card.points],
    }


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A way of carrying the model, as a table shows it."""

    name: str
    what: str
    loss: Cell
    auroc: Cell
    kept: bool


def _known(card: SiteCard) -> Variables | None:
    local = card.local
    share, told = (words.share_words(card), _share_rows(card)), card.share.told is not None
    if local is None:
        return {"local": None, "share": share, "told": told}
    return {
        "local": local,
        "members": card.members,
        "equal": words.equal_words(local),
        "share": share,
        "told": told,
        "measures": _measure_rows(local.carried, local.adapted),
        "ways": [
            CandidateRow(
                each.name,
                each.what,
                (number(each.loss), f"± {number(each.error)}"),
                (ABSENT, each.why_not or "") if each.auroc is None else cell(each.auroc),
                each.kept,
            )
            for each in local.candidates
        ],
        "curve": words.curve_words(local),
        "needed": words.needed_words(local),
        "figures": _figures(local.curve, local.curve_of),
    }


def _share_rows(card: SiteCard) -> list[tuple[str, Cell]]:
    found = (
        ("Expectation maximisation (Saerens 2002)", card.share.likelihood),
        ("Black-box shift (Lipton 2018)", card.share.black_box),
    )
    return [(name, cell(each)) for name, each in found if each is not None]


def _measure_rows(first: LocalFigures, second: LocalFigures) -> list[tuple[str, Cell, Cell]]:
    return [
        (title, cell(getattr(first, name)), cell(getattr(second, name)))
        for name, title in _MEASURES
    ]


def _figures(curve: Sequence[CurvePoint], name: str) -> list[PageFigure]:
    if len(curve) < 2:
        return []
    with house_style():
        return [
            make_figure(
                "site-curve",
                draw_curve(curve),
                "AUROC by labelled films",
                "The mean over draws of so many labelled films, ± one standard deviation between "
                "draws; every film is judged by what had not seen it.",
                f"AUROC of “{name}” by the number of labelled films it was fitted on.",
                png=False,
            )
        ]


def draw_curve(curve: Sequence[CurvePoint]) -> Figure:
    """AUROC over the number of labelled films. Call within ``house_style``."""
    figure = Figure(figsize=(5.0, 3.2))
    axes, look = figure.subplots(), look_of(0)
    films = [point.films for point in curve]
    axes.errorbar(
        films,
        [point.auroc for point in curve],
        yerr=[point.deviation for point in curve],
        color=look.colour,
        marker=look.mark,
        markersize=4,
        linewidth=1.2,
    )
    axes.set(xscale="log", xlabel="Labelled films", ylabel="AUROC")
    axes.xaxis.set_major_locator(FixedLocator(films))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(films, [f"{each:,}" for each in films])
    figure.tight_layout()
    return figure


def _unknown(card: SiteCard) -> Variables:
    return {"lines": list(words.unknown(card))}


def _look(card: SiteCard) -> Variables:
    return {"text": words.to_label_words(card), "card": card}


def _repeat(card: SiteCard) -> Variables:
    return {"card": card}


PAGE: Page[SiteCard] = Page(
    "site",
    (
        PageSection("came", "What came", _came),
        PageSection("changed", "What was changed", _changed),
        PageSection("known", "What is known at this site", _known),
        PageSection("unknown", "What is not known", _unknown),
        PageSection("look", "Which films to look at first", _look),
        PageSection("repeat", "Reproduction", _repeat),
    ),
)
