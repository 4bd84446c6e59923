"""Work on all cores: in order, bounded, and what fails is heard."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pneumoscope.data import pool
from pneumoscope.data.pool import cores, in_order, pieces


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_when_early(item: int) -> int:
        time.sleep(0.002 * (5 - item % 5))
        return item * item

    assert list(in_order(slow_when_early, range(40), 4)) == [i * i for i in range(40)]


def test_never_more_than_a_few_items_are_under_way() -> None:
    taken, given = 0, 0
    most = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 200:
            taken += 1
            yield taken

    for _ in in_order(lambda item: item, items(), 2):
        given += 1
        most = max(most, taken - given)
    assert given == 200
    assert most <= 6


def test_two_workers_work_at_the_same_time() -> None:
    meet = threading.Barrier(2, timeout=10)
    assert len(list(in_order(lambda _: meet.wait(), range(6), 2))) == 6


def test_what_a_worker_raises_is_raised_here() -> None:
    def failing(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        return item

    got = []
    with pytest.raises(KeyError):
        for result in in_order(failing, range(10), 2):
            got.append(result)
    assert got == [0, 1, 2]


def test_pieces_hold_all_items() -> None:
    assert list(pieces(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(pieces([], 3)) == []


@pytest.mark.parametrize(("said", "wanted"), [("150000 100000", 2), ("max 100000", 8), ("", 8)])
def test_cores_follow_a_container_s_share(
    said: str, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(said)
    monkeypatch.setattr(pool, "_CPU_MAX", file)
    monkeypatch.setattr(pool.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert cores() == wanted
    file.unlink()
    assert cores() == 8
