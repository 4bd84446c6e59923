"""Differences between runs in words: what was shown, what was not, and what remains possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan

from pneumoscope.evaluation.comparison import (
    Agreement,
    ComparedDecisions,
    ComparedDifference,
    ComparedPair,
    Comparison,
    RecipePair,
    SeedGroup,
)
from pneumoscope.formatting import (
    brief,
    listed,
    number,
    p_value,
    plural,
    signed,
    signed_interval,
    split_name,
    written_alike,
)
from pneumoscope.readings import Estimate
from pneumoscope.report.kit.rows import Remark

ALPHA = 0.05
"""Below this, adjusted for the number of pairs, a difference is called shown."""


def verdict(pair: ComparedPair, several: bool) -> str:
    """What the films say of two runs, in two or three sentences. ``several`` pairs: p is Holm's."""
    parts = (_ranking(pair, several), _decisions(pair, several), _classes(pair), _trade(pair))
    return " ".join(filter(None, parts))


def recipe_verdict(pair: RecipePair, groups: Sequence[SeedGroup], several: bool) -> str:
    """What several seeds of each say of two recipes."""
    both = (groups[pair.first], groups[pair.second])
    names = [f"{group.recipe or 'a recipe'} ({listed(group.runs)})" for group in both]
    found = pair.differences["auroc"]
    if isnan(found.value):
        return f"Over their seeds {names[0]} and {names[1]} cannot be compared: {_why(found)}."
    if found.value < 0:
        names, found = names[::-1], _turned(found)
    size = signed(found.value)
    sure = f"({signed_interval(found)}), {p_value(found.p_holm, several)}"
    end = "That counts the luck of seeds and that of the films."
    if shown(found):
        return (
            f"Over their seeds {names[1]} has a higher mean AUROC than {names[0]}: "
            f"{size} {sure}. {end}"
        )
    return (
        f"Over their seeds no difference of mean AUROC could be shown between {names[0]} and "
        f"{names[1]}: {size} for the latter {sure}. {end}"
    )


def shown(found: ComparedDifference | ComparedDecisions | Agreement) -> bool:
    """Whether a difference or a discordance stands after adjustment."""
    return found.p_holm is not None and found.p_holm < ALPHA


def _why(found: ComparedDifference) -> str:
    return found.method.removeprefix("undefined: ")


def _turned(found: ComparedDifference) -> ComparedDifference:
    """The same difference seen from the other side."""
    return replace(found, value=-found.value, low=-found.high, high=-found.low)


def _ranking(pair: ComparedPair, several: bool) -> str:
    first, second, found = pair.first, pair.second, pair.differences["auroc"]
    if isnan(found.value):
        return f"AUROC of {first} and {second} cannot be compared: {_why(found)}."
    p = p_value(found.p_holm, several)
    if shown(found):
        if found.value < 0:
            first, second, found = second, first, _turned(found)
        size = f"{signed(found.value)} ({signed_interval(found)})"
        if written_alike(found.value, 0):
            return (
                f"{second} ranks better than {first}, but by less than three places show: AUROC "
                f"{size}, {p}."
            )
        return f"{second} ranks better than {first}: AUROC {size}, {p}."
    if found.value == found.low == found.high == 0:
        return f"{first} and {second} rank the films alike."
    return (
        f"No difference in ranking could be shown between {first} and {second}: the AUROC of "
        f"{second} less that of {first} is {signed(found.value)} ({signed_interval(found)}), {p}; "
        f"{_possible(second, found)}."
    )


def _possible(second: str, found: ComparedDifference) -> str:
    """What the interval leaves open, so that "not shown" is not read as "equal"."""
    if found.low > 0 or found.high < 0:
        return "the interval alone leaves 0 out, the number of comparisons does not"
    return (
        f"the interval still allows {second} to be better by up to {number(found.high)} or worse "
        f"by up to {number(-found.low)}"
    )


def _decisions(pair: ComparedPair, several: bool) -> str:
    found = pair.decisions
    less, more = found.first_only, found.second_only
    count, lead = less + more, max(less, more)
    if not count:
        return f"They read all {plural(found.n, 'film')} alike, right or wrong."
    ahead = pair.second if more > less else pair.first
    if less == more:
        split = f"{less:,} in favour of each"
    elif lead == count:
        split = f"{'all ' if count > 1 else ''}in favour of {ahead}"
    else:
        split = f"{lead:,} in favour of {ahead}"
    apart = any(map(shown, found.by_class.values()))
    end = "" if apart else ": no difference in errors could be shown"
    if shown(found):
        end = f": {ahead} makes fewer errors"
    p = p_value(found.p_holm, several)
    return f"Their decisions differ in {plural(count, 'film')}, {split} (McNemar, {p}){end}."


def _classes(pair: ComparedPair) -> str:
    """Which run reads the films of which class better, where that is shown: pooled over classes,
    opposed differences cancel."""
    better: dict[str, str] = {}
    said = []
    for name, cells in pair.decisions.by_class.items():
        if shown(cells):
            less, more = sorted((cells.first_only, cells.second_only))
            better[name] = pair.second if cells.second_only > cells.first_only else pair.first
            p = p_value(cells.p_holm)
            said.append(
                f"{better[name]} reads more {name} films rightly ({more:,} against {less:,}, {p})"
            )
    if not said:
        return ""
    traded = len(set(better.values())) > 1
    return f"{'They trade: ' if traded else ''}{', '.join(said)}; McNemar by class, Holm-adjusted."


