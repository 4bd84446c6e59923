"""Figures in words: the summary that stands first, and how every number is written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pneumoscope.records import Estimate
from pneumoscope.report.run.folder import Judged

HOW_TO_USE = """\
from pneumoscope import Classifier
classifier = Classifier.load(".")  # this folder
print(classifier.read("film.png")[0].probability)"""
DISCLAIMER = "Research use only. Not a medical device."
INTENDED = (
    "Research and teaching on frontal chest radiographs: comparing training choices, studying "
    "errors, preparing a study. The model gives a probability of pneumonia for a whole film."
)
OUT_OF_SCOPE = (
    "Diagnosis, triage or any decision about a patient; lateral films, other findings, other ages "
    "or machines than those of its data; films it was trained on."
)
SMALL = 100
"""Below this many films of a class, its intervals are too wide to rank models by."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called, and what it says in a few words."""

    key: str
    title: str
    gloss: str


GROUPS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    (
        "Ranking, whatever the threshold",
        (
            Metric("auroc", "AUROC", "chance that a pneumonia film scores above a normal one"),
            Metric("average_precision", "Average precision", "area under precision over recall"),
        ),
    ),
    (
        "Decisions at the operating point",
        (
            Metric("sensitivity", "Sensitivity (recall)", "share of pneumonia that is found"),
            Metric("specificity", "Specificity", "share of normal films that are cleared"),
            Metric("precision", "Precision (PPV)", "share of pneumonia calls that are right"),
            Metric("npv", "NPV", "share of normal calls that are right"),
            Metric("accuracy", "Accuracy", "share of all films read rightly"),
            Metric("balanced_accuracy", "Balanced accuracy", "mean of sensitivity, specificity"),
            Metric("f1", "F1", "harmonic mean of precision and recall"),
            Metric("mcc", "MCC", "correlation of reading and truth, −1 to 1"),
        ),
    ),
    (
        "Probabilities",
        (
            Metric("brier", "Brier score", "mean squared error; lower is better"),
            Metric("ece", "ECE", "mean calibration gap, biased upwards; lower is better"),
            Metric("log_loss", "Log loss", "cost of misplaced confidence; lower is better"),
        ),
    ),
)
ALIASES = frozenset({"recall"})
"""Shown under another name already: recall is sensitivity."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One short paragraph of the summary, with the two or three words that introduce it."""

    lead: str
    text: str


def split_name(split: object) -> str:
    """The split as a word: ``validation`` for ``val``."""
    return {"train": "training", "val": "validation"}.get(str(split), str(split))


def number(value: float, places: int = 3) -> str:
    """``0.962``; a true minus sign; ``undefined`` for NaN."""
    return f"{value:.{places}f}".replace("-", "−") if math.isfinite(value) else "undefined"


