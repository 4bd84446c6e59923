"""Lines of a long measurement, each kept as soon as it is measured, so that it may be stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Kept:
    """A file of lines, each under a key, measured once."""

    file: Path

    def line(self, key: str, measure: Callable[..., dict[str, Any]], *given: Any) -> None:
        done = self.file.read_text().splitlines() if self.file.is_file() else []
        if any(json.loads(each)["key"] == key for each in done):
            return
        found = {"key": key, **measure(*given)}
        with self.file.open("a") as out:
            out.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)
