"""Drawing on axes: the sizes, words and marks that the figures of several pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from pneumoscope.report.kit.figure import COLOUR_ROLES, INK, LINES, PAPER

SQUARE = (4.6, 4.3)
FRAME = (0.135, 0.115, 0.84, 0.855)
"""Where the axes of a square figure lie: left, bottom, width, height."""


DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2.2), (1.2, 1.8), (7, 2, 1.4, 2))
MARKS = ("o", "s", "^", "D")


@dataclass(frozen=True, slots=True)
class Look:
    """How one of several runs is drawn everywhere: colour (a role of ``figure``), dashes in points,
    mark."""

    colour: str
    dashes: tuple[float, ...]
    mark: str

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """As matplotlib takes it."""
        return (0, self.dashes) if self.dashes else "-"

    @property
    def stroke(self) -> str:
        """The colour as the page's CSS says it."""
        return COLOUR_ROLES[self.colour]

    @property
    def dasharray(self) -> str:
        """For SVG's ``stroke-dasharray``; empty where the line is solid."""
        return " ".join(f"{length * 1.6:g}" for length in self.dashes)


LOOKS = len(LINES) * len(DASHES)
"""So many runs differ in colour or line."""


def look_of(at: int) -> Look:
    """The look of the run of that number."""
    turn = (at + at // len(LINES)) % len(DASHES)
    return Look(LINES[at % len(LINES)], DASHES[turn], MARKS[turn])


def framed(across: str, up: str) -> tuple[Figure, Axes]:
    """A square figure with its axes, named."""
    figure = Figure(figsize=SQUARE)
    axes = figure.add_axes(FRAME)
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def unit(axes: Axes) -> None:
    """Both axes from 0 to 1."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1.0]))


def by_epoch(axes: Axes, title: str) -> None:
    """Epochs across, whole numbers only, and ``title`` up."""
    axes.set(xlabel="Epoch", ylabel=title)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def write(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0, 0),
    **style: Any,
) -> None:
    """Write lines downwards from ``at``, each a text of its own, offsets in points.

    The SVG holds text, and only a single line keeps its alignment in the reader's own font.
    """
    style = {"fontsize": 9, **style}
    for number, line in enumerate(words.split("\n")):
        down = offset[1] - number * style["fontsize"] * 1.45
        axes.annotate(
            line,
            at,
            xytext=(offset[0], down),
            textcoords="offset points",
            annotation_clip=False,
            **style,
        )


def mark(axes: Axes, x: float, y: float) -> None:
    """The dot of an operating point."""
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=8,
        color=INK,
        markeredgecolor=PAPER,
        markeredgewidth=1.5,
        zorder=5,
    )
