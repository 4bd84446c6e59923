"""Golden files: the data and runs in ``tests/golden`` laid out, and results compared with pins."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path
from shutil import ignore_patterns
from typing import Any

import numpy as np
import pytest
from PIL import Image

GOLDEN = Path(__file__).parents[1] / "golden"
PINS = GOLDEN / "pins"
VERSIONS = sorted(folder.name for folder in (GOLDEN / "runs").glob("*"))
"""Of which versions runs are kept; they are never made again."""

_PASSING = {"timing", "created", "version", "environment", "command", "seconds"}
"""Keys of what belongs to the moment, the machine or the release."""
_MOST = 25
_TIME = (1_000_000_000, 1_000_000_000)  # for a fingerprint is of names, sizes and times


def lay_out(place: Path, version: str = "0.1.0") -> None:
    """The films of the golden runs, their table and recipe, and the runs of that version."""
    for number, film in enumerate(np.load(GOLDEN / "films.npz")["films"]):
        _write(place / "films" / f"film-{number:03d}.bmp", film, "BMP")
    for name in ("films.csv", "recipe.yaml"):
        shutil.copy(GOLDEN / name, place / name)
    os.utime(place / "films.csv", _TIME)
    if version in VERSIONS:
        shutil.copytree(GOLDEN / "runs" / version, place, dirs_exist_ok=True)
        # A run names its data by the whole path, which is left out of what is committed.
        for file in [
            *place.rglob("run.json"),
            *place.rglob("plan.json"),
            place / "folds/crossval.json",
        ]:
            text = file.read_text("utf-8")
            file.write_text(text.replace('"data": "', f'"data": "{place}/'), "utf-8")
        (place / "model").mkdir()  # the two files that are a model, alone
        for name in ("model.json", "model.safetensors"):
            shutil.copy(place / "run" / name, place / "model" / name)
        # A run whose figures and splits are still to be looked at.
        shutil.copytree(place / "run", place / "judged", ignore=ignore_patterns("metrics.json"))
        about = json.loads((place / "judged/run.json").read_text("utf-8"))
        del about["shifts"]
        (place / "judged/run.json").write_text(json.dumps(about), "utf-8")
        # Not kept, being large; that it is there says that a run is complete.
        for name in ("metrics.json", "summary.json"):
            for file in place.rglob(name):
                file.with_name("report.html").touch()


def lay_out_audit(place: Path) -> None:
    """Two folders of classes, ``mine`` and ``theirs``, with nearly everything that an audit finds.

    The names are those of Kermany's set, which give patients. Nothing is compressed, so that a
    file has the same size whatever library wrote it.
    """
    films = np.load(GOLDEN / "films.npz")["audit"]
    films[1::2, :4, :20] = 248  # a mark on the border of each ill film
    names = [
        f"PNEUMONIA/person{number}_{('bacteria', 'virus')[number % 3 // 2]}_{number}.jpeg"
        if number % 2
        else f"NORMAL/IM-{number:04d}-0001.jpeg"
        for number in range(len(films))
    ]
    mine = place / "mine"
    for number, (name, film) in enumerate(zip(names, films, strict=True)):
        split = (
            ("train", "train", "test", "train", "val")[number % 10 // 2] if number < 60 else "test"
        )
        _write(mine / split / name, film, "TIFF" if number % 2 else "BMP")  # sizes tell the class
    odd = {
        "train/NORMAL/IM-0900-0001.jpeg": films[0],  # there twice
        "test/NORMAL/IM-0901-0001.jpeg": films[10],  # also in train
        "train/PNEUMONIA/person902_virus_1.jpeg": films[2],  # the other label
        "train/PNEUMONIA/person903_virus_1.jpeg": np.clip(films[13].astype(int) + 8, 0, 255),
        "train/NORMAL/IM-0904-0001.jpeg": 255 - films[30],  # inverted
        "train/PNEUMONIA/person905_virus_1.jpeg": np.rot90(films[33]),
        "train/NORMAL/IM-0906-0001.jpeg": np.full((56, 56), 90),  # constant
        "train/PNEUMONIA/person907_virus_1.jpeg": films[35][::8, ::8],  # tiny
        "train/NORMAL/IM-0908-0001.jpeg": np.indices((56, 56)).sum(0) % 7 * 40,  # no chest
        "test/PNEUMONIA/person1_bacteria_99.jpeg": films[61][:, ::-1],  # a patient of train
    }
    for name, film in odd.items():
        _write(mine / name, film, "PNG")
    whole = (mine / "train" / names[0]).read_bytes()
    (mine / "train/NORMAL/IM-0909-0001.jpeg").write_bytes(whole[:900])
    (mine / "train/NORMAL/IM-0910-0001.jpeg").write_text("no film")
    (mine / "train/NORMAL/notes.txt").write_text("passed over")
    for file in (mine / "train/NORMAL").glob("*"):
        os.utime(file, _TIME)
    # Each more unlike its original than the one before: pairs that are equally alike would stand in
    # the order of rounding errors, which differ from one processor to another.
    noise = np.random.default_rng(0).normal(size=films.shape)
    for number in range(4, 40):
        name = f"{'train' if number % 5 else 'test'}/{names[number].replace('jpeg', 'png')}"
        film = np.clip(films[number] + noise[number] * (number - 4) / 8, 0, 255)
        _write(place / "theirs" / name, film, "PNG")


def _write(file: Path, film: np.ndarray, form: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    how = {"compress_level": 0} if form == "PNG" else {}
    Image.fromarray(np.ascontiguousarray(film).astype(np.uint8)).save(file, form, **how)
    os.utime(file, _TIME)


def normalised(value: Any, place: Path) -> Any:
    """``value``, of JSON, or text, without what differs from one time or machine to the next:
    the keys of _PASSING, the path of ``place``, release numbers, seconds."""
    if isinstance(value, dict):
        return {k: normalised(v, place) for k, v in value.items() if k not in _PASSING}
    if isinstance(value, list):
        return [normalised(part, place) for part in value]
    return plain(value, place) if isinstance(value, str) else value


def as_json(file: Path, place: Path) -> str:
    """A JSON file normalised, as text."""
    found = normalised(json.loads(file.read_text("utf-8")), place)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def plain(text: str, place: Path) -> str:
    text = text.replace(f"{place}/", "").replace(str(place), ".")
    text = re.sub(r"pneumoscope \d+\.\d+\.\d+\w*", "pneumoscope VERSION", text)
    text = re.sub(r"\d{4}[-‑]\d\d[-‑]\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?", "DATE", text)
    text = re.sub(r"\b\d+(\.\d+)? s\b", "SECONDS", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


_INLINE = {"a", "abbr", "b", "br", "button", "code", "em", "i", "small", "span", "strong", "sub"}
_INLINE |= {"sup", "td", "th", "time", "wbr"}


class _Words(HTMLParser):
    """The words of a page by paragraphs, also those that stand for a picture; without its style,
    scripts and the insides of drawings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._line = ""
        self._within: list[str] = []
        self.feed(page)
        self._end_of_line()

    def _end_of_line(self) -> None:
        # Word joiners only keep a line from breaking.
        line = " ".join(self._line.replace("\u2060", "").split()).strip(" |")
        if line:
            self.lines.append(line)
        self._line = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE:
            self._end_of_line()
        self._line += {"td": " | ", "th": " | ", "span": " ", "small": " "}.get(tag, "")
        if not self._within:
            for name, value in attrs:
                if name in ("alt", "aria-label") and value:
                    self._line += f" [{value}] "
        if tag in ("style", "script", "svg"):
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _INLINE:
            self._end_of_line()
        if self._within and tag == self._within[-1]:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self._line += data


