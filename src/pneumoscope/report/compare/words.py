"""Differences between runs in words: what was shown, what was not, and what remains possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pneumoscope.formatting import (
    brief,
    listed,
    number,
    p_value,
    plural,
    signed,
    signed_interval,
    split_name,
)
from pneumoscope.records import Estimate

Found = Mapping[str, Any]
ALPHA = 0.05
"""Below this, adjusted for the number of pairs, a difference is called shown."""


def verdict(pair: Found, several: bool) -> str:
    """What the films say of two runs, in two or three sentences. ``several`` pairs: p is Holm's."""
    parts = (_ranking(pair, several), _decisions(pair, several), _trade(pair))
    return " ".join(filter(None, parts))


def recipe_verdict(pair: Found, groups: Sequence[Found], several: bool) -> str:
    """What several seeds of each say of two recipes, on these films."""
    first, second = (groups[pair[key]] for key in ("first", "second"))
    names = [
        f"{group['recipe'] or 'a recipe'} ({listed(group['runs'])})" for group in (first, second)
    ]
    found = pair["differences"]["auroc"]
    if found["value"] is None:
        why = str(found["method"]).removeprefix("undefined: ")
        return f"Over their seeds {names[0]} and {names[1]} cannot be compared: {why}."
    if found["value"] < 0:
        names, found = names[::-1], _turned(found)
    size, sure = signed(found["value"]), f"({_span(found)}), {p_value(found['p_holm'], several)}"
    end = "That counts the luck of seeds and not that of the films, which each pair of runs has."
    if shown(found):
        return (
            f"Over their seeds {names[1]} has a higher mean AUROC than {names[0]} on these films: "
            f"{size} {sure}. {end}"
        )
    return (
        f"Over their seeds no difference of mean AUROC could be shown between {names[0]} and "
        f"{names[1]}: {size} for the latter {sure}. {end}"
    )


def shown(found: Found) -> bool:
    """Whether a difference or a discordance stands after adjustment."""
    return found["p_holm"] is not None and found["p_holm"] < ALPHA


def _ranking(pair: Found, several: bool) -> str:
    first, second, found = pair["first"], pair["second"], pair["differences"]["auroc"]
    if found["value"] is None:
        why = str(found["method"]).removeprefix("undefined: ")
        return f"AUROC of {first} and {second} cannot be compared: {why}."
    p = p_value(found["p_holm"], several)
    if shown(found):
        if found["value"] < 0:
            first, second, found = second, first, _turned(found)
        return (
            f"{second} ranks better than {first}: AUROC {signed(found['value'])} "
            f"({_span(found)}), {p}."
        )
    return (
        f"No difference in ranking could be shown between {first} and {second}: AUROC "
        f"{signed(found['value'])} for {second} ({_span(found)}), {p}; {_possible(second, found)}."
    )


def _possible(second: str, found: Found) -> str:
    """What the interval leaves open, so that "not shown" is not read as "equal"."""
    low, high = found["low"], found["high"]
    if low > 0 or high < 0:
        return "the interval alone leaves 0 out, the number of comparisons does not"
    return (
        f"the interval still allows {second} to be better by up to {number(high)} or worse by "
        f"up to {number(-low)}"
    )


def _turned(found: Found) -> dict[str, Any]:
    """The same difference seen from the other side."""
    turned = {"value": -found["value"], "low": -found["high"], "high": -found["low"]}
    return {**found, **turned}


def _decisions(pair: Found, several: bool) -> str:
    found = pair["decisions"]
    less, more = int(found["first_only"]), int(found["second_only"])
    count = less + more
    if not count:
        return f"They read all {plural(found['n'], 'film')} alike, right or wrong."
    ahead = pair["second"] if more > less else pair["first"]
    lead = max(less, more)
    if less == more:
        split = f"{less:,} in favour of each"
    elif lead == count:
        split = f"{'all ' if count > 1 else ''}in favour of {ahead}"
    else:
        split = f"{lead:,} in favour of {ahead}"
    end = "" if shown(found) else ": no difference in errors could be shown"
    p = p_value(found["p_holm"], several)
    return f"Their decisions differ in {plural(count, 'film')}, {split} (McNemar, {p}){end}."


