"""Numbers as text, for pages and terminal alike: values, intervals, shares, counts, p values.

The one formatter: whoever shows a figure to a user takes it from here, so that two places can
never round or name the same figure differently. A minus is the true sign "−", a range has an en
dash, and "to" in its place where a minus would stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from pneumoscope.errors import printable
from pneumoscope.readings import Estimate

Cell = tuple[str, str]
"""A figure as a table shows it: its value, and its interval or what stands in its place."""


class Measured(Protocol):
    """A value with the ends of its interval; any may be NaN."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


ABSENT = "–"
"""What a table shows in place of a value that is not defined."""


def number(value: float | None, places: int = 3) -> str:
    """``0.962``; ``undefined`` for NaN and None."""
    return "undefined" if value is None or not math.isfinite(value) else _fixed(value, places)


def written_alike(one: float, other: float, places: int = 3) -> bool:
    """Whether both read the same once rounded: then no sentence may set one against the other."""
    return round(one, places) == round(other, places)


def percent_alike(one: float, other: float, places: int = 0) -> bool:
    """The same of two shares, as ``percent`` writes them."""
    return written_alike(100 * one, 100 * other, places)


def signed(value: float | None, places: int = 3) -> str:
    """A difference: ``+0.021``, ``−0.004``, ``0.000``; ``undefined`` for NaN and None."""
    text = number(value, places)
    return f"+{text}" if text[0].isdigit() and any(map(text.count, "123456789")) else text


def interval(estimate: Measured) -> str:
    """``0.948–0.974``, or ``none`` where there is no interval."""
    if not _has_interval(estimate):
        return "none"
    return _range(number(estimate.low), number(estimate.high))


def signed_interval(estimate: Measured) -> str:
    """That of a difference: ``+0.006 to +0.036``, or ``none``."""
    if not _has_interval(estimate):
        return "none"
    return f"{signed(estimate.low)} to {signed(estimate.high)}"


def cell(estimate: Measured) -> Cell:
    """(``0.962``, ``0.948–0.974``), or (``–``, ``undefined``)."""
    if not math.isfinite(estimate.value):
        return ABSENT, "undefined"
    return number(estimate.value), interval(estimate)


def brief(estimate: Measured) -> str:
    """``0.962 (0.948–0.974)``; ``–`` where it is undefined."""
    if not math.isfinite(estimate.value):
        return ABSENT
    return f"{number(estimate.value)} ({interval(estimate)})"


def level(estimate: Estimate) -> str:
    """``95%``."""
    return f"{estimate.level * 100:g}%"


def full(estimate: Estimate | None) -> str:
    """``0.962 (95% interval 0.948–0.974)``; says why where it is undefined."""
    if estimate is None:
        return "not measured"
    if not math.isfinite(estimate.value):
        return estimate.method or "undefined"
    return f"{number(estimate.value)} ({level(estimate)} interval {interval(estimate)})"


def mean_sd(mean: float | None, sd: float | None) -> str:
    """``0.951 ± 0.012``; the mean alone where there is no deviation, ``–`` where there is none."""
    if mean is None or not math.isfinite(mean):
        return ABSENT
    return (
        f"{number(mean)} ± {number(sd)}" if sd is not None and math.isfinite(sd) else number(mean)
    )


def probability_text(value: float, threshold: float | None = None) -> str:
    """A probability in a table for programs: six significant digits, and more where these would
    put it on the other side of ``threshold``."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    if threshold is None:
        return next(texts)
    return next(text for text in texts if (float(text) >= threshold) == (value >= threshold))


def percent(share: float | None, places: int = 0) -> str:
    """A share as ``57%``, without a space at which a line could break; ``not known`` for NaN and
    None."""
    if share is None or not math.isfinite(share):
        return "not known"
    return f"{_fixed(100 * share, places)}%"


def percent_interval(share: Measured, places: int = 0) -> str:
    """``51–63%``, ``−3 to 9%``; empty where there is no interval."""
    if not _has_interval(share):
        return ""
    return _range(_fixed(100 * share.low, places), percent(share.high, places))


def percent_cell(share: Measured, places: int = 0) -> Cell:
    """(``57%``, ``51–63%``), or (``–``, empty)."""
    if not math.isfinite(share.value):
        return ABSENT, ""
    return percent(share.value, places), percent_interval(share, places)


def percent_brief(share: Measured, places: int = 0) -> str:
    """``57% (51–63%)``; ``an unknown share`` where it is undefined."""
    if not math.isfinite(share.value):
        return "an unknown share"
    return f"{percent(share.value, places)} ({percent_interval(share, places)})"


def amount(value: float) -> str:
    """A number of three figures at least, with a comma in the thousands."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def plural(count: int, noun: str) -> str:
    """``1 film``, ``5,856 films``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """``2.5 minutes``, ``14 s``, ``0.62 s``."""
    if seconds >= 60:
        minutes = round(seconds / 60, 1)
        return f"{minutes:,g} minute" if minutes == 1 else f"{minutes:,g} minutes"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def shortened(name: str, length: int = 48) -> str:
    """``name`` on one line of at most ``length`` characters, its middle left out where it is
    longer: what tells films apart is mostly at the end."""
    name = printable(name)
    if len(name) <= length:
        return name
    end = (length - 1) * 2 // 3
    return f"{name[: length - 1 - end]}…{name[-end:]}"


def p_value(p: float | None, adjusted: bool = False) -> str:
    """``p = 0.006``, ``p < 0.001``, ``Holm-adjusted p = 0.61``."""
    if p is None or math.isnan(p):
        return "no p"
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    return f"Holm-adjusted {said}" if adjusted else said


def listed(names: Sequence[str], word: str = "and") -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def split_name(split: object) -> str:
    """The split as a word: ``validation`` for ``val``."""
    return {"train": "training", "val": "validation"}.get(str(split), str(split))


def metric_name(key: str) -> str:
    """A metric in running text and on the terminal: ``AUROC``, ``balanced accuracy``."""
    return "AUROC" if key == "auroc" else key.replace("_", " ")


def _fixed(value: float, places: int) -> str:
    # "z": what rounds to zero has no sign.
    return f"{value:z.{places}f}".replace("-", "−")


def _range(low: str, high: str) -> str:
    return f"{low}{' to ' if low.startswith('−') else '–'}{high}"


def _has_interval(estimate: Measured) -> bool:
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def one_call(sensitivity: float, specificity: float) -> str:
    """What a model that gives every film the same answer must be told of first; else empty."""
    calls = {(1.0, 0.0): "pneumonia", (0.0, 1.0): "normal"}
    called = calls.get((sensitivity, specificity))
    if called is None:
        return ""
    return f"Every film is called {called}: at its threshold the model tells nothing apart."
