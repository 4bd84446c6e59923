"""What a reviewer asks beyond accuracy, in words and rows: each section's sentences and tables.

Everything is read from metrics.json; a run judged before a part existed simply lacks it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pneumoscope.formatting import (
    Cell,
    brief,
    cell,
    full,
    number,
    percent,
    percent_interval,
    split_name,
)
from pneumoscope.records import Estimate
from pneumoscope.report.run.folder import Judged
from pneumoscope.report.run.summary import shortcut_findings

Found = Mapping[str, Any]
_estimate = Estimate.from_json

RULES = {
    "youden": "largest sensitivity + specificity",
    "youden_smooth": "largest sensitivity + specificity, of smoothed rates",
    "f1": "largest F1",
    "fixed": "fixed beforehand",
    "re-chosen": "chosen on these films",
}


@dataclass(frozen=True, slots=True)
class PointRow:
    """An operating point as printed: name, rule, threshold, (value, interval) of four shares."""

    name: str
    rule: str
    threshold: str
    cells: tuple[Cell, ...]
    own: bool
    optimistic: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A subgroup as printed; a cell is (value, interval) or the reason why there is none."""

    fact: str
    name: str
    n: int
    positives: int
    cells: tuple[Cell, ...]


def sentences(judged: Judged) -> list[tuple[str, str]]:
    """(lead, text) of each part that was judged, one or two sentences each."""
    parts = (
        ("Calibration.", calibration_words(judged)),
        ("Prevalence.", prevalence_words(judged)),
        ("Net benefit.", decision_words(judged)),
        ("Subgroups.", subgroup_words(judged)),
        ("Abstention.", abstention_words(judged)),
        ("Shortcuts.", shortcut_words(judged)),
    )
    return [(lead, text) for lead, text in parts if text]


def shortcut_words(judged: Judged) -> str:
    """What the model reaches on films of which a part is hidden, and what that means."""
    found = judged.metrics.get("shortcuts")
    if not found:
        return ""
    names = {
        "full": "full films",
        "border": "the outer tenth alone",
        "centre": "all but the outer tenth",
        "thumbnail": "thumbnails of 8 × 8 cells",
    }
    reached = [f"{full(_estimate(each['auroc']))} on {names[each['variant']]}" for each in found]
    return " ".join([f"AUROC is {', '.join(reached)}.", *shortcut_findings(judged)])


def point_rows(judged: Judged) -> list[PointRow]:
    """The operating points, the deciding one first, a re-chosen one last."""
    points = [*judged.metrics.get("operating_points", ())]
    again = judged.metrics.get("re_chosen")
    points += [again] if again else []
    return [
        PointRow(
            name=str(point["name"]).replace("_", " "),
            rule=RULES.get(str(point["name"]), str(point["rule"])),
            threshold=number(float(point["threshold"])),
            cells=tuple(
                cell(_estimate(point[key]))
                for key in ("sensitivity", "specificity", "precision", "npv")
            ),
            own=at == 0,
            optimistic=point is again,
        )
        for at, point in enumerate(points)
    ]


def calibration_rows(judged: Judged) -> list[tuple[str, str, list[Cell]]]:
    """(title, what is best, [(value, interval) as given, and at the temperature])."""
    found = judged.metrics.get("calibration")
    if not found:
        return []
    names = (
        ("slope", "Slope", "1; below it the probabilities are too extreme"),
        ("intercept", "Intercept", "0, beside a slope of 1"),
        ("in_the_large", "Calibration in the large", "0; below it they are too high on average"),
        ("ece", "ECE", "0"),
        ("brier", "Brier score", "0"),
        ("log_loss", "Log loss", "0"),
    )
    columns = [part for part in (found["before"], found["after"]) if part]
    return [
        (title, best, [cell(_estimate(column[key])) for column in columns])
        for key, title, best in names
    ]


def calibration_words(judged: Judged) -> str:
    """Whether the probabilities are shown to be off, the temperature, and what it changes."""
    found = judged.metrics.get("calibration")
    if not found:
        return ""
    slope = _estimate(found["before"]["slope"])
    large = _estimate(found["before"]["in_the_large"])
    said = ""
    if math.isfinite(slope.value):
        kinds = [*_off(slope, 1, "too extreme", "too cautious")]
        kinds += _off(large, 0, "too high on average", "too low on average")
        said = (
            f"As given, the probabilities are {' and '.join(kinds)}"
            if kinds
            else "The probabilities as given are not shown to be off"
        )
        said += f": calibration slope {full(slope)}, in the large {brief(large)}. "
    if not found["after"]:
        why = _apart(judged)
        return said + f"No temperature {f'was fitted: {why}' if why else 'could be fitted'}."
    before, after = (
        _estimate(found["before"]["ece"]),
        _estimate(found["after"]["ece"]),
    )
    return (
        f"{said}A temperature of {found['temperature']:.2f}, fitted on the "
        f"{split_name(found['chosen_on'])} split, takes the ECE from {brief(before)} to "
        f"{brief(after)}; no decision changes by it."
    )


def _apart(judged: Judged) -> str:
    """Why nothing is fitted for several models that answer together; empty for one model."""
    members = int(judged.run.get("members", 1))
    if members == 1:
        return ""
    return f"the {members} models whose mean is judged have no validation films in common"


