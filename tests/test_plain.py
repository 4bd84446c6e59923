"""Records as JSON and back: what is written is what was there, and damage is told."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from pneumoscope.plain import from_plain, to_plain
from pneumoscope.readings import Estimate


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    share: float
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True)
class Outer:
    count: int
    auroc: Estimate | None
    parts: tuple[Inner, ...]
    pair: tuple[str, int]
    by_split: Mapping[str, Inner]
    known: bool
    seconds: float | None = None


WHOLE = Outer(
    3,
    Estimate(0.9, math.nan, 1.0, 0.95, "DeLong", 3),
    (Inner("x", 0.5), Inner("y", math.inf, "b")),
    ("test", 2),
    {"train": Inner("z", 1.0)},
    True,
)


def test_a_record_comes_back_from_its_json() -> None:
    written = json.dumps(to_plain(WHOLE), allow_nan=False)
    found = from_plain(Outer, json.loads(written))
    assert json.dumps(to_plain(found)) == written
    assert found.parts[0] == WHOLE.parts[0] and found.pair == ("test", 2)
    assert math.isnan(found.parts[1].share) and found.seconds is None
    assert isinstance(found.auroc, Estimate) and math.isnan(found.auroc.low)


def test_keys_stand_in_the_order_of_the_fields() -> None:
    assert list(to_plain(WHOLE)) == [
        *("count", "auroc", "parts", "pair", "by_split", "known", "seconds")
    ]
    assert to_plain(WHOLE)["parts"][1] == {"name": "y", "share": None, "kind": "b"}


def test_what_is_not_known_is_passed_over_and_a_default_stands_in() -> None:
    assert from_plain(Inner, {"name": "x", "share": 1, "new": 7}) == Inner("x", 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": "3"}, "count: '3' in place of a int"),
        ({"count": True}, "count: True in place of a int"),
        ({"auroc": 0.9}, "auroc: 0.9 in place of a dict"),
        ({"auroc": {"value": "much"}}, "auroc: could not convert string to float: 'much'"),
        ({"parts": None}, "parts: None in place of a list"),
        ({"by_split": []}, "by_split: [] in place of a dict"),
        ({"parts": [{"share": 0.5}]}, "parts: no 'name'"),
        ({"parts": [{"name": "x", "share": "much"}]}, "parts: share: 'much' in place of a float"),
    ],
)
def test_damage_is_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=": ") as caught:
        from_plain(Outer, to_plain(WHOLE) | change)
    assert str(caught.value) == said
