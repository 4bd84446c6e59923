"""Summary of a run in words: how good, how sure, what it confuses, and what is not provable."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pneumoscope.audit.splits import SplitShift
from pneumoscope.formatting import full, plural, split_name
from pneumoscope.plain import from_plain
from pneumoscope.report.kit.rows import Remark
from pneumoscope.report.run.folder import Judged

HOW_TO_USE = """\
from pneumoscope import Classifier
classifier = Classifier.load(".")  # this folder
print(classifier.read("film.png")[0].probability)"""
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
            f"At its operating point it finds {counts['tp']:,} of {plural(positives, 'film')} with "
            f"pneumonia, sensitivity {full(judged.estimate('sensitivity'))}"
            + ("," if negatives else ".")
        )
    if negatives:
        start = "and clears" if positives else "At its operating point it clears"
        yield (
            f"{start} {counts['tn']:,} of {plural(negatives, 'film')} without, "
            f"specificity {full(judged.estimate('specificity'))}."
        )


def _how_sure(judged: Judged) -> Iterator[str]:
    n, positives = int(judged.metrics["n"]), int(judged.metrics["positives"])
    patients = judged.metrics.get("patients")
    of = f" of {patients:,} patients" if patients else ""
    split = split_name(judged.split)
    yield f"The {split} split holds {plural(n, 'film')}{of}, {positives:,} with pneumonia."
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
        f"{plural(missed, 'film')} with pneumonia {'is' if missed == 1 else 'are'} missed, "
        f"{plural(alarms, 'film')} without {'is' if alarms == 1 else 'are'} called pneumonia."
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
    found = judged_shifts(judged)
    return [each.finding for each in found if each.split == judged.split and each.finding]


def judged_shifts(judged: Judged) -> list[SplitShift]:
    """How far each split is told from that of training, as the run was judged."""
    return [from_plain(SplitShift, each) for each in judged.run.get("shifts") or ()]


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
