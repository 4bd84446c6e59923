"""Lost films: those that should be there and cannot be used, by reason and class.

A source that lost too much is refused, and a remedy is offered only where it does no harm.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping

import pandas as pd

from pneumoscope.data.draft import reasons
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import UnreadableData
from pneumoscope.manifest import PreparedManifest
from pneumoscope.records import CLASSES
from pneumoscope.sources.listed import CLASS_IGNORED, FOLDER_IGNORED, IN_ANOTHER

_MOST = 0.5
_UNEVEN, _MANY = 3, 10
"""How many times the part of one class that is lost may exceed that of the other, from so many
films on."""

MOST_BAD = 0.05
"""A source of which more than this part cannot be read is refused."""


def check_bad(prepared: PreparedSet, most_bad: float) -> PreparedSet:
    """Refuse a set of which too much is lost. The way to allow it is told only where what is left
    has both classes, and neither lost much more of its films than the other."""
    flow = prepared.about["flow"]
    lost = lost_by_class(prepared.about)
    bad = sum(sum(counts.values()) for counts in lost.values())
    # What the user chose to ignore is there all the same: it makes no other film rarer.
    passed = prepared.about["source"].get("passed_over", {})
    found = flow["kept"] + bad + sum(passed.get(why, 0) for why in (CLASS_IGNORED, FOLDER_IGNORED))
    if bad <= most_bad * max(found, 1) and flow["kept"]:
        return prepared
    shown = "; ".join(
        f"{sum(counts.values())} × {reason} ({_told(counts)})"
        if len(lost) < 4
        else f"{sum(counts.values())} × {reason}"
        for reason, counts in list(lost.items())[:5]
    )
    remedy = f"they are listed in {prepared.folder / 'dropped.csv'}"
    enough = math.ceil(100 * bad / max(found, 1)) / 100
    harm = _harm(prepared.table, lost, bad / max(found, 1))
    allow = ("--set", f"data.most_bad={enough}")
    if harm or not flow["kept"]:
        remedy += f"; {harm}" if harm else ""
    else:
        remedy += f"; {shlex.join(allow)} allows as many"
    raise UnreadableData(
        f"{bad} of {found} films of {prepared.about['source']['name']} cannot be used",
        got=shown or "no film",
        expected=f"at most {most_bad:.0%}" if flow["kept"] else "films that can be read",
        remedy=remedy,
        answer=() if harm or not flow["kept"] else allow,
    )


def lost_by_class(about: PreparedManifest) -> dict[str, dict[str, int]]:
    """Films that should be there and cannot be used, by reason and class: those that could not be
    read, the most frequent reason first, and those that the source lost."""
    dropped = about["flow"].get("dropped_by_class") or {
        entry["reason"]: {"unknown": entry["count"]} for entry in about["flow"]["dropped"]
    }
    lost = {reason: dict(counts) for reason, counts in dropped.items()}
    return lost | {r: dict(counts) for r, counts in about["source"].get("lost", {}).items()}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _harm(table: pd.DataFrame, lost: Mapping[str, Mapping[str, int]], part: float) -> str:
    """Why what is left, without the ``part`` that is lost, would mislead: no training film, most
    films gone, or known to another table, a class that is gone, or that lost far more than the
    other; empty where it would not."""
    split = table["split"].dropna()
    if len(split) == len(table) and "train" not in set(split):
        return "no training film is left"
    if elsewhere := [reason for reason in lost if reason.startswith(IN_ANOTHER)]:
        other = elsewhere[0].removeprefix(IN_ANOTHER).strip()
        return f"{other} names them: name that one, or put the rows of both into one table"
    if part > _MOST:
        return "they are more than half: mend the cause"
    gone = {name: sum(counts.get(name, 0) for counts in lost.values()) for name in CLASSES}
    left = {name: int((table["label"] == label).sum()) for label, name in enumerate(CLASSES)}
    if not any(gone.values()) or not any(left.values()):
        return ""
    for name in CLASSES:
        if not left[name] and gone[name]:
            return f"without them no {name} film is left"
    parts = [gone[name] / max(gone[name] + left[name], 1) for name in CLASSES]
    if max(parts) > _UNEVEN * min(parts) and max(gone.values()) >= _MANY:
        worse = CLASSES[parts.index(max(parts))]
        return (
            f"{max(parts):.0%} of the {worse} films are among them, so a model of the rest would "
            "learn what made them unreadable: mend the cause"
        )
    return ""


def by_class(dropped: list[dict[str, str]]) -> dict[str, dict[str, int]]:
    """How often each reason occurs in each class."""
    found: dict[str, Counter[str]] = {}
    for entry in reasons(dropped):
        counts = Counter(d["class"] for d in dropped if d["reason"] == entry["reason"])
        found[entry["reason"]] = counts
    return {reason: dict(counts) for reason, counts in found.items()}
