"""What the sections of a report are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pneumoscope.evaluation.gallery import Gallery
from pneumoscope.report.kit.films import Film, Hidden
from pneumoscope.report.kit.heat import Heatmaps
from pneumoscope.report.kit.plates import Plate
from pneumoscope.report.run.folder import Judged

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Material:
    """All that a section may draw on."""

    judged: Judged
    plates: Mapping[str, Plate]
    gallery: Gallery
    film: Film
    heat: Heatmaps = field(default_factory=Heatmaps)
    hidden: Hidden | None = None

    def figures(self, *names: str) -> list[Plate]:
        """The figures of these names that this run has."""
        return [self.plates[name] for name in names if name in self.plates]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page. ``gather`` gives the template's variables, or None to leave it out."""

    name: str
    title: str
    gather: Callable[[Material], Context | None]
