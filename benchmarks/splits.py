"""Which films a change moves from one split to another.

    python benchmarks/splits.py plan before.json DATA ...     # with the older version on PYTHONPATH
    python benchmarks/splits.py plan after.json DATA ...
    python benchmarks/splits.py compare before.json after.json

Each DATA is prepared at 64 px and split as ``default`` does, with ``data.test=new``, and as each of
five folds. It asks for nothing that version 0.1.0 had not.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from pneumoscope.data.prepare import prepare
from pneumoscope.data.split import plan_splits
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source

CUTS = {"default": {}, "new test": {"test": "new"}}
CUTS |= {f"fold {number} of 5": {"fold": f"{number} of 5"} for number in range(5)}


def plan(out: Path, data: list[str]) -> None:
    found = {}
    for name in data:
        with tempfile.TemporaryDirectory() as place:
            source = open_source(DataRequest(str(Path(name).absolute())), Path("none"), Silent())
            prepared = prepare(source, InputSpec(64, 64), Path(place) / "set")
            for cut, changes in CUTS.items():
                choices = load_recipe("default").data.model_copy(update=changes)
                splits = plan_splits(prepared.table, choices).split
                found[f"{Path(name).name}, {cut}"] = [str(split) for split in splits]
    out.write_text(json.dumps(found))


def compare(before: Path, after: Path) -> None:
    old, new = (json.loads(file.read_text()) for file in (before, after))
    for cut, splits in old.items():
        moved = sum(a != b for a, b in zip(splits, new[cut], strict=True))
        print(f"{cut}: {moved:,} of {len(splits):,} films moved")


if __name__ == "__main__":
    verb, first, *rest = sys.argv[1:]
    if verb == "plan":
        plan(Path(first), rest)
    else:
        compare(Path(first), Path(rest[0]))
