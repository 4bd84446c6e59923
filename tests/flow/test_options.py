"""Options that are declared once reach every verb that shares them, and its help."""

import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pneumoscope.cli.main import app

ABOUT = ("--form", "--classes", "--labels", "--column", "--keep-ids")


@pytest.mark.parametrize("verb", ["train", "crossval", "prepare", "audit", "evaluate"])
def test_every_verb_on_data_takes_what_is_said_of_it(verb: str) -> None:
    done = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    shown = set(re.findall(r"--[a-z-]+", done.output))
    assert shown >= set(ABOUT)
    assert "data-options" not in re.findall(r"--(\S+)", done.output)


@pytest.mark.parametrize("verb", ["predict", "compare", "explain", "demo"])
def test_the_others_do_not(verb: str) -> None:
    done = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0 and "--keep-ids" not in done.output


@pytest.mark.parametrize(
    ("verb", "taken"),
    [("evaluate", True), ("explain", True), ("predict", True), ("compare", False)],
)
def test_verbs_that_take_an_ensemble_say_so(verb: str, taken: bool) -> None:
    done = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert ("one of folds or seeds" in " ".join(done.output.split())) == taken


def test_help_loses_nothing_of_a_name() -> None:
    done = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"})
    assert "pneumoniamnist (or …@64, @128, @224)" in " ".join(done.output.split())


def test_help_loads_no_library_but_the_one_that_prints_it() -> None:
    code = (
        "import sys, pneumoscope.cli.main; "
        "print([m for m in ('numpy', 'pydantic', 'yaml', 'filelock', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
