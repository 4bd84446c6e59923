"""Context of a run's report: all that its sections draw on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.figure import PageFigure
from pneumoscope.report.kit.films import HiddenLookup, ImageLookup
from pneumoscope.report.kit.gallery import Gallery
from pneumoscope.report.kit.heat import Heatmaps


@dataclass(frozen=True, slots=True)
class ReportContext:
    """All that a section may draw on."""

    run: EvaluatedRun
    figures: Mapping[str, PageFigure]
    gallery: Gallery
    film: ImageLookup
    heat: Heatmaps = field(default_factory=Heatmaps)
    hidden: HiddenLookup | None = None

    def drawn(self, *names: str) -> list[PageFigure]:
        """The figures of these names that this run has."""
        return [self.figures[name] for name in names if name in self.figures]
