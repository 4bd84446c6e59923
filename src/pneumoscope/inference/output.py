"""Output of readings: CSV and JSON written row by row, in files that appear when they are whole."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO
from uuid import uuid4

from pneumoscope.errors import OutputExists
from pneumoscope.formatting import probability_text
from pneumoscope.readings import Reading
from pneumoscope.storage import writing

STDOUT = "-"
AddReading = Callable[[Reading], None]

_COLUMNS = (
    "name",
    "probability",
    "logit",
    "decision",
    "operating_point",
    "threshold",
    "abstained",
    "findings",
    "error",
    "scale",
)


@contextmanager
def csv_rows(name: str) -> Iterator[AddReading]:
    """Writes a row a reading into the new file ``name``: RFC 4180 with ``\\n`` line ends, findings
    joined by ``;``, nothing where there is nothing. Probabilities have six significant digits, and
    more where these would put one on the other side of its threshold; logits and thresholds have
    the fewest that read back as they were."""
    with new_text(name) as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write(_COLUMNS)

        def add(reading: Reading) -> None:
            point = reading.operating_point
            write(
                (
                    reading.name,
                    _chance(reading),
                    reading.logit,
                    reading.decision,
                    point.name if point else None,
                    point.threshold if point else None,
                    str(reading.abstained).lower(),
                    ";".join(reading.findings),
                    reading.error,
                    reading.scale,
                )
            )

        yield add


@contextmanager
def json_rows(name: str) -> Iterator[AddReading]:
    """Writes one JSON array of readings, a line each, into the new file ``name``."""
    with new_text(name) as file:
        before = "[\n"

        def add(reading: Reading) -> None:
            nonlocal before
            text = json.dumps(reading.to_json(), ensure_ascii=False, allow_nan=False)
            file.write(before + text)
            before = ",\n"

        yield add
        file.write("[]\n" if before == "[\n" else "\n]\n")


@contextmanager
def new_text(name: str) -> Iterator[IO[str]]:
    """A file that appears under ``name`` only when it is whole, UTF-8 whatever the locale; ``-``
    is standard output. Raises OutputExists, OutputNotWritable."""
    if name == STDOUT:
        with _standard_output() as out:
            yield out
        return
    target = Path(name)
    draft = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}.tmp")
    with writing(target):
        try:
            with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                yield file
            _check_absent(name)
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)


def check_new_text(name: str) -> None:
    """Refuse, before any work, what ``new_text`` would refuse in the end."""
    if name != STDOUT:
        with writing(Path(name)):
            _check_absent(name)


def _check_absent(name: str) -> None:
    target = Path(name)
    if target.exists() or target.is_symlink():
        raise OutputExists(
            "the file is there already, and nothing is ever overwritten",
            got=name,
            remedy="name another file, or delete this one",
        )


@contextmanager
def _standard_output() -> Iterator[IO[str]]:
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        yield sys.stdout
        return
    sys.stdout.flush()
    out = TextIOWrapper(raw, "utf-8", errors="backslashreplace", newline="", write_through=True)
    try:
        yield out
    finally:
        out.detach()  # else standard output would be closed with it


def _chance(reading: Reading) -> str | None:
    point = reading.operating_point
    if reading.probability is None:
        return None
    return probability_text(reading.probability, point.threshold if point else None)
