"""Explanation of a model: the records of ``explain.json``, in the order of its keys. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pneumoscope.explain.localise import Localisation
from pneumoscope.explain.overlay import Box
from pneumoscope.records import InputSpec

SCHEMA = 2
"""In schema 1 probability, logit and threshold were those of raw logits."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The layer that a method looks at, and the cells along a side of its map."""

    name: str
    cells: int


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """A way to make heatmaps, and what it shows."""

    name: str
    title: str
    about: str


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a map is hottest, in pixels of the stored film; ``inside`` the abnormality, None where
    that is not known or the map is cold."""

    x: int
    y: int
    inside: bool | None


@dataclass(frozen=True, slots=True)
class ExplainedFilm:
    """A film, what the model says of it, and where each method's map is hottest.

    ``label`` is None where the truth is not known, ``called`` 1 from ``threshold`` on. ``findings``
    are what ``predict`` remarks; where one of them withholds the decision, ``called`` is none.
    ``pictures`` are the files by what they show: the film, or a method.
    """

    image_id: str
    name: str
    label: int | None
    probability: float
    logit: float
    threshold: float
    called: int
    boxes: tuple[Box, ...]
    peaks: Mapping[str, Peak]
    findings: tuple[str, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much the maps of one shuffled network are those of the trained one, the mean over
    films: Spearman's rank correlation, -1 to 1, and structural similarity, -1 to 1."""

    level: str
    rank: float
    structure: float


@dataclass(frozen=True, slots=True)
class SanityCheck:
    """The check of one method on so many films: likeness at each level, and whether it passed."""

    method: str
    passed: bool
    levels: tuple[Likeness, ...]
    films: int


@dataclass(frozen=True, slots=True)
class LocalisationCheck:
    """How well each method points to the abnormality, by measure, on true positives of a split.

    ``truth`` says by what the place is known, ``area`` its mean part of the film, ``prior`` what
    the fixed map is made of. ``patients`` is None where some are not known.
    """

    films: int
    patients: int | None
    split: str
    truth: str
    area: float
    prior: str
    methods: Mapping[str, Mapping[str, Localisation]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What ``explain.json`` holds: the model of a run, or several, explained on some films.

    ``mirror`` says that each film is also read as its mirror image, ``turned`` by how many degrees
    it is also turned. ``sanity`` is by method, ``layers`` where it looks at one. ``localisation``
    is None where no film's truth is known. ``summary`` and ``caution`` are in words. ``scale`` is
    that of logits, probabilities and thresholds.
    """

    schema: int
    version: str
    created: str
    command: str
    run: str
    members: int
    backbone: str
    explained: str
    layers: Mapping[str, Layer]
    mirror: bool
    turned: float
    seed: int
    input: InputSpec
    which: str
    notes: tuple[str, ...]
    methods: tuple[MethodEntry, ...]
    films: tuple[ExplainedFilm, ...] = ()
    sanity: Mapping[str, SanityCheck] = field(default_factory=dict)
    localisation: LocalisationCheck | None = None
    name: str = ""
    summary: tuple[str, ...] = ()
    caution: str = ""
    scale: str = ""

    @property
    def titles(self) -> dict[str, str]:
        """The title of each method, by its name."""
        return {method.name: method.title for method in self.methods}