def interval(estimate: Estimate, places: int = 3) -> str:
    """``0.948–0.974``, or ``none`` where there is no interval."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "none"
    dash = " to " if estimate.low < 0 else "–"
    return number(estimate.low, places) + dash + number(estimate.high, places)


def percent_range(estimate: Estimate) -> tuple[str, str]:
    """(``76%``, ``70–82%``) of a share."""
    value, low, high = (
        f"{100 * part:.0f}".replace("-", "−")
        for part in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value}%", f"{low}{' to ' if estimate.low < 0 else '–'}{high}%"


def level(estimate: Estimate) -> str:
    """``95%``."""
    return f"{estimate.level * 100:g}%"


def full(estimate: Estimate | None) -> str:
    """``0.962 (95% interval 0.948–0.974)``; says why where it is undefined."""
    if estimate is None:
        return "not measured"
    if not math.isfinite(estimate.value):
        return estimate.method or "undefined"
    return f"{number(estimate.value)} ({level(estimate)} interval {interval(estimate)})"


def views(model: Mapping[str, Any]) -> str:
    """Whose mean logit the answer of a model (``model.json``) is, in words."""
    seen = ["the film"]
    if degrees := model.get("turn_average"):
        seen.append(f"the film turned by {degrees:g}° to both sides")
    if model.get("flip_average"):
        seen.append("their mirror images" if len(seen) > 1 else "its mirror image")
    if len(seen) == 1:
        return "of the film alone"
    return f"mean over {', '.join(seen[:-1])} and {seen[-1]}"


def which_epoch(model: Mapping[str, Any]) -> str:
    """How the epoch was chosen that a model (``model.json``) keeps, in a sentence."""
    if model.get("lineage", {}).get("monitor") == "the last epoch":
        return "The last epoch was kept, whatever it showed."
    return "Validation films helped to choose the epoch, so these figures are no results."


def summarise(judged: Judged) -> tuple[Remark, ...]:
    """How good, how sure, where decided, what is confused, by what shortcut, what is not
    provable."""
    shortcuts = " ".join(shortcut_findings(judged))
    return (
        Remark("How good.", " ".join(_how_good(judged))),
        Remark("How sure.", " ".join(_how_sure(judged))),
        Remark("Operating point.", " ".join(_operating_point(judged))),
        Remark("What it confuses.", " ".join(_confusion(judged))),
        *([Remark("Shortcuts.", shortcuts)] if shortcuts else []),
        Remark("What is not provable.", " ".join(limits(judged))),
    )


def _how_good(judged: Judged) -> Iterator[str]:
    auroc, counts = judged.estimate("auroc"), judged.metrics["confusion"]
    if auroc is not None and math.isfinite(auroc.value):
        yield (
            "Shown one pneumonia film and one normal film, the model gives the pneumonia film "
            f"the higher probability {auroc.value:.1%} of the time: AUROC {full(auroc)}."
        )
    else:
        yield f"AUROC is {full(auroc)}."
    positives, negatives = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
    if positives:
        yield (
            f"At its operating point it finds {counts['tp']:,} of {_films(positives)} with "
            f"pneumonia, sensitivity {full(judged.estimate('sensitivity'))}"
            + ("," if negatives else ".")
        )
    if negatives:
        start = "and clears" if positives else "At its operating point it clears"
        yield (
            f"{start} {counts['tn']:,} of {_films(negatives)} without, "
            f"specificity {full(judged.estimate('specificity'))}."
        )


def _how_sure(judged: Judged) -> Iterator[str]:
    n, positives = int(judged.metrics["n"]), int(judged.metrics["positives"])
    patients = judged.metrics.get("patients")
    of = f" of {patients:,} patients" if patients else ""
    split = split_name(judged.split)
    yield f"The {split} split holds {_films(n)}{of}, {positives:,} with pneumonia."
    if shifts := shift_findings(judged):
        yield (
            f"They are unlike the training films: {' '.join(shifts)} "
            "Films held out of train cannot show what to expect of them."
        )
    auroc = judged.estimate("auroc")
    if auroc is not None and math.isfinite(auroc.high - auroc.low):
        half = (auroc.high - auroc.low) / 2
        yield (
            f"Another model within about {half:.3f} of this AUROC is not shown to differ, unless "
            "both are compared film by film."
        )
    if min(positives, n - positives) < SMALL:
        yield "One class is small: read the intervals before the values."
    yield (
        "The intervals say how far other films of this kind would move the figures; they do "
        "not hold what another training seed would change."
    )
    ece = judged.estimate("ece")
    if ece is not None and math.isfinite(ece.value):
        yield f"The probabilities miss the observed share by {full(ece)} on average (ECE)."


def _operating_point(judged: Judged) -> Iterator[str]:
    point = judged.metrics["operating_point"]
    chosen = str(point.get("chosen_on", "unknown"))
    called = f"A film is called pneumonia from a probability of {float(point['threshold']):.3f} on."
    if point.get("name") == "fixed":
        yield f"{called} This threshold was fixed beforehand: no film of this run had a part in it."
        return
    yield (
        f"{called} "
        f"This threshold, “{point.get('name', '')}” ({point.get('rule', '')}), "
        f"was chosen on the {split_name(chosen)} split"
    )
    if chosen == judged.split:
        yield "on which it is judged here, so every figure that depends on it is too good."
    else:
        yield f"and then applied, unchanged, to the {split_name(judged.split)} split."


def _confusion(judged: Judged) -> Iterator[str]:
    counts = judged.metrics["confusion"]
    missed, alarms = int(counts["fn"]), int(counts["fp"])
    positives, negatives = counts["tp"] + missed, counts["tn"] + alarms
    if not missed and not alarms:
        split = split_name(judged.split)
        yield f"No film of the {split} split is misread; with other films some would be."
        return
    yield (
        f"{_films(missed)} with pneumonia {'is' if missed == 1 else 'are'} missed, "
        f"{_films(alarms)} without {'is' if alarms == 1 else 'are'} called pneumonia."
    )
    if positives and negatives:
        ratio = (alarms / negatives + 0.5 / negatives) / (missed / positives + 0.5 / positives)
        if ratio > 1.5:
            yield "Normal films are misread the more often of the two: its errors are alarms."
        elif ratio < 1 / 1.5:
            yield "Pneumonia is misread the more often of the two: its errors are silent."
        else:
            yield "Both classes are misread about equally often."
    yield from _worst(judged)


def _worst(judged: Judged) -> Iterator[str]:
    rows = judged.predictions
    wrong = rows[(rows["probability"] >= judged.threshold) != (rows["label"] == 1)]
    if len(wrong):
        row = wrong.iloc[int((wrong["probability"] - judged.threshold).abs().argmax())]
        kind = "a pneumonia film" if row["label"] == 1 else "a normal film"
        yield f"Its most confident error gives {kind} a probability of {row['probability']:.3f}."


def shortcut_findings(judged: Judged) -> list[str]:
    """What the shortcut check found, a sentence or two each; empty where it found nothing."""
    return [each["finding"] for each in judged.metrics.get("shortcuts") or () if each["finding"]]


def shift_findings(judged: Judged) -> list[str]:
    """Where the judged films differ from those of training, a sentence each."""
    found = judged.run.get("shifts") or ()
    return [each["finding"] for each in found if each["split"] == judged.split and each["finding"]]


def limits(judged: Judged) -> Iterator[str]:
    """What these figures cannot show, a sentence or two each."""
    flow, source = judged.run.get("flow", {}), judged.run.get("source", {})
    name = source.get("name", "one source")
    if judged.run.get("external"):
        yield (
            "Whether a patient of these films is also among those the model learnt from: two "
            f"data sets share no ids. How it does in a third place: {name} is one more, not all."
        )
    else:
        yield _patients(flow)
        yield (
            f"How it does elsewhere: all films come from {name}, "
            "so other hospitals, ages and machines are untested."
        )
    n = int(judged.metrics["n"])
    if n:
        yield (
            f"What a call is worth in practice: {int(judged.metrics['positives']) / n:.1%} of "
            "these films show pneumonia, and precision and NPV change with that share."
        )
    if judged.run.get("members", 1) == 1:
        yield "One training seed; another would move the figures."


def _patients(flow: Mapping[str, Any]) -> str:
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


def unbroken(text: str) -> str:
    """``text`` with its number ranges held on one line (U+2060, word joiner)."""
    return re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", text)


def identifier(name: str) -> str:
    """``name`` as an HTML id: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _films(count: int) -> str:
    return f"{count:,} film" if count == 1 else f"{count:,} films"
