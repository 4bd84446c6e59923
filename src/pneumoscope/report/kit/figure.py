"""A drawn figure made ready: PNG on white for papers, inline SVG that follows the page's colours.

Both come from one ``Figure``, so that a paper and the report can never disagree.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

DPI = 200
PNG_LEVEL = 2
"""Writes in half the time of the default, 6, for a tenth more bytes."""

# Each colour is one role. In the SVG the role's CSS value takes its place, hence no two alike.
INK = "#1c2127"
MUTED = "#667079"
RULE = "#d5d9dd"
PAPER = "#fffffe"
NORMAL = "#0072b2"
PNEUMONIA = "#d55e00"
ACCENT = "#009e73"
"""Okabe and Ito's blue, vermilion and bluish green, told apart in all common colour blindness."""

LINES = (NORMAL, PNEUMONIA, ACCENT, INK)
"""Colours of several lines in one figure, in their order."""

COLOUR_ROLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    NORMAL: "var(--normal)",
    PNEUMONIA: "var(--pneumonia)",
    ACCENT: "var(--accent)",
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure as the page shows it. ``name`` is also the name of its PNG file; ``png`` is empty
    where there is none."""

    name: str
    title: str
    caption: str
    alt: str
    svg: Markup
    png: bytes


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save within: matplotlib reads the style at both times. Restored on leaving."""
    with mpl.rc_context(STYLE):
        yield


def make_figure(
    name: str, figure: Figure, title: str, caption: str, alt: str, *, png: bool = True
) -> PageFigure:
    """Render ``figure`` as SVG and, unless the page alone shows it, as PNG. Call within
    ``house_style``."""
    svg = to_svg(figure, name, alt)
    return PageFigure(name, title, caption, alt, svg, figure_png(figure) if png else b"")


def figure_png(figure: Figure) -> bytes:
    """PNG at 200 dpi on white, without the date, so that the same run gives the same bytes."""
    out = io.BytesIO()
    figure.savefig(
        out,
        format="png",
        dpi=DPI,
        facecolor="white",
        metadata={"Software": None},
        pil_kwargs={"compress_level": PNG_LEVEL},
    )
    return out.getvalue()


def to_svg(figure: Figure, name: str, alt: str) -> Markup:
    """An ``<svg>`` element for the middle of a page: no prologue, own ids, themed colours."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", facecolor="none", metadata={"Date": None})
    body = out.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    # A page holds many figures: their ids must not meet.
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = body.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    # matplotlib writes fixed colours. The page knows a light and a dark form of each role, so that
    # in the SVG the role's CSS value stands: a figure with ink and rules of the light page could
    # not be read on the dark one. Every colour is a role, and no two are alike.
    for colour, role in COLOUR_ROLES.items():
        body = body.replace(colour, role)
    # The page's own font, which matplotlib does not know.
    body = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px; font-family: inherit", body)
    # A hundredth of a point is finer than any screen. Inside tags only: text is what is read.
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), body)
    start, body = body.split(">", 1)
    view = start[start.index("viewBox=") :].split('"')[1]  # width and height would fix the size
    head = f'<svg class="chart" role="img" aria-label="{escape(alt)}" viewBox="{view}">'
    return Markup(head + body)  # noqa: S704 matplotlib escapes its text
