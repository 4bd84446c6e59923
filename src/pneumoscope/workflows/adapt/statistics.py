"""Statistics of a site: whether the batch norms of a model take those of its films, by a rule.

The rule needs no label and was fixed on shifts made of validation films alone (docs/log.md): taking
the statistics of all layers gains where the share of pneumonia is that of training, and harms,
sometimes much, where it is not. So films are drawn until as many are called pneumonia as in
training, and what came of it is refused where the scores say that it went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.evaluation.site.card import StatisticsChoice
from pneumoscope.inference.predictor import views_of
from pneumoscope.listener import Listener
from pneumoscope.metrics.scores import Floats
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.models.adapted.statistics import EARLY, batch_norms, estimated, with_statistics
from pneumoscope.models.bundle import Bundle
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import Site

LEAST = 100
"""Films below which no statistics are taken."""
_BATCH, _DRAWN = 48, 480
PARTS = {"all": 1.0, "early": EARLY}
"""What is tried, the whole first: the part of the batch norms that takes the films' statistics."""
MOST_CALLED = 0.15
"""How much the share of films that are called pneumonia may change."""
SPREADS = (0.75, 1.33)
"""Between which parts of what it was the standard deviation of the logits must lie."""
AGREEMENT = 0.85
"""The least correlation of the logits before and after."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was chosen, with the bundle that has it: the parent's own where nothing was taken."""

    choice: StatisticsChoice
    bundle: Bundle


def choose_statistics(
    parent: Parent,
    site: Site,
    logits: Floats,
    differences: tuple[SetDifference, ...],
    listener: Listener,
) -> Statistics:
    """The statistics that the rule takes. ``logits`` (N,) are the carried model's, on its scale."""
    if why := _why_not(parent, site, differences):
        return own_statistics(parent, logits, why)
    listener.stage(f"Take the statistics of {len(site):,} films")
    bundles = tried_statistics(parent, site.prepared, balanced_rows(parent, site, logits))
    refused = ""
    for part, bundle in bundles.items():
        after = parent.logits(bundle, site.prepared, site.rows, listener) / bundle.temperature
        choice = _measured(parent, part, logits, after)
        wrong = _gone_wrong(choice)
        if not wrong:
            said = f"{_PARTS[part]} take the means and variances of these films{refused}"
            return Statistics(replace(choice, part=part, why=said), bundle)
        refused = f"; those of all layers were refused, for {wrong}"
    return Statistics(replace(choice, why=f"refused, for {wrong}"), parent.bundle)


def own_statistics(parent: Parent, logits: Floats, why: str) -> Statistics:
    """The statistics that the model came with, and why it keeps them."""
    called = (_called(parent, logits),) * 2
    choice = StatisticsChoice("none", "none", why, logits.size, called, np.nan, np.nan)
    return Statistics(choice, parent.bundle)


_PARTS = {"all": "the batch norms of all layers", "early": "the batch norms of the early layers"}


def can_estimate(parent: Parent, site: Site) -> bool:
    """Whether the network has batch norms, and the site films enough for their statistics."""
    return bool(batch_norms(parent.bundle.network)) and len(site) >= LEAST


def _why_not(parent: Parent, site: Site, differences: tuple[SetDifference, ...]) -> str:
    if not batch_norms(parent.bundle.network):
        return "the network has no batch norm that sees films at one size alone"
    if len(site) < LEAST:
        return f"{len(site):,} films, and the rule asks for {LEAST}"
    if all(each.verdict == "alike" for each in differences):
        return "no difference to the training films is shown, so there is nothing to gain"
    return ""


def balanced_rows(parent: Parent, site: Site, logits: Floats) -> NDArray[np.int64]:
    """Rows of the site's films, drawn so that as large a share is called pneumonia as in training
    films has it: else the statistics would hold the site's share too, and the model forget it."""
    called = logits >= parent.threshold
    share = float(parent.validation().labels.mean())
    draw = np.random.default_rng(0)
    if not called.any() or called.all() or not 0 < share < 1:
        return draw.permutation(site.rows)
    weights = np.where(called, share / called.sum(), (1 - share) / (~called).sum())
    count = min(_DRAWN, max(len(site), 4 * _BATCH))
    return np.asarray(draw.choice(site.rows, count, p=weights / weights.sum()))


def tried_statistics(
    parent: Parent, prepared: PreparedSet, rows: NDArray[np.int64]
) -> dict[str, Bundle]:
    """The bundle with the statistics of ``rows``, by the part that takes them."""
    bundle = parent.bundle

    def batches() -> Iterator[Tensor]:
        for part in np.array_split(rows, max(1, round(len(rows) / _BATCH))):
            yield torch.from_numpy(np.asarray(prepared.images[part])).to(parent.device)

    new = estimated(
        bundle.network.to(parent.device), batches(), lambda films: views_of(bundle, films)
    )
    return {
        part: replace(bundle, network=with_statistics(bundle.network, new, share))
        for part, share in PARTS.items()
    }


def _called(parent: Parent, logits: Floats) -> float:
    return float((logits >= parent.threshold).mean())


def _measured(parent: Parent, part: str, before: Floats, after: Floats) -> StatisticsChoice:
    spread = float(after.std() / max(float(before.std()), 1e-9))
    both = np.corrcoef(before, after)[0, 1] if before.std() and after.std() else np.nan
    called = (_called(parent, before), _called(parent, after))
    return StatisticsChoice("none", part, "", before.size, called, spread, float(both))


def _gone_wrong(choice: StatisticsChoice) -> str:
    """What the scores say against it; empty where nothing does."""
    before, after = choice.called
    if not abs(after - before) <= MOST_CALLED:
        return f"{before:.0%} of the films were called pneumonia and would be {after:.0%}"
    if not SPREADS[0] <= choice.spread <= SPREADS[1]:
        return f"the spread of the scores would be {choice.spread:.2f} times what it was"
    if not choice.agreement >= AGREEMENT:
        return f"the scores would agree with those before by {choice.agreement:.2f} only"
    return ""