def _off(found: Estimate, right: float, below: str, above: str) -> list[str]:
    """What the interval says where it leaves the right value out; nothing where it does not."""
    return [below] * (found.high < right) + [above] * (found.low > right)


def prevalence_words(judged: Judged) -> str:
    """What calls are worth at the prevalence that was asked for, or at 10 %."""
    found = judged.metrics.get("prevalence")
    if not found:
        return ""
    wanted = found["asked"] or 0.1
    row = min(found["at"], key=lambda item: abs(item["prevalence"] - wanted))
    ppv, npv = _estimate(row["ppv"]), _estimate(row["npv"])
    said = f"Where {row['prevalence'] * 100:.3g}% of films show pneumonia, "
    if math.isfinite(ppv.value):
        said += f"a call of pneumonia is right {_share(ppv)} of the time"
    if math.isfinite(npv.value):
        said += f"{' and' if math.isfinite(ppv.value) else ''} a call of normal {_share(npv)}"
    return said + f"; here {found['own']:.1%} of films do."


def decision_words(judged: Judged) -> str:
    """Where acting on the model is better than acting on all films or none."""
    found = judged.metrics.get("decision_curve")
    if not found:
        return ""
    spans = [span for span in found["better"] if span[1] - span[0] >= 0.05]
    if not spans:
        return (
            "At no threshold probability is acting on the model shown to be better than acting "
            "on every film or on none."
        )
    said = " and ".join(f"{low:.2f} to {high:.2f}" for low, high in spans)
    return (
        f"Acting on the model is better than acting on every film or on none for those who act "
        f"from a probability of {said} on (the whole band lies above both)."
    )


def subgroup_rows(judged: Judged) -> list[GroupRow]:
    """Every group of every fact, in the order of metrics.json."""
    found = judged.metrics.get("subgroups") or {"facts": []}
    return [
        GroupRow(
            fact=fact["title"],
            name=group["name"],
            n=int(group["n"]),
            positives=int(group["positives"]),
            cells=tuple(_group_cell(group, key) for key in ("auroc", "sensitivity", "specificity")),
        )
        for fact in found["facts"]
        for group in fact["groups"]
    ]


def _group_cell(group: Found, key: str) -> Cell:
    if group[key] is not None:
        return cell(_estimate(group[key]))
    needs = {"auroc": ("pneumonia", "normal"), "sensitivity": ("pneumonia",)}
    wanted = needs.get(key, ("normal",))
    return ("too few", "") if any(name in group["too_few"] for name in wanted) else ("–", "")


def subgroup_words(judged: Judged) -> str:
    """The group that fares worst in sensitivity and in specificity, where intervals show it."""
    found = judged.metrics.get("subgroups")
    if not found or not found["facts"]:
        return ""
    said = [text for key in ("sensitivity", "specificity") for text in _worst(judged, found, key)]
    count = sum(len(fact["groups"]) for fact in found["facts"])
    if not said:
        return f"Of {count} groups not one is shown to fare worse than all films together."
    few = "; with so many groups one such finding may be chance" if count >= 10 else ""
    said[1:] = [text[0].lower() + text[1:] for text in said[1:]]
    return "; ".join(said) + f" (of {count} groups{few})."


def _worst(judged: Judged, found: Found, key: str) -> Iterator[str]:
    whole = judged.estimate(key)
    shown = [
        (_estimate(group[key]), fact["title"], group["name"])
        for fact in found["facts"]
        for group in fact["groups"]
        if group[key] is not None
    ]
    if whole is None or not shown:
        return
    worst, fact, name = min(shown, key=lambda item: item[0].value)
    if worst.high < whole.value:
        yield (
            f"{key.capitalize()} is lowest where {fact} is {name}: {brief(worst)} "
            f"against {number(whole.value)} of all"
        )


def abstention_words(judged: Judged) -> str:
    """What is withheld at the carried thresholds, and whether the guarantee holds here."""
    found = (judged.metrics.get("abstention") or {}).get("conformal")
    if not found:
        return ""
    wrong, before = _estimate(found["wrong"]), _estimate(found["wrong_without"])
    total = found["withheld"] + found["read"]
    said = (
        f"At a miss rate of {found['miss_rate']:g} for each class, {found['withheld']:,} of "
        f"{total:,} films are left to a person; of the others {_share(wrong)} are misread, "
        f"against {_share(before)} with none left out."
    )
    # The guarantee is a mean over validation sets: of one set the true share strays by ``spread``.
    kinds = (("missed", "missed pneumonia", "pneumonia"), ("alarms", "false alarms", "normal"))
    broken = [
        f"{what} ({_share(_estimate(found[key]))})"
        for key, what, label in kinds
        if (_estimate(found[key]).low or 0) > found["miss_rate"] + 2 * found["spread"][label]
    ]
    if broken:
        said += (
            f" The guarantee does not hold on these films for {' and '.join(broken)}: they are not "
            "like the validation films."
        )
    return said


def no_abstention_words(judged: Judged) -> str:
    """Why no film is withheld."""
    why = _apart(judged) or "it needs validation films of both classes"
    return f"Abstention was not fitted: {why}."


def _share(estimate: Estimate) -> str:
    """``12.3% (10.1–14.9%)``."""
    if not math.isfinite(estimate.value):
        return "an unknown share"
    return f"{percent(estimate.value, 1)} ({percent_interval(estimate, 1)})"
