"""Topics of a review, in the order of the report: what each draws, says, and prints as a section.

What a reviewer asks beyond accuracy. Each topic has a module of its own; a run that was evaluated
before a topic existed lacks it in all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.figure import PageFigure
from pneumoscope.report.kit.page import PageSection
from pneumoscope.report.kit.rows import Remark
from pneumoscope.report.review import (
    abstention,
    calibration,
    net_benefit,
    points,
    prevalence,
    shortcuts,
    subgroups,
)
from pneumoscope.report.review.context import ReportContext


@dataclass(frozen=True, slots=True)
class Topic:
    """One question of a reviewer. ``words`` are empty, and ``figures`` none, where the run was not
    asked it; ``lead`` introduces the words."""

    section: PageSection[ReportContext]
    lead: str = ""
    words: Callable[[EvaluatedRun], str] | None = None
    figures: Callable[[EvaluatedRun], Iterator[PageFigure]] | None = None


TOPICS = (
    Topic(
        PageSection("operating", "Operating points", points.gather),
        "Operating points.",
        points.words,
    ),
    Topic(
        PageSection("calibration", "Calibration", calibration.gather),
        "Calibration.",
        calibration.words,
        calibration.figures,
    ),
    Topic(
        PageSection("prevalence", "What a call is worth", prevalence.gather),
        "Prevalence.",
        prevalence.words,
        prevalence.figures,
    ),
    Topic(
        PageSection("decision", "Net benefit", net_benefit.gather),
        "Net benefit.",
        net_benefit.words,
        net_benefit.figures,
    ),
    Topic(
        PageSection("subgroups", "Subgroups", subgroups.gather),
        "Subgroups.",
        subgroups.words,
        subgroups.figures,
    ),
    Topic(
        PageSection("abstention", "When to abstain", abstention.gather),
        "Abstention.",
        abstention.words,
        abstention.figures,
    ),
    Topic(
        PageSection("shortcuts", "Does it read the lungs?", shortcuts.gather),
        "Shortcuts.",
        shortcuts.words,
    ),
)


def draw_topics(run: EvaluatedRun) -> Iterator[PageFigure]:
    """The figures that the evaluation allows. Call within ``figure.house_style``."""
    for topic in TOPICS:
        if topic.figures:
            yield from topic.figures(run)


def topic_remarks(run: EvaluatedRun) -> list[Remark]:
    """One or two sentences on each topic that was evaluated."""
    said = [Remark(topic.lead, topic.words(run)) for topic in TOPICS if topic.words]
    return [remark for remark in said if remark.text]
