"""``docs/files.md`` has every file, key, column, code and exit code that the tool writes, and no
other. Whoever adds a field to a record is told the row that is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from tests.helpers.golden import GOLDEN, PINS

from pneumoscope import errors
from pneumoscope import run as run_files
from pneumoscope.audit.audit import Audit
from pneumoscope.audit.baselines import JudgedBaseline
from pneumoscope.audit.findings import CODES, Finding
from pneumoscope.audit.people import SplitPeople
from pneumoscope.audit.splits import SplitShift
from pneumoscope.cli import main as cli
from pneumoscope.cli.verbs.audit import _SEVERE
from pneumoscope.data import draft
from pneumoscope.data.door import Door
from pneumoscope.evaluation.comparison import Comparison
from pneumoscope.evaluation.groups import LearningCurve, PooledMetrics, SeedsSummary
from pneumoscope.evaluation.results import Evaluation
from pneumoscope.evaluation.site.card import SiteCard
from pneumoscope.explain.explanation import Explanation
from pneumoscope.export.certificate import Check
from pneumoscope.export.quantise import Int8
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.inference.image_warnings import WARNINGS
from pneumoscope.manifest import (
    CertificateEntry,
    ExportEntry,
    Manifest,
    ModelManifest,
    OpenVinoEntry,
    PreparedManifest,
)
from pneumoscope.readings import Calibration, Conformal, OperatingPoint, Reading
from pneumoscope.sections import DecideChoices
from pneumoscope.sources.known_sets import KnownSet
from pneumoscope.training.measure.profile import Profile
from pneumoscope.workflows.groups.crossval import FoldsEntry
from pneumoscope.workflows.groups.many import RecipesEntry

RULES = set(get_args(DecideChoices.model_fields["rule"].annotation))
"""The rules of recipes, by which the point that decides is named."""
PAGE = Path(__file__).parents[2] / "docs/files.md"

FILES = (
    *(Manifest, ModelManifest, PreparedManifest, RecipesEntry, FoldsEntry),
    *(
        Evaluation,
        PooledMetrics,
        SeedsSummary,
        LearningCurve,
        Comparison,
        Profile,
        Explanation,
        Audit,
        Reading,
        SiteCard,
    ),
)
"""The records that files are made of; those within them are found."""

PLAIN = {
    (Manifest, "door"): Door,
    (Manifest, "shifts"): SplitShift,
    (Manifest, "known_set"): KnownSet,
    (Manifest, "trained_on"): KnownSet,
    (Manifest, "people"): SplitPeople,
    (Manifest, "baselines"): JudgedBaseline,
    (ModelManifest, "operating_points"): OperatingPoint,
    (ModelManifest, "calibration"): Calibration,
    (ModelManifest, "conformal"): Conformal,
    (CertificateEntry, "checks"): Check,
    (ExportEntry, "int8"): Int8,
    (OpenVinoEntry, "checks"): Check,
    (OpenVinoEntry, "int8"): Int8,
}
"""What lies as plain data where annotations do not say of which record."""

WRITTEN_OTHERWISE: dict[Any, tuple[set[str], set[str]]] = {
    Audit: (
        {"schema", "source", "not_provable", "splits"},
        {"why", "notes", "shifts"},
    ),
    Finding: ({"about"}, set()),
    Reading: (set(), {"heatmap"}),
    Reference: ({"schema"}, set()),
    Profile: ({"command", "films_per_second", "bare_films_per_second"}, set()),
}
"""Keys that a record's own ``to_json`` adds, and fields that it leaves out or names otherwise."""


