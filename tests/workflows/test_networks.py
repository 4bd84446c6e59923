"""Networks at hand: the same answers from this process and from a second one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from pneumoscope.errors import UnreadableData
from pneumoscope.listener import Silent
from pneumoscope.workflows import networks
from pneumoscope.workflows.networks import Apart, Here, apart


class Heard(Silent):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self.told.append((done, total, unit))

    def note(self, text: str) -> None:
        self.told.append(text)


def load(*words: str) -> Any:
    """Stands for bundles."""
    if not words:
        raise UnreadableData("the weights are damaged", got="model.safetensors")
    return words


def count(bundles: Sequence[str], more: int, listener: Any) -> tuple[int, tuple[str, ...]]:
    listener.note("counting")
    listener.progress(1, more, unit="film")
    return os.getpid(), (*bundles, str(more))


def refuse(bundles: Sequence[str], listener: Any) -> None:
    raise UnreadableData("no film is left", got=3, remedy="add some")


def give_up(bundles: Sequence[str], listener: Any) -> None:
    os._exit(7)


@pytest.fixture(scope="module")
def second() -> Iterator[Apart]:
    found = Apart(partial(load, "a", "b"))
    yield found
    found.close()


def test_a_second_process_answers_as_this_one_does(second: Apart) -> None:
    here, there = Heard(), Heard()
    own, answer = Here(partial(load, "a", "b")).begin(count, 5, listener=here)()
    begun = second.begin(count, 5, listener=there)
    assert there.told == []
    other, same = begun()
    assert own == os.getpid() != other
    assert answer == same == ("a", "b", "5")
    assert here.told == there.told == ["counting", (1, 5, "film")]


def test_what_a_task_raises_is_raised_here(second: Apart) -> None:
    with pytest.raises(UnreadableData) as raised:
        second.begin(refuse, listener=Silent())()
    assert raised.value.got == 3 and raised.value.remedy == "add some"
    assert second.begin(count, 1, listener=Silent())()[1] == ("a", "b", "1")


def test_a_model_that_cannot_be_loaded_is_said_when_it_is_asked_for() -> None:
    found = Apart(load)
    with pytest.raises(UnreadableData, match="the weights are damaged"):
        found.begin(count, 1, listener=Silent())()
    found.close()


def test_a_process_that_ended_early_is_said() -> None:
    found = Apart(partial(load, "a"))
    for task in (give_up, count):
        with pytest.raises(RuntimeError, match="ended before it was done"):
            found.begin(task, *((1,) if task is count else ()), listener=Silent())()
    found.close()


def test_no_second_process_where_it_saves_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "Apart", lambda load: "started")
    monkeypatch.setattr(networks, "cores", lambda: 2)
    monkeypatch.setitem(sys.modules, "torch", object())  # type: ignore[arg-type]
    assert apart(load) is None
    monkeypatch.delitem(sys.modules, "torch")
    assert apart(load) == "started"
    monkeypatch.setattr(networks, "cores", lambda: 1)
    assert apart(load) is None
