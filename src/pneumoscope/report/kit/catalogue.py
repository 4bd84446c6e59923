"""Metrics as the pages show them: title, gloss and group of each, and which stand in front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called, and what it says in a few words."""

    key: str
    title: str
    gloss: str

    @property
    def short_title(self) -> str:
        """``Sensitivity`` of ``Sensitivity (recall)``."""
        return self.title.split(" (")[0]


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
METRICS = {metric.key: metric for _, metrics in GROUPS for metric in metrics}
ALIASES = frozenset({"recall"})
"""Shown under another name already: recall is sensitivity."""
HEADLINE = ("auroc", "sensitivity", "specificity", "balanced_accuracy")
"""The figures beside the summary of a page."""
MAIN = ("auroc", "sensitivity", "specificity")
"""Those that the terminal shows of each site."""
TERMINAL = ("auroc", "balanced_accuracy", "sensitivity", "specificity", "accuracy")
"""Those that the terminal shows when a run or several are done."""


def grouped(keys: Iterable[str]) -> list[tuple[str, list[Metric]]]:
    """The metrics of these keys by group, unknown ones in a group at the end, aliases left out."""
    keys = list(keys)
    groups = [(title, [m for m in metrics if m.key in keys]) for title, metrics in GROUPS]
    others = [key for key in keys if key not in METRICS and key not in ALIASES]
    groups.append(("Others", [Metric(key, key.replace("_", " "), "") for key in others]))
    return [(title, metrics) for title, metrics in groups if metrics]
