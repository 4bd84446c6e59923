"""What came of an explanation, in sentences."""

from __future__ import annotations

from pneumoscope.explain.explanation import Explanation, SanityCheck
from pneumoscope.explain.localise import Localisation
from pneumoscope.formatting import listed, number, percent, percent_interval

SAME = 0.95
"""Rank correlation from which two maps are said to be the same."""

CAUTION = (
    "A heatmap shows where the network looks, not why, and not that it is right. It is no outline "
    "of the disease. Heat is relative to the hottest pixel of its own film."
)


def location_words(title: str, pointing: Localisation, count: int) -> str:
    """One sentence on where the hottest point lies, and one on what that is worth."""
    value, chance, prior = pointing.value, pointing.chance, pointing.prior
    said = (
        f"{title}'s maximum lies inside the abnormality in {percent(value.value)} "
        f"({percent_interval(value)}) of {count:,} true positives; "
        f"chance {percent(chance.value)}, a fixed location prior {percent(prior.value)}."
    )
    return f"{said} {_worth(pointing)}"


def _worth(pointing: Localisation) -> str:
    chance, prior = pointing.above_chance, pointing.above_prior
    if not chance.low > 0:
        return "That is not shown to be better than chance."
    if prior.high < 0:
        return "That is worse than a map that looks at no film."
    if prior.low <= 0:
        return "That is better than chance, but not shown to be better than a fixed place."
    return "That is better than both."


def sane(title: str, check: SanityCheck) -> str:
    """Whether the map depends on what was learnt, in words."""
    numbers = ", ".join(f"{each.level} {number(each.rank, 2)}" for each in check.levels)
    does, end = ("changes", "passed") if check.passed else ("hardly changes", "not passed")
    said = (
        f"{title}: the map {does} when weights are randomised: {end} "
        f"(rank correlation with the trained map: {numbers})."
    )
    if not check.passed:
        return f"{said} It shows the film more than what the network has learnt."
    if any(each.level == "head" and each.rank >= SAME for each in check.levels):
        said += (
            " It does not change with the last layer: it shows what the network sees, not what "
            "speaks for pneumonia."
        )
    return said


def headline(found: Explanation) -> list[str]:
    """The lines at the head of the page: the first method's place, and which methods passed."""
    lines = located_lines(found)[:1]
    for passed, verb in ((True, "change, as they must"), (False, "hardly change")):
        names = [
            found.titles[name] for name, check in found.sanity.items() if check.passed == passed
        ]
        if names:
            lines.append(
                f"When the weights are randomised, maps by {listed(names)} {verb}: "
                f"{'passed' if passed else 'not passed, so do not rely on them'}."
            )
    return lines


def located_lines(found: Explanation) -> list[str]:
    """A sentence for each method on where it points; none where the truth is not known."""
    check = found.localisation
    if not check:
        return []
    measured = check.methods.items()
    return [location_words(found.titles[name], m["pointing"], check.films) for name, m in measured]


def sane_lines(found: Explanation) -> list[str]:
    """A sentence for each method on whether its map depends on the weights."""
    return [sane(found.titles[name], check) for name, check in found.sanity.items()]


def summary(found: Explanation) -> list[str]:
    """What came of every method, in sentences: where it points, and its sanity check."""
    return [*located_lines(found), *sane_lines(found)]
