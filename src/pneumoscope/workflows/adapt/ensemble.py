"""Ensemble of adapted models: carried member by member to the same films, and judged as their mean.

The folder holds a folder for each member, a whole adapted model with a card of its own, and the
site card of all of them: what is known here of the mean that answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pneumoscope.evaluation.site.card import NOT_VALIDATED, SiteCard, StatisticsChoice
from pneumoscope.evaluation.site.local import Candidate, LocalResult
from pneumoscope.formatting import listed
from pneumoscope.inference.members import mean_points
from pneumoscope.listener import Listener
from pneumoscope.metrics.scores import Floats
from pneumoscope.metrics.shift.share import ShareEstimate
from pneumoscope.readings import OperatingPoint
from pneumoscope.run import ENSEMBLE, create_folder
from pneumoscope.storage import write_json
from pneumoscope.workflows.adapt.local import LocalModel
from pneumoscope.workflows.adapt.write import Adapted, SiteScores, filler, site_scores, write_site


def write_ensemble(
    folder: Path, members: Sequence[Adapted], out: Path | None, listener: Listener
) -> Path:
    """Write the adapted ``members`` of the ensemble in ``folder`` as one new ensemble, whole or not
    at all; return its folder. Raises OutputExists, OutputNotWritable."""
    scores = [site_scores(each, listener) for each in members]
    fills = [filler(*each, listener) for each in zip(members, scores, strict=True)]
    name = folder.absolute().name
    card = ensemble_card(name, members)
    mean = SiteScores(
        _mean([each.carried for each in scores]),
        _mean([each.adapted for each in scores]),
        _mean([each.cross_fitted for each in scores]),
        float(np.mean([each.threshold for each in scores])),
    )

    def fill(draft: Path, new: str) -> None:
        for place, write in zip(card.members, fills, strict=True):
            (draft / place).mkdir()
            write(draft / place, place)
        write_site(draft, replace(card, name=new), members[0].site, mean)
        write_json(draft / ENSEMBLE, {"members": list(card.members)})

    return create_folder(out, f"adapt-{name}", fill)


def ensemble_card(name: str, members: Sequence[Adapted]) -> SiteCard:
    """What is known of the mean of ``members`` at the site. Differences are by the features of the
    first; a share of pneumonia is told where every member tells one, and is that in the middle."""
    names = tuple(each.parent.run.folder.name for each in members)
    cards = [each.card for each in members]
    digests = "".join(each.parent_sha256 for each in cards)
    local = [each.local for each in members if each.local is not None]
    moved = [each.moved for each in cards if each.moved is not None]
    return replace(
        cards[0],
        parent=name,
        parent_sha256=hashlib.sha256(digests.encode()).hexdigest(),
        statistics=_statistics(cards),
        share=_share([each.share for each in cards]),
        points=_points(members, validated=bool(local)),
        changed=tuple(
            f"{member}: {'; '.join(card.changed)}"
            for member, card in zip(names, cards, strict=True)
            if card.changed
        ),
        notes=_notes(names, cards),
        moved=float(np.median(moved)) if moved else None,
        local=_local(names, local) if local else None,
        members=names,
    )


def _notes(names: Sequence[str], cards: Sequence[SiteCard]) -> tuple[str, ...]:
    """What is remarked of all members once, and of some with their names."""
    told = {note: [n for n, card in zip(names, cards, strict=True) if note in card.notes]
            for card in cards for note in card.notes}  # fmt: skip
    return tuple(
        note if len(of) == len(names) else f"{listed(of)}: {note}" for note, of in told.items()
    )


def _mean(parts: Sequence[Floats]) -> Floats:
    """The mean of the members' logits; NaN where a member has none."""
    return np.asarray(np.mean(parts, axis=0))


def _statistics(cards: Sequence[SiteCard]) -> StatisticsChoice:
    """What the first member took that took any; the others' are on their own cards."""
    return next(
        (each.statistics for each in cards if each.statistics.part != "none"), cards[0].statistics
    )


def _share(found: Sequence[ShareEstimate]) -> ShareEstimate:
    told = sorted(
        (each for each in found if each.told is not None),
        key=lambda each: each.told.value if each.told else 0.0,
    )
    if len(told) == len(found):
        return told[len(told) // 2]
    return next(each for each in found if each.told is None)


def _points(members: Sequence[Adapted], *, validated: bool) -> tuple[OperatingPoint, ...]:
    points = mean_points([each.bundle for each in members])
    if validated:
        return points
    return tuple(replace(point, rule=f"{point.rule}; {NOT_VALIDATED}") for point in points)


def _local(names: Sequence[str], members: Sequence[LocalModel]) -> LocalResult:
    """What the mean of the members reaches on the labelled films. All of them dealt these to the
    same folds, so a film's mean logit too is of models that it had no part in."""
    films, first = members[0].judged, members[0].result
    carried = _mean([each.carried for each in members])
    adapted = _mean([each.adapted for each in members])
    bar = _mean([each.bar for each in members])
    before = _mean([np.full(bar.size, each.judged.parent.threshold) for each in members])
    return replace(
        first,
        carried=films.figures(carried, before),
        adapted=films.figures(adapted, bar),
        candidates=tuple(
            _kept(name, each.result) for name, each in zip(names, members, strict=True)
        ),
        thresholds="the mean of the members', on the logit scale",
        local_thresholds=any(each.result.local_thresholds for each in members),
        gain=films.gain(carried, adapted),
        curve_of=f"{first.curve_of} of {names[0]}",
        needed=films.needed(adapted, bar),
    )


def _kept(member: str, result: LocalResult) -> Candidate:
    """The way that a member keeps, under the member's name."""
    found = next(each for each in result.candidates if each.kept)
    return replace(found, name=member, what=f"{found.name}: {found.what}")