def _trade(pair: Found) -> str:
    """Two runs may err equally often and yet differently: one misses, the other cries wolf."""
    found = [pair["differences"][name] for name in ("sensitivity", "specificity")]
    if not any(each["low"] is not None and each["low"] * each["high"] > 0 for each in found):
        return ""
    said = [f"{signed(each['value'])} ({_span(each)})" for each in found]
    return (
        f"At its own threshold {pair['second']} differs from {pair['first']} in sensitivity by "
        f"{said[0]} and in specificity by {said[1]}."
    )


def headline(comparison: Found) -> str:
    """Which run ranks best, against which others that was shown, and with which it did not meet."""
    runs = [run for run in comparison["runs"] if run["metrics"]["auroc"]["value"] is not None]
    if not runs:
        return "There is no AUROC: the films are of one class."
    highest = max(run["metrics"]["auroc"]["value"] for run in runs)
    leaders = [run["letter"] for run in runs if run["metrics"]["auroc"]["value"] == highest]
    if len(leaders) > 1:
        return f"{listed(leaders)} share the highest AUROC, {number(highest)}."
    best = leaders[0]
    against: dict[bool, list[str]] = {True: [], False: []}
    for pair in comparison["pairs"]:
        if best in (pair["first"], pair["second"]):
            other = pair["first"] if pair["second"] == best else pair["second"]
            against[shown(pair["differences"]["auroc"])].append(other)
    estimate = Estimate.from_json(next(r for r in runs if r["letter"] == best)["metrics"]["auroc"])
    start = f"{best} has the highest AUROC, {brief(estimate)}"
    met = {best, *against[True], *against[False]}
    apart = [run["letter"] for run in runs if run["letter"] not in met]
    rest = f"; with {listed(apart)} it was not compared" if apart else ""
    if not against[True]:
        return (
            f"{start}, but no lead over {listed(against[False], 'or') or 'others'} is shown{rest}."
        )
    end = f", not over {listed(against[False], 'or') or 'others'}" if against[False] else ""
    return f"{start}; its lead is shown over {listed(against[True])}{end}{rest}."


def remarks(comparison: Found) -> Iterator[tuple[str, str]]:
    """(lead, text) of what a reader must know before believing the differences."""
    yield "What was compared.", " ".join(_compared(comparison))
    yield "How.", " ".join(_how(comparison))
    yield "What this does not show.", " ".join(_limits(comparison))


def _compared(comparison: Found) -> Iterator[str]:
    n, positives = int(comparison["n"]), int(comparison["positives"])
    known = comparison.get("patients")
    of = f" of {known:,} patients" if known else ""
    yield (
        f"The same {plural(n, 'film')}{of} of the {split_name(comparison['split'])} split, "
        f"{positives:,} with pneumonia, read by every run. Each is judged at its own threshold, "
        "from its own metrics.json. Differences are second run less first."
    )


def _how(comparison: Found) -> Iterator[str]:
    pairs: Sequence[Found] = comparison["pairs"]
    methods = dict.fromkeys(str(p["differences"]["auroc"]["method"]) for p in pairs)
    yield f"AUROC: {'; '.join(methods)}."
    tests = dict.fromkeys(str(p["decisions"]["method"]) for p in pairs)
    yield f"Decisions: {'; '.join(tests)}."
    drawn = dict.fromkeys(str(p["differences"]["balanced_accuracy"]["method"]) for p in pairs)
    yield f"Sensitivity, specificity and accuracies: {'; '.join(drawn)}, the same for all runs."
    if len(pairs) > 1:
        yield (
            f"With {len(pairs)} pairs, p-values are adjusted by Holm’s method, those of AUROC and "
            "those of the decisions apart; intervals are not adjusted."
        )


def _limits(comparison: Found) -> Iterator[str]:
    told = "; the summary compares them over theirs" if comparison.get("recipes") else ""
    yield (
        "Another seed gives another model: two runs are two models, and whether one recipe is "
        f"better than another takes several seeds of each{told}."
    )
    split = str(comparison["split"])
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


def _span(found: Found) -> str:
    return signed_interval(Estimate.from_json(found))
