"""Sites: how well the site of a film predicts its label, and how well a film tells its site.

Where both do, a model can read the label off the site without looking at the lungs, and figures of
all sites pooled reward it for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.audit.baselines import (
    FEWEST,
    FOLDS,
    cross_validated,
    in_all_folds,
    linear,
    patient_folds,
)
from pneumoscope.audit.features import coarse_greys
from pneumoscope.audit.findings import Finding, Severity
from pneumoscope.data.prepared import sites_of
from pneumoscope.formatting import brief, listed, percent
from pneumoscope.metrics.intervals import delong
from pneumoscope.readings import Estimate
from pneumoscope.records import CLASSES

_TELLS = 0.6
"""Lower end of an interval from which the site is called a shortcut: .1 beyond chance, as for the
border."""


@dataclass(frozen=True, slots=True)
class SiteTold:
    """How well thumbnails tell the films of one class of ``site`` from those of the other sites:
    how many there are of each, and the AUROC, cross-validated over patients; None where there are
    too few, which ``why_not`` says."""

    site: str
    label: str
    films: int
    others: int
    auroc: Estimate | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class SitesTold:
    """``by_site`` is the AUROC of the label where a film is scored by the share of pneumonia at its
    site, ``shares``; ``told`` how well films tell their sites."""

    by_site: Estimate
    shares: Mapping[str, float]
    told: tuple[SiteTold, ...]

    @property
    def label_words(self) -> str:
        """How well the site tells the label, in a sentence."""
        parts = [f"{percent(share)} of {site}" for site, share in self.shares.items()]
        return (
            f"The site alone tells the class with AUROC {brief(self.by_site)}: of its films "
            f"{listed(parts)} show pneumonia."
        )

    @property
    def film_words(self) -> str:
        """How well films tell their site, in a sentence; empty where that was not measured."""
        parts = [
            f"{each.label} films of {each.site} from those of other sites with AUROC "
            f"{brief(each.auroc)}"
            for each in self.told
            if each.auroc
        ]
        return f"8 × 8 thumbnails tell {listed(parts)}." if parts else ""

    @property
    def is_shortcut(self) -> bool:
        """Whether films tell their site, and the site the label."""
        films = [each.auroc.low for each in self.told if each.auroc]
        return self.by_site.low >= _TELLS and max(films, default=0.0) >= _TELLS


def measure_sites(
    table: pd.DataFrame,
    thumbs: NDArray[np.uint8],
    rows: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> SitesTold | None:
    """Of the labelled films of a joined table, or of its ``rows``; ``thumbs`` is uint8 (N, 32, 32).
    None where the films are of one site, or of one class."""
    known = table["label"].notna().to_numpy(bool)
    rows = np.flatnonzero(known) if rows is None else rows[known[rows]]
    part, thumbs = table.iloc[rows], thumbs[rows]
    sites, labels = sites_of(part), part["label"].to_numpy(np.int64)
    if len(sites) < 2 or len(np.unique(labels)) < 2:  # noqa: PLR2004
        return None
    shares = part["label"].astype(float).groupby(part["site"], sort=False).mean()
    by_site = delong(labels, np.asarray(part["site"].map(shares), np.float64))
    # Of two sites each is told as well as the other.
    told = sites[:1] if len(sites) == 2 else sites  # noqa: PLR2004
    return SitesTold(
        by_site,
        {str(site): float(share) for site, share in shares.items()},
        tuple(
            _tell(part[labels == label], thumbs[labels == label], site, name, seed)
            for site in told
            for label, name in enumerate(CLASSES)
        ),
    )


def _tell(
    part: pd.DataFrame, thumbs: NDArray[np.uint8], site: str, label: str, seed: int
) -> SiteTold:
    here = np.asarray(part["site"] == site, np.int64)
    found = SiteTold(site, label, int(here.sum()), int((1 - here).sum()))
    if min(found.films, found.others) < FEWEST:
        return replace(found, why_not=f"fewer than {FEWEST} films on one side")
    fold = patient_folds(part, here, seed)
    if not in_all_folds(here, fold):
        return replace(found, why_not=f"fewer than {FOLDS} patients on one side")
    return replace(found, auroc=cross_validated(coarse_greys(thumbs), here, fold, linear))


def site_findings(found: SitesTold | None) -> Iterator[Finding]:
    """What sites tell of labels, and films of sites."""
    if found is None:
        return
    severity: Severity = "warning" if found.is_shortcut else "info"
    remedy = (
        "Read figures by site: all films pooled reward a model for telling the site. Training "
        "draws each class of each site alike (train.sites=balanced)."
    )
    films = sum(each.films + each.others for each in found.told if each.site == found.told[0].site)
    yield Finding("SITE-TELLS-LABEL", severity, found.label_words, films, remedy)
    if found.film_words:
        yield Finding("FILM-TELLS-SITE", severity, found.film_words, films, remedy)
