"""Which figures a run has, each with the words that go with it: caption and alternative text."""

from __future__ import annotations

from collections.abc import Iterator

from pneumoscope.evaluation import curves
from pneumoscope.formatting import full, interval, level, number, split_name
from pneumoscope.report.kit.figure import PageFigure, house_style, make_figure
from pneumoscope.report.review.charts import draw_review
from pneumoscope.report.run import figures, history
from pneumoscope.report.run.folder import Judged
from pneumoscope.report.run.summary import which_epoch


def draw_all(judged: Judged) -> dict[str, PageFigure]:
    """Every figure that the run's data allow, by name, in the order of the report."""
    with house_style():
        judgement = (_ranking(judged), _decisions(judged), draw_review(judged))
        parts = (*judgement, _data(judged), _training(judged))
        return {figure.name: figure for part in parts for figure in part}


def _ranking(judged: Judged) -> Iterator[PageFigure]:
    rows = judged.predictions
    columns = (rows["label"], rows["probability"], judged.threshold)
    patients = rows["patient_id"].fillna("") if rows["patient_id"].notna().any() else None
    auroc, average = full(judged.estimate("auroc")), full(judged.estimate("average_precision"))
    roc = curves.roc(*columns, patients=patients)
    if roc is not None:
        yield make_figure(
            "roc",
            figures.draw_roc(roc, _two_lines(judged, "auroc", "AUROC"), _point(judged)),
            "ROC curve",
            f"Sensitivity against false alarms over all thresholds. The band holds {roc.level:.0%}"
            " of 500 bootstrap curves at each false positive rate; the dot is the operating point.",
            f"ROC curve. AUROC {auroc}. Operating point: sensitivity {roc.at[1]:.3f} at a false "
            f"positive rate of {roc.at[0]:.3f}.",
        )
    pr = curves.precision_recall(*columns)
    if pr is not None:
        words = _two_lines(judged, "average_precision", "Average precision")
        yield make_figure(
            "precision_recall",
            figures.draw_precision_recall(pr, words, _point(judged)),
            "Precision and recall",
            "The share of pneumonia calls that are right, against the share of pneumonia found. "
            "The level line is what guessing reaches at this split’s prevalence.",
            f"Precision–recall curve. Average precision {average}; prevalence {pr.prevalence:.3f}.",
        )


def _decisions(judged: Judged) -> Iterator[PageFigure]:
    rows, counts = judged.predictions, judged.metrics["confusion"]
    yield make_figure(
        "confusion",
        figures.draw_confusion(counts),
        "Confusion matrix",
        f"Films of the {split_name(judged.split)} split at a threshold of {judged.threshold:.3f}. "
        "Shares are of each row: specificity and sensitivity are on the diagonal.",
        f"Confusion matrix: {counts['tn']} true negatives, {counts['fp']} false positives, "
        f"{counts['fn']} false negatives, {counts['tp']} true positives.",
    )
    found = curves.histogram(rows["label"], rows["probability"])
    yield make_figure(
        "probabilities",
        figures.draw_histogram(found, judged.threshold, counts),
        "Probabilities by class",
        "Films right of the dashed line are called pneumonia. The two panels have scales of "
        "their own.",
        f"Histogram of the probability of pneumonia for {found.normal.sum()} normal and "
        f"{found.pneumonia.sum()} pneumonia films, with the threshold at {judged.threshold:.3f}.",
    )
    bins = curves.reliability(rows["label"], rows["probability"])
    if bins is not None:
        yield make_figure(
            "reliability",
            figures.draw_reliability(bins),
            "Reliability",
            "Below the diagonal the model claims too much, above it too little. Bars are "
            f"{bins.level:.0%} Wilson intervals; the strip below counts the films in each bin.",
            "Reliability diagram: observed share of pneumonia against the probability given, in "
            f"{len(bins.count)} bins. ECE {full(judged.estimate('ece'))}.",
        )


def _data(judged: Judged) -> Iterator[PageFigure]:
    found = judged.run.get("flow", {}).get("splits", {})
    if found:
        splits = {split_name(name): split for name, split in found.items()}
        said = "; ".join(
            f"{name}: {split['n'] - split['positives']} normal, {split['positives']} pneumonia"
            for name, split in splits.items()
        )
        yield make_figure(
            "labels",
            figures.draw_labels(splits),
            "Classes by split",
            "Where the shares differ between splits, precision and calibration shift with them.",
            f"Share of each class by split. {said}.",
        )


def _training(judged: Judged) -> Iterator[PageFigure]:
    epochs, best = judged.history, judged.model.get("lineage", {}).get("best_epoch")
    if epochs is None:
        return
    kept = f" Epoch {best} was kept." if best else ""
    yield make_figure(
        "loss",
        history.draw_loss(epochs, best),
        "Loss",
        "Training loss is measured on augmented films with dropout or label smoothing as the "
        "recipe says, so the two lines need not meet.",
        f"Training and validation loss over {len(epochs)} epochs.{kept}",
    )
    yield make_figure(
        "scores",
        history.draw_scores(epochs, best),
        "Accuracy and AUROC",
        "Watched while training, at a threshold of 0.5 and without intervals. "
        + which_epoch(judged.model),
        f"Training and validation accuracy and validation AUROC over {len(epochs)} epochs.{kept}",
    )


def _two_lines(judged: Judged, key: str, title: str) -> str:
    estimate = judged.estimate(key)
    if estimate is None:
        return ""
    return f"{title} {number(estimate.value)}\n{level(estimate)} interval {interval(estimate)}"


def _point(judged: Judged) -> str:
    return f"operating point\nthreshold {judged.threshold:.3f}"
