"""Site card: what is known of a model at a new site, as ``site.json`` holds it.

What came, how far it is from the training films, what was changed and why, what is known at this
site, and which films to look at first. It names no film and no patient; ``to_label.csv`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pneumoscope.evaluation.site.local import LocalResult
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.metrics.shift.share import ShareEstimate
from pneumoscope.readings import OperatingPoint
from pneumoscope.storage import read_record, write_record

SCHEMA = 1
NOT_VALIDATED = "not validated at this site"
"""What an operating point says that was carried to a site where no labelled film judged it."""


@dataclass(frozen=True, slots=True)
class SiteFilms:
    """The films of a site: ``used`` of those ``found``, and how many were ``left_out`` for which
    reason. ``labelled`` of them have a label that was used, ``positives`` show pneumonia.
    ``patients`` is None where some are unknown. ``withheld`` counts those that ``predict`` would
    withhold, None where that cannot be told."""

    name: str
    found: int
    used: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    labelled: int = 0
    positives: int = 0
    patients: int | None = None
    withheld: int | None = None


@dataclass(frozen=True, slots=True)
class StatisticsChoice:
    """Which batch-norm statistics the model took from the site's films: ``part`` is none, early or
    all, ``tried`` what the rule tried; ``why`` in words.

    ``called`` is the share of films that are called pneumonia before and after, ``spread`` the
    standard deviation of the logits after over that before, ``agreement`` their correlation; NaN
    where nothing was tried.
    """

    part: str
    tried: str
    why: str
    films: int
    called: tuple[float, float]
    spread: float
    agreement: float


@dataclass(frozen=True, slots=True)
class SiteCard:
    """All that ``adapt`` found and did, from which its page is written.

    ``parent`` is the model that was carried, by name, and ``parent_sha256`` the digest of its
    weights and of ``model.json``; ``fingerprint`` is that of the site's films. ``differences`` are
    of the training films, by thumbnails and by the network's features. ``moved`` is the share of
    pneumonia that probabilities were moved to, None where they were not. ``changed`` says in
    sentences what differs from the parent, empty where nothing does. ``members`` are the folders
    of an ensemble that was carried member by member, empty for one model.
    """

    name: str
    schema: int
    version: str
    created: str
    command: str
    parent: str
    parent_sha256: str
    trained_on: str
    fingerprint: str
    films: SiteFilms
    differences: tuple[SetDifference, ...]
    statistics: StatisticsChoice
    share: ShareEstimate
    points: tuple[OperatingPoint, ...]
    changed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    moved: float | None = None
    local: LocalResult | None = None
    to_label: Mapping[str, int] = field(default_factory=dict)
    members: tuple[str, ...] = ()


def write_card(file: Path, card: SiteCard) -> None:
    """Write ``site.json``, whole or not at all. Raises OutputNotWritable."""
    write_record(file, card)


def read_card(file: Path) -> SiteCard:
    """What ``write_card`` wrote. Raises NotARun where it is missing or damaged."""
    return read_record(SiteCard, file, (SCHEMA,))
