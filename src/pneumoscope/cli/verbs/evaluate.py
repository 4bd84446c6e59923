"""``pneumoscope evaluate``: judge a finished run again, and say what came of it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from pneumoscope.cli.screen import Screen, short
from pneumoscope.errors import InputError
from pneumoscope.formatting import brief
from pneumoscope.records import DataRequest, Estimate

_CARRIED = (
    "predict goes by what the run carries (decide.rule and decide.target of a recipe choose the "
    "first point)"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the verb, as typed."""

    run: Path
    data: DataRequest | None
    split: str | None
    prevalence: float | None
    cost: str | None
    sensitivity: float | None
    specificity: float | None
    miss_rate: float | None
    out: Path | None

    def choices(self) -> list[str]:
        """The options that asked for a point, or for an abstention, that the run need not have."""
        given = {
            "--cost": self.cost,
            "--sensitivity": self.sensitivity,
            "--specificity": self.specificity,
            "--miss-rate": self.miss_rate,
        }
        return [name for name, value in given.items() if value is not None]


def evaluate(asked: Asked) -> None:
    """Judge, show the figures in a table and in sentences, and name the next command."""
    cost = parse_cost(asked.cost)
    with Screen() as screen:
        screen.stage("Start")
        from pneumoscope.workflows.evaluate.evaluate import Question, check_split, evaluate_run

        check_split(asked.split)
        question = Question(
            asked.run,
            asked.data,
            asked.split,
            asked.prevalence,
            cost,
            asked.sensitivity,
            asked.specificity,
            asked.miss_rate,
        )
        command = shlex.join(["pneumoscope", *sys.argv[1:]])
        folder = evaluate_run(question, out=asked.out, command=command, listener=screen)
        _show(folder, asked, screen)


def parse_cost(text: str | None) -> float | None:
    """``FN:FP`` as one number, how many false alarms a missed pneumonia weighs."""
    if text is None:
        return None
    missed, colon, alarm = text.partition(":")
    try:
        ratio = float(missed) / float(alarm if colon else "1")
    except (ValueError, ZeroDivisionError):
        ratio = float("nan")
    if not 0 < ratio < float("inf"):
        raise InputError(
            "the costs are written in another form",
            got=repr(text),
            expected="FN:FP, two numbers above 0",
            remedy="for example --cost 5:1, a missed pneumonia is as bad as five false alarms",
        )
    return ratio


def _show(folder: Path, asked: Asked, screen: Screen) -> None:
    from pneumoscope.report.review.text import sentences
    from pneumoscope.report.run.folder import read_judged

    judged = read_judged(folder)
    metrics = judged.metrics
    screen.stage("Result")
    auroc = metrics["metrics"]["auroc"]
    positives = metrics["positives"]
    screen.console.print(
        f"  {metrics['n']:,} {judged.split} films, {positives:,} with pneumonia; "
        f"AUROC {_cell(auroc)}"
    )
    points = [*metrics["operating_points"]]
    points += [metrics["re_chosen"]] if "re_chosen" in metrics else []
    screen.console.print(_table(points))
    for lead, text in sentences(judged):
        screen.console.print(f"  [bold]{lead}[/bold] {text}", soft_wrap=False)
    if asked.choices():
        screen.note(f"in this evaluation alone: {', '.join(asked.choices())}; {_CARRIED}")
    screen.line(f"Everything is in {short(folder)}")
    run = shlex.quote(str(asked.run))
    then = f"pneumoscope evaluate {run} --prevalence 0.1" if asked.prevalence is None else ""
    screen.line(f"Next: open {short(folder / 'report.html')} in a browser{'; ' * bool(then)}{then}")


def _table(points: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=True, header_style="dim")
    for column in ("operating point", "threshold", "sensitivity", "specificity"):
        left = column == "operating point"
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for at, point in enumerate(points):
        cells = [_cell(point[key]) for key in ("sensitivity", "specificity")]
        said = [_named(point)] + ["decides"] * (at == 0)
        said += ["optimistic"] * (point["chosen_on"] == "external")
        table.add_row(", ".join(said), f"{point['threshold']:.3f}", *cells)
    return table


def _named(point: dict[str, Any]) -> str:
    """The name with what the point holds: ``sensitivity >= 0.95``."""
    name = str(point["name"]).replace("_", " ")
    held = str(point["rule"]).partition(">=")[2]
    return f"{name} >={held}" if held else name


def _cell(estimate: dict[str, Any]) -> str:
    return brief(Estimate.from_json(estimate))
