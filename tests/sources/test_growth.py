"""Time to open a set grows with its films, not with their square."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest
from pneumoscope.sources.detect import open_source

SMALL, LARGE, MOST = 5_000, 20_000, 5.5
"""Four times as many films may take so many times as long."""


def _folder(root: Path, films: int) -> Path:
    for i in range(films):
        file = root / ("NORMAL", "PNEUMONIA")[i % 2] / f"person{i // 2}_{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def _table(root: Path, films: int) -> Path:
    rows = ["Image Index,Finding Labels,Patient ID,Patient Age"]
    (root / "images").mkdir(parents=True)
    for i in range(films):
        name = f"{i // 3:08d}_{i % 3:03d}.png"
        (root / "images" / name).touch()
        label = "Pneumonia|Effusion" if i % 3 == 0 else "No Finding"
        rows.append(f"{name},{label},{i // 3},{40 + i % 30}")
    (root / "table.csv").write_text("\n".join(rows))
    return root / "table.csv"


@pytest.mark.slow
@pytest.mark.parametrize("make", [_folder, _table])
def test_opening_grows_with_the_films(make: Callable[[Path, int], Path], tmp_path: Path) -> None:
    def seconds(films: int) -> float:
        data = make(tmp_path / str(films), films)
        request = DataRequest(str(data), classes={"other": "ignore", "effusion": "ignore"})
        took = []
        for _ in range(3):
            gc.collect()
            gc.disable()  # it goes through all that other tests left behind, and grows with that
            try:
                start = time.process_time()
                assert open_source(request, tmp_path, Silent()).count == films
                took.append(time.process_time() - start)
            finally:
                gc.enable()
        return min(took)

    assert seconds(LARGE) < MOST * seconds(SMALL)