@cache
def sections() -> dict[str, str]:
    """The text below each heading of the page, by the heading's first word."""
    parts = re.split(r"^#{2,4} +(.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return {
        heading.split(":")[0].strip("` "): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def rows(section: str) -> list[str]:
    """The names in the first cells of a section's tables, in their order."""
    return re.findall(r"^\| `([^`]+)` \|", sections()[section], flags=re.MULTILINE)


def documented(section: str) -> set[str]:
    """The same, with those of the record that it extends ("All of [X](…), and:")."""
    extended = re.search(r"\bAll of \[(\w+)\]", sections()[section])
    return {*rows(section), *(documented(extended[1]) if extended else ())}


def keys_of(record: Any) -> set[str]:
    """The keys that a record is written with."""
    added, left_out = WRITTEN_OTHERWISE.get(record, (set(), set()))
    own = {each.name for each in fields(record)} if is_dataclass(record) else set(_hints(record))
    return (own | added) - left_out


def _hints(record: Any) -> dict[str, Any]:
    return get_type_hints(record, localns={"Grey": Any})


def _within(record: Any) -> Iterator[Any]:
    """The records that ``record`` extends, and those that lie in its fields."""
    yield from (base for base in record.__mro__[1:] if is_dataclass(base))
    yield from (base for base in record.__dict__.get("__orig_bases__", ()) if is_typeddict(base))
    for name, kind in _hints(record).items():
        yield from _records_in(PLAIN.get((record, name), kind))


def _records_in(kind: Any) -> Iterator[Any]:
    if (is_dataclass(kind) or is_typeddict(kind)) and isinstance(kind, type):
        yield kind
    elif get_origin(kind) is not None or isinstance(kind, UnionType):
        for each in get_args(kind):
            yield from _records_in(each)


def all_records() -> dict[str, Any]:
    """Every record of which files are made, by its name."""
    found: dict[str, Any] = {}
    ahead = list(FILES)
    while ahead:
        record = ahead.pop()
        if record.__name__ not in found:
            found[record.__name__] = record
            ahead += [each for each in _within(record) if each.__name__ not in found]
    return found


def _hold(section: str, known: set[str], where: str) -> None:
    """Fail with the rows that a section lacks, and those that it has too many."""
    assert section in sections(), f"docs/files.md lacks a section: ### {section}"
    found = documented(section)
    lacks = "".join(
        f"\n| `{name}` | TYPE, UNIT, RANGE | MEANING |" for name in sorted(known - found)
    )
    more = ", ".join(sorted(found - known))
    assert not lacks, f"docs/files.md, section {section!r} ({where}), lacks:{lacks}"
    assert not more, f"docs/files.md, section {section!r} ({where}), has what is not there: {more}"
    assert len(rows(section)) == len(set(rows(section))), f"{section}: a row stands there twice"


@pytest.mark.parametrize("name", sorted(all_records()))
def test_every_key_is_told(name: str) -> None:
    record = all_records()[name]
    _hold(name, keys_of(record), record.__module__)


CODED: Mapping[str, set[str]] = {
    "Findings of an audit": set(CODES),
    "Remarks of predict": set(WARNINGS),
}
"""Sections that tell codes, each with what it must tell."""

COLUMNS = {
    "predictions.csv": "pins/evaluate/predictions.csv",
    "predict --csv": "pins/predict-run/run.csv",
    "history.csv": "pins/train/history.csv",
    "shortcuts.csv": "runs/0.1.0/run/shortcuts.csv",
}
"""Sections that tell the columns of a file, each with one."""


@pytest.mark.parametrize("section", CODED)
def test_every_code_is_told(section: str) -> None:
    _hold(section, CODED[section], "codes")


@pytest.mark.parametrize("section", COLUMNS)
def test_every_column_is_told(section: str) -> None:
    header = (GOLDEN / COLUMNS[section]).read_text("utf-8").splitlines()[0]
    _hold(section, set(header.split(",")), "columns")


def test_columns_of_the_prepared_table_are_told() -> None:
    known = {*draft._COLUMNS, *draft._SOMETIMES, "boxes", "fact_NAME"}
    _hold("table.parquet", known, "columns")


@pytest.mark.parametrize(
    ("file", "section"),
    [
        *((file, "Evaluation") for file in ("judge/metrics.json", "evaluate-other/metrics.json")),
        ("audit/audit.json", "Audit"),
        ("judge/run.json", "Manifest"),
        ("judge/model.json", "ModelManifest"),
        ("folds/metrics.json", "PooledMetrics"),
        ("seeds/summary.json", "SeedsSummary"),
        ("compare/comparison.json", "Comparison"),
        ("explain/explain.json", "Explanation"),
    ],
)
def test_files_hold_no_other_key(file: str, section: str) -> None:
    assert set(json.loads((PINS / file).read_text("utf-8"))) <= documented(section)


def test_names_of_operating_points_are_told() -> None:
    files = [json.loads(file.read_text("utf-8")) for file in PINS.glob("*/metrics.json")]
    points = [point for found in files for point in found.get("operating_points", ())]
    points += [found["re_chosen"] for found in files if found.get("re_chosen")]
    told = set(rows("Names of operating points"))
    assert {point["name"] for point in points} | RULES <= told


def test_every_file_is_told() -> None:
    """Those that ``run.py`` names, and the sections that tell them."""
    names = {
        value.fget(run_files.Run(Path())).name
        for value in vars(run_files.Run).values()
        if isinstance(value, property) and value.fget.__name__ != "last_checkpoint"
    }
    constants = [value for value in vars(run_files).values() if isinstance(value, str)]
    names |= {value for value in constants if value.endswith(".json")}
    told = {name.rstrip("/") for section in ("A run", "A group of runs") for name in rows(section)}
    assert names <= told, f"docs/files.md does not name {sorted(names - told)}"


def test_exit_codes_are_told() -> None:
    """0 and those that errors end with; 3 is ``audit --strict``'s."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    shown = {cli.exit_code(kind("")) for kind in kinds if issubclass(kind, errors.PneumoscopeError)}
    assert {int(code) for code in rows("Exit codes")} == {0, _SEVERE, *shown}