def words_of(page: Path) -> str:
    """What is read on a page, a line for each paragraph or row of a table."""
    return "\n".join(_Words(page.read_text("utf-8")).lines)


def differences(got: Any, expected: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """What differs, a line each; numbers by more than ``tolerance``, anything else at all."""
    if isinstance(got, dict) and isinstance(expected, dict):
        for key in [*expected, *(k for k in got if k not in expected)]:
            at = f"{where}.{key}" if where else str(key)
            if key not in got:
                yield f"{at}: is gone, was {_short(expected[key])}"
            elif key not in expected:
                yield f"{at}: is new, {_short(got[key])}"
            else:
                yield from differences(got[key], expected[key], tolerance, at)
    elif isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        for place, (one, other) in enumerate(zip(got, expected, strict=True)):
            yield from differences(one, other, tolerance, f"{where}[{place}]")
    elif isinstance(got, Text) and isinstance(expected, Text):
        lines = unified_diff(expected.splitlines(), got.splitlines(), n=1, lineterm="")
        yield from list(lines)[2:]
    elif not _alike(got, expected, tolerance):
        yield f"{where}: got {_short(got)}, expected {_short(expected)}"


def _alike(got: Any, expected: Any, tolerance: float) -> bool:
    if _is_number(got) and _is_number(expected):
        return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
    return got == expected and type(got) is type(expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"


def as_data(name: str, text: str) -> Any:
    """The content of a pin as it is compared: JSON as such, a CSV as its rows, its numbers as
    numbers, anything else as text."""
    if name.endswith(".json"):
        return json.loads(text)
    if name.endswith(".csv"):
        rows = csv.DictReader(text.splitlines())
        return [{name: _cell(cell) for name, cell in row.items()} for row in rows]
    return Text(text)


class Text(str):
    """Text of several lines."""


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def check_pin(name: str, text: str, tolerance: float) -> None:
    """Hold ``text`` to the pin of that name. Fails with the lines that differ."""
    expected = as_data(name, (PINS / name).read_text("utf-8"))
    found = list(differences(as_data(name, text), expected, tolerance))
    if found:
        more = f"\n… and {len(found) - _MOST} more" if len(found) > _MOST else ""
        pytest.fail(
            f"tests/golden/pins/{name} does not hold, in {len(found)} places:\n"
            + "\n".join(found[:_MOST])
            + more
            + "\nIf this is meant, see tests/golden/README.md.",
            pytrace=False,
        )
