"""Adaptation: a finished model carried to the films of a new site, as a new model folder.

It says how far the films are from the training films, takes their statistics or leaves it by a
rule, estimates the share of pneumonia, and where films have labels judges the carried model on them
and keeps the way of adapting it that other patients' films speak for. The parent is not altered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import pneumoscope
from pneumoscope.devices import use_all_cores
from pneumoscope.errors import InputError
from pneumoscope.evaluation.site.card import NOT_VALIDATED, SCHEMA, SiteCard
from pneumoscope.listener import Listener, Silent
from pneumoscope.metrics.scale import shifted, shifted_conformal
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.metrics.shift.share import ShareEstimate, estimate_share
from pneumoscope.models.adapted.heads import rescaled
from pneumoscope.models.bundle import Bundle, bundle_digest
from pneumoscope.run import check_output
from pneumoscope.storage import timestamp
from pneumoscope.workflows.adapt.differences import differences_of
from pneumoscope.workflows.adapt.ensemble import write_ensemble
from pneumoscope.workflows.adapt.general import Seen, general_network
from pneumoscope.workflows.adapt.local import LocalModel, local_model, why_no_labels
from pneumoscope.workflows.adapt.parent import Parent, open_parents
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.adapt.site import Site, read_site
from pneumoscope.workflows.adapt.statistics import (
    Statistics,
    choose_statistics,
    own_statistics,
)
from pneumoscope.workflows.adapt.ways import Material, features_of, slope_words, ways_of
from pneumoscope.workflows.adapt.write import Adapted, write_adapted


def adapt(
    request: AdaptRequest,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Path:
    """Carry the model of ``request.run`` to the films of ``request.data``: a new folder that opens
    in every command, with ``site.json`` and the site card; returned.

    An ensemble is carried member by member, each to the same films, and stays an ensemble.

    Raises NotARun, BadWeights for a run that is not complete; InputError for films that the model
    was made from, too few films, a share that cannot be moved to; OutputExists.
    """
    listener = listener or Silent()
    request.check()
    check_output(out)
    use_all_cores()
    listener.stage("Open the model")
    parents = open_parents(request, listener)
    site = read_site(request, parents, listener)
    members = []
    seen: Seen = {}
    for number, parent in enumerate(parents, 1):
        if len(parents) > 1:
            listener.stage(f"Member {number} of {len(parents)}: {parent.run.folder.name}")
        members.append(_carried(request, parent, site, command, listener, seen))
    listener.stage("Write the model and the site card")
    if len(members) > 1:
        return write_ensemble(request.run, members, out, listener)
    return write_adapted(members[0], out, listener)


def _carried(
    request: AdaptRequest,
    parent: Parent,
    site: Site,
    command: str,
    listener: Listener,
    seen: Seen,
) -> Adapted:
    """One model, carried to the films of ``site``."""
    material = _read(parent, site, listener)
    found = _found_out(request, material, seen)
    decided = _decided(request, found)
    card = _card(material, found, decided, command)
    return Adapted(parent, site, decided.bundle, card, material.logits, found.local)


def _read(parent: Parent, site: Site, listener: Listener) -> Material:
    """What the model makes of the films."""
    listener.stage(f"Read {len(site):,} films with the model")
    logits = parent.logits(parent.bundle, site.prepared, site.rows, listener)
    features = features_of(parent, site, partial(listener.progress, unit="film"))
    return Material(parent, site, logits / parent.bundle.temperature, features, listener)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the films told. ``local`` is None where labels decided nothing, which ``notes`` say."""

    differences: tuple[SetDifference, ...]
    share: ShareEstimate
    statistics: Statistics
    local: LocalModel | None
    notes: tuple[str, ...] = ()