def _trade(pair: ComparedPair) -> str:
    """Two runs may err equally often and yet differently: one misses, the other cries wolf."""
    found = {name: pair.differences[name] for name in ("sensitivity", "specificity")}
    size = {name: f"{signed(each.value)} ({signed_interval(each)})" for name, each in found.items()}
    clear = [name for name, each in found.items() if each.low * each.high > 0]
    if not clear:
        return ""
    by = " and ".join(f"in {name} by {size[name]}" for name in clear)
    rest = [f"in {name} none is shown, {size[name]}" for name in found if name not in clear]
    start = f"At its own threshold {pair.second} differs from {pair.first} {by}"
    # The intervals are not adjusted for the number of tests, which may say otherwise.
    tests = [pair.decisions.by_class.get(_CLASS[name]) for name in clear]
    if any(tests) and not any(shown(each) for each in tests if each):
        rest.append("by the intervals alone, for the adjusted test of the class shows none")
    return f"{'; '.join([start, *rest])}."


_CLASS = {"sensitivity": "pneumonia", "specificity": "normal"}
"""The class on whose films each is measured."""


def headline(aurocs: Mapping[str, Estimate], pairs: Sequence[ComparedPair]) -> str:
    """Which run, by its letter, ranks best, against which others that was shown, and with which it
    did not meet."""
    known = {letter: auroc for letter, auroc in aurocs.items() if not isnan(auroc.value)}
    if not known:
        return "There is no AUROC: the films are of one class."
    highest = max(auroc.value for auroc in known.values())
    leaders = [name for name, auroc in known.items() if written_alike(auroc.value, highest)]
    if len(leaders) > 1:
        each = listed([f"{name} {brief(known[name])}" for name in leaders])
        return f"{listed(leaders)} share the highest AUROC to three places: {each}."
    best = leaders[0]
    others = {
        pair.first if pair.second == best else pair.second: shown(pair.differences["auroc"])
        for pair in pairs
        if best in (pair.first, pair.second)
    }
    beaten = listed([letter for letter, clear in others.items() if clear])
    unclear = listed([letter for letter, clear in others.items() if not clear], "or")
    apart = listed([letter for letter in known if letter != best and letter not in others])
    rest = f"; with {apart} it was not compared" if apart else ""
    start = f"{best} has the highest AUROC, {brief(known[best])}"
    if not beaten:
        return f"{start}, but no lead over {unclear or 'others'} is shown{rest}."
    end = f", not over {unclear}" if unclear else ""
    return f"{start}; its lead is shown over {beaten}{end}{rest}."


def remarks(comparison: Comparison) -> list[Remark]:
    """What a reader must know before believing the differences."""
    return [
        Remark("What was compared.", " ".join(_compared(comparison))),
        Remark("How.", " ".join(_how(comparison))),
        Remark("What this does not show.", " ".join(_limits(comparison))),
    ]


def caution(comparison: Comparison) -> Remark:
    """What stands beside the verdict: why it is not to be trusted too far."""
    return Remark("When not to trust it?", " ".join(_limits(comparison)))


def _compared(comparison: Comparison) -> Iterator[str]:
    of = f" of {comparison.patients:,} patients" if comparison.patients else ""
    yield (
        f"The same {plural(comparison.n, 'film')}{of} of the {split_name(comparison.split)} split, "
        f"{comparison.positives:,} with pneumonia, read by every run. Each is judged at its own "
        "threshold, from its own metrics.json. Differences are second run less first."
    )


def _how(comparison: Comparison) -> Iterator[str]:
    pairs = comparison.pairs
    yield f"AUROC: {_methods(pair.differences['auroc'].method for pair in pairs)}."
    yield f"Decisions: {_methods(pair.decisions.method for pair in pairs)}."
    drawn = _methods(pair.differences["balanced_accuracy"].method for pair in pairs)
    yield f"Sensitivity, specificity and accuracies: {drawn}, the same for all runs."
    if len(pairs) > 1:
        yield (
            f"With {len(pairs)} pairs, p-values are adjusted by Holm’s method, those of AUROC and "
            "those of the decisions apart; intervals are not adjusted."
        )


def _methods(names: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(names))


def _limits(comparison: Comparison) -> Iterator[str]:
    told = "; the summary compares them over theirs" if comparison.recipes else ""
    yield (
        "Another seed gives another model: two runs are two models, and whether one recipe is "
        f"better than another takes several seeds of each{told}."
    )
    split = comparison.split
    if split == "test":
        yield (
            "Whoever keeps the best of these runs because of this page has chosen on test films, "
            "and its figures are then too good: choose on validation films or judge it anew."
        )
    elif split in ("val", "train"):
        yield (
            f"These are {split_name(split)} films, on which thresholds, epochs or weights were "
            "chosen: every figure is too good, by more for a run that chose more."
        )
    yield "“Not shown” is not “equal”: the interval says how large a difference may yet be."
