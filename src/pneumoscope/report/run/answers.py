"""Answers to the four questions that people bring to a model, one sentence each.

Is it good, how sure is that, for whom, when not to trust it: the same sentences stand on top of the
report, in the model card, and in the last lines of the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from pneumoscope.evaluation.shortcuts import CHANCE
from pneumoscope.formatting import brief, one_call, percent, percent_brief, plural, split_name
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.door import shared_words
from pneumoscope.report.kit.rows import Remark
from pneumoscope.report.review import people, yardsticks
from pneumoscope.report.review.abstention import far_films
from pneumoscope.report.run import sites
from pneumoscope.report.run.reach import reach_words


def answers(run: EvaluatedRun) -> tuple[Remark, ...]:
    """The four questions with their answers, from the records of the run alone."""
    good = (sites.words(run), _good(run), run.cut_short, reach_words(run))
    return (
        Remark("Is it good?", " ".join(filter(None, good))),
        Remark("How sure is that?", _sure(run)),
        Remark("For whom?", people.words(run)),
        Remark("When not to trust it?", _distrust(run)),
    )


def _good(run: EvaluatedRun) -> str:
    auroc, metrics = run.estimate("auroc"), run.results.metrics
    same = one_call(metrics["sensitivity"].value, metrics["specificity"].value)
    if auroc is None or not math.isfinite(auroc.value):
        return same or "That cannot be said: the judged films are of one class."
    judged = f"AUROC {brief(auroc)} on {plural(run.results.n, 'film')}"
    beside = yardsticks.words(run)
    if same:
        return f"No. {same} Its ranking has {judged}; {beside}."
    return f"{yardsticks.verdict(run, auroc)}: {judged}; {beside}."


def _sure(run: EvaluatedRun) -> str:
    results, auroc = run.results, run.estimate("auroc")
    of = f" of {plural(results.patients, 'patient')}" if results.patients else ""
    said = f"{results.n:,} {_films(run, of)}"
    said += f", {results.positives:,} with pneumonia"
    if auroc and math.isfinite(auroc.high - auroc.low):
        half = (auroc.high - auroc.low) / 2
        said += f": other films of this kind move the AUROC by about ± {half:.3f}"
        said += ", another training seed moves it too" if run.members == 1 else ""
    return f"{said}; {_doubt(run)}."


def _films(run: EvaluatedRun, of: str) -> str:
    """What is judged, after the number of it, with what the names of other data stand for."""
    if "external" not in run.manifest:
        return f"{split_name(run.split)} films (images){of}"
    what = "had no part in the model" if run.manifest["external"] else "share films with its own"
    return f"films (images){of} from data that {what} ({run.split})"


def _doubt(run: EvaluatedRun) -> str:
    """What the interval does not hold: films and patients on both sides."""
    if warnings := run.manifest.get("warnings"):
        first = warnings[0].rstrip(".")
        return f"{first[:1].lower()}{first[1:]}"
    if run.manifest.get("external"):
        return "whether a patient of these films is among those it learnt from is not known"
    if shared := shared_words(run.door):
        return shared
    flow = run.manifest.get("flow", {})
    if not flow.get("patients_known") or flow.get("patient_each_film"):
        return "that no patient lies in two splits is not provable"
    return "no known patient lies in two splits"


def _without(right: Estimate | None) -> Estimate | None:
    """The share of errors beside the share of films of a class that are read rightly; None where
    there is no such film."""
    if right is None or not math.isfinite(right.value):
        return None
    return replace(right, value=1 - right.value, low=1 - right.high, high=1 - right.low)


def _distrust(run: EvaluatedRun) -> str:
    said = "; ".join(_weak(run))
    return f"{said[:1].upper()}{said[1:]}."


def _weak(run: EvaluatedRun) -> Iterator[str]:
    """Whether it is better than a guess at all, the kind of error it makes more often, and where it
    makes fewer."""
    counts, auroc = run.results.confusion, run.estimate("auroc")
    if auroc is not None and auroc.low <= CHANCE:
        yield "not at all on films like these: its ranking is not shown to be better than a guess"
    kinds = [
        (
            _without(run.estimate("specificity")),
            "when it calls pneumonia",
            f"of normal films are called pneumonia (false positives, {counts.fp:,})",
        ),
        (
            _without(run.estimate("sensitivity")),
            "when it calls normal",
            f"of pneumonia films are called normal (false negatives, {counts.fn:,})",
        ),
    ]
    known = [(share, when, said) for share, when, said in kinds if share]
    known.sort(key=lambda kind: -kind[0].value)
    if known:
        shares = ", ".join(f"{percent_brief(share, 1)} {said}" for share, _, said in known)
        yield f"{known[0][1]}: {shares}"
    far = far_films(run)
    if far and far.fewer:
        yield (
            f"near the threshold: without the {1 - far.coverage:.0%} of films nearest to it, "
            f"{percent_brief(far, 1)} are misread, with them {percent(far.all, 1)}"
        )
    border = next((each for each in run.results.shortcuts or () if each.variant == "border"), None)
    if border and border.finding:
        yield (
            "where films are framed in another way: their outer tenth alone, with little lung, "
            f"gives it AUROC {brief(border.auroc)}"
        )