def _found_out(request: AdaptRequest, material: Material, seen: Seen) -> _Findings:
    parent, site, logits = material.parent, material.site, material.logits
    listener = material.listener
    listener.stage("Compare with the training films")
    differences = differences_of(parent, site, material.features, listener)
    share = estimate_share(parent.validation(), logits, site.patients, parent.threshold)
    if why := why_no_labels(site):
        notes = (f"Labels decided nothing: {why}.",) if request.use_labels else ()
        statistics = choose_statistics(parent, site, logits, differences, listener)
        return _Findings(differences, share, statistics, None, notes)
    material = replace(material, general=general_network(parent, site, listener, seen))
    ways = ways_of(material, fine_tune=request.fine_tune)
    local = local_model(parent, site, ways, listener)
    statistics = own_statistics(parent, logits, "labelled films decide what is changed")
    held = slope_words(logits[site.known], site.labels[site.known])
    return _Findings(differences, share, statistics, local, (held,) if held else ())


def _card(material: Material, found: _Findings, decided: _Decided, command: str) -> SiteCard:
    parent, site = material.parent, material.site
    return SiteCard(
        name="",
        schema=SCHEMA,
        version=pneumoscope.__version__,
        created=timestamp(),
        command=command,
        parent=parent.name,
        parent_sha256=bundle_digest(parent.run.folder),
        trained_on=str(parent.manifest["source"]["name"]),
        fingerprint=site.source.fingerprint,
        films=site.counts(parent.reference),
        differences=found.differences,
        statistics=found.statistics.choice,
        share=found.share,
        points=decided.bundle.operating_points,
        changed=decided.changed,
        notes=found.notes,
        moved=decided.moved,
        local=found.local.result if found.local else None,
    )


@dataclass(frozen=True, slots=True)
class _Decided:
    """The bundle that is kept, what of it is another than the parent's, and the share of pneumonia
    that its probabilities were moved to."""

    bundle: Bundle
    changed: tuple[str, ...]
    moved: float | None = None


def _decided(request: AdaptRequest, findings: _Findings) -> _Decided:
    statistics, share, local = findings.statistics, findings.share, findings.local
    if local is not None:
        found = _Decided(local.bundle, _changed_locally(local))
        base = local.result.positives / local.result.films
        if not local.result.local_thresholds:
            found, base = replace(found, bundle=_unvalidated(found.bundle)), share.trained
    else:
        changed = (statistics.choice.why,) if statistics.choice.part != "none" else ()
        found, base = _Decided(_unvalidated(statistics.bundle), changed), share.trained
    if request.share is None:
        return found
    return _moved(found, base, _asked_share(request, share))


def _changed_locally(local: LocalModel) -> tuple[str, ...]:
    kept = next(each for each in local.result.candidates if each.kept)
    first = local.result.candidates[0]
    said = [] if kept is first else [f"{kept.name}: {kept.what}"]
    if local.result.local_thresholds:
        said.append(f"thresholds: {local.result.thresholds}")
    return tuple(said)


def _unvalidated(bundle: Bundle) -> Bundle:
    points = (
        replace(point, rule=f"{point.rule.removesuffix(f'; {NOT_VALIDATED}')}; {NOT_VALIDATED}")
        for point in bundle.operating_points
    )
    return bundle.with_operating_points(*points)


def _asked_share(request: AdaptRequest, share: ShareEstimate) -> float:
    if isinstance(request.share, float):
        return request.share
    if share.told is None:
        raise InputError(
            "the share of pneumonia cannot be told from these films",
            got=share.refused,
            expected="films that differ from the training films by that share alone",
            remedy="name a share that you know: --share 0.1, or leave --share out",
        )
    return min(max(share.told.value, 0.005), 0.995)


def _moved(found: _Decided, base: float, share: float) -> _Decided:
    """Probabilities at another share of pneumonia (Saerens 2002): each logit is moved by the
    difference of log odds, and thresholds with it, so that no decision is another."""
    offset = float(np.log(share / (1 - share)) - np.log(base / (1 - base)))
    bundle = found.bundle
    points = [
        replace(point, threshold=shifted(point.threshold, offset))
        for point in bundle.operating_points
    ]
    withhold = shifted_conformal(bundle.conformal, offset) if bundle.conformal else None
    moved = replace(
        bundle,
        network=rescaled(bundle.network, 1.0, offset * bundle.temperature),
        operating_points=tuple(points),
        conformal=withhold,
    )
    said = (
        f"probabilities moved from a share of pneumonia of {base:.1%} to {share:.1%}, as asked; "
        "thresholds moved with them, so decisions stay"
    )
    return _Decided(moved, (*found.changed, said), share)
