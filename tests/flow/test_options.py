"""Options that are declared once reach every verb that shares them, and its help."""

import re

import pytest
from tests.helpers.processes import python
from typer.testing import CliRunner

from pneumoscope.cli.main import app
from pneumoscope.errors import InputError

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
    assert python(code).stdout.strip() == "[]"


def test_a_process_looks_for_cycles_seldom_and_not_on_leaving() -> None:
    """It took an eighth of an evaluation, most of it after the last line was printed."""
    code = (
        "import atexit, gc, sys; from pneumoscope.cli.main import run; "
        "seldom = lambda: gc.get_threshold()[0] >= 50_000 and gc.get_freeze_count() > 0; "
        "atexit.register(lambda: print(seldom())); "
        "sys.argv = ['pneumoscope', '--version']; run()"
    )
    assert python(code).stdout.splitlines()[-1:] == ["True"]


@pytest.mark.parametrize(
    ("words", "got", "expected"),
    [
        (["train", "D", "--seeds", "no"], "'no'", "a whole number"),
        (["train", "D", "--seeds", "1"], "1", "2 or more"),
        (["train", "D", "--minutes", "5m"], "'5m'", "a number"),
        (["train", "D", "--minutes", "0"], "0.0", "0.01 or more"),
        (["prepare", "D", "--size", "big"], "'big'", "a whole number"),
        (["crossval", "D", "--folds", "101"], "101", "100 or less"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_said_in_our_words(
    words: list[str], got: str, expected: str
) -> None:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InputError)
    told = done.exception.message()
    assert f"{words[2]} does not take this value" in told and got in told and expected in told
    assert f"pneumoscope {words[0]} --help" in told and "Input should be" not in told
