"""Summary of a run in words: how good, how sure, what it confuses, and what is not provable."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pneumoscope.formatting import full, number, one_call, plural, split_name
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.door import divided_words
from pneumoscope.report.kit.rows import Remark
from pneumoscope.report.review import shortcuts
from pneumoscope.report.run.films import error_rows

SMALL_CLASS = 100
"""Below this many films of a class, its intervals are too wide to rank models by."""


def summarise(run: EvaluatedRun) -> tuple[Remark, ...]:
    """How good, how sure, where decided, what is confused, by what shortcut, what is not
    provable."""
    found = " ".join(shortcuts.findings(run))
    return (
        Remark("How good.", " ".join(_how_good(run))),
        Remark("How sure.", " ".join(_how_sure(run))),
        Remark("Operating point.", " ".join(_operating_point(run))),
        Remark("What it confuses.", " ".join(_confusion(run))),
        *([Remark("Shortcuts.", found)] if found else []),
        Remark("What is not provable.", " ".join(limits(run))),
    )


def _how_good(run: EvaluatedRun) -> Iterator[str]:
    auroc, counts = run.estimate("auroc"), run.results.confusion
    metrics = run.results.metrics
    if same := one_call(metrics["sensitivity"].value, metrics["specificity"].value):
        yield same
    if auroc is not None and math.isfinite(auroc.value):
        yield (
            "Shown one pneumonia film and one normal film, the model gives the pneumonia film "
            f"the higher probability {auroc.value:.1%} of the time: AUROC {full(auroc)}."
        )
    else:
        yield f"AUROC is {full(auroc)}."
    positives, negatives = counts.tp + counts.fn, counts.tn + counts.fp
    if positives:
        yield (
            f"At its operating point it finds {counts.tp:,} of {plural(positives, 'film')} with "
            f"pneumonia, sensitivity {full(run.estimate('sensitivity'))}"
            + ("," if negatives else ".")
        )
    if negatives:
        start = "and clears" if positives else "At its operating point it clears"
        yield (
            f"{start} {counts.tn:,} of {plural(negatives, 'film')} without, "
            f"specificity {full(run.estimate('specificity'))}."
        )


def _how_sure(run: EvaluatedRun) -> Iterator[str]:
    n, positives = run.results.n, run.results.positives
    patients = run.results.patients
    of = f" of {patients:,} patients" if patients else ""
    split = split_name(run.split)
    yield f"The {split} split holds {plural(n, 'film')}{of}, {positives:,} with pneumonia."
    if shifts := _shift_findings(run):
        yield (
            f"Some are unlike the training films: {' '.join(shifts)} Validation "
            "(hold-out) films come from the training films and do not show this difference, so "
            "figures and thresholds need not carry over from them."
        )
    auroc = run.estimate("auroc")
    if auroc is not None and math.isfinite(auroc.high - auroc.low):
        half = (auroc.high - auroc.low) / 2
        yield (
            f"Another model within about {half:.3f} of this AUROC is not shown to differ, unless "
            "both are compared film by film."
        )
    if min(positives, n - positives) < SMALL_CLASS:
        yield "One class is small: read the intervals before the values."
    yield (
        "The intervals say how far other films of this kind would move the figures; they do "
        "not hold what another training seed would change."
    )
    ece = run.estimate("ece")
    if ece is not None and math.isfinite(ece.value):
        yield f"The probabilities miss the observed share by {full(ece)} on average (ECE)."


def _operating_point(run: EvaluatedRun) -> Iterator[str]:
    point = run.results.operating_point
    called = f"A film is called pneumonia from a probability of {point.threshold:.3f} on."
    if point.name == "fixed":
        yield f"{called} This threshold was fixed beforehand: no film of this run had a part in it."
        return
    yield (
        f"{called} "
        f"This threshold, “{point.name}” ({point.rule}), "
        f"was chosen on the {split_name(point.chosen_on)} split"
    )
    if point.chosen_on == run.split:
        yield "on which it is judged here, so every figure that depends on it is too good."
    else:
        yield f"and then applied, unchanged, to the {split_name(run.split)} split."


def _confusion(run: EvaluatedRun) -> Iterator[str]:
    counts = run.results.confusion
    missed, alarms = counts.fn, counts.fp
    positives, negatives = counts.tp + missed, counts.tn + alarms
    if not missed and not alarms:
        split = split_name(run.split)
        yield f"No film of the {split} split is misread; with other films some would be."
        return
    yield (
        f"{plural(missed, 'film')} with pneumonia {'is' if missed == 1 else 'are'} missed, "
        f"{plural(alarms, 'film')} without {'is' if alarms == 1 else 'are'} called pneumonia."
    )
    if positives and negatives:
        ratio = (alarms / negatives + 0.5 / negatives) / (missed / positives + 0.5 / positives)
        if ratio > 1.5:
            yield "Normal films are misread more often: expect false alarms (false positives)."
        elif ratio < 1 / 1.5:
            yield "Pneumonia is misread more often: expect missed pneumonia (false negatives)."
        else:
            yield "Both classes are misread about equally often."
    yield from _worst(run)


def _worst(run: EvaluatedRun) -> Iterator[str]:
    errors, _ = error_rows(run)
    if errors:
        kind = "a pneumonia film" if errors[0].label else "a normal film"
        given = number(errors[0].probability)
        yield f"Its most confident error gives {kind} a probability of {given}."


def _shift_findings(run: EvaluatedRun) -> list[str]:
    """Where the evaluated films differ from those of training, a sentence each."""
    found = run.shifts
    return [each.finding for each in found if each.split == run.split and each.finding]


def limits(run: EvaluatedRun) -> Iterator[str]:
    """What these figures cannot show, a sentence or two each."""
    source = run.manifest.get("source")
    name = source["name"] if source else "one source"
    if run.manifest.get("external"):
        yield (
            "Whether a patient of these films is also among those the model learnt from: two "
            f"data sets share no ids. How it does in a third place: {name} is one more, not all."
        )
    else:
        yield _patients(run)
        yield (
            f"How it does elsewhere: all films come from {name}, "
            "so other hospitals, ages and machines are untested."
        )
    n = run.results.n
    if n:
        yield (
            f"What a call is worth in practice: {run.results.share:.1%} of "
            "these films show pneumonia, and precision and NPV change with that share."
        )
    if run.members == 1:
        yield "One training seed; another would move the figures."


def _patients(run: EvaluatedRun) -> str:
    flow = run.manifest.get("flow", {})
    if divided := divided_words(run.door, run.split):
        return f"How it does on films it has not seen: {divided} Every figure here may be too good."
    if flow.get("patients_divided"):
        return (
            f"How it does on patients it has not seen: {flow['patients_divided']:,} patient ids "
            "lie in more than one of the data’s own splits, so every figure here may be too good."
        )
    if not flow.get("patients_known"):
        return (
            "Whether one patient’s films lie in two splits: patient ids are not known. "
            "If some do, every figure here is too good."
        )
    if flow.get("patient_each_film"):
        return (
            "Whether one patient’s films lie in two splits: every film has an id of its own, "
            "which may be one of the film and not of the patient."
        )
    return "Patient ids are known, and the split keeps all films of a patient in one part."
