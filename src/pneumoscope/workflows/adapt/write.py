"""Folder of an adapted model: a run that opens in every command, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import pneumoscope
from pneumoscope.data.prepared import facts_of
from pneumoscope.evaluation.choices import Choices, on_validation
from pneumoscope.evaluation.evaluate import evaluate_split
from pneumoscope.evaluation.predictions import at_temperature, predictions_text
from pneumoscope.evaluation.results import write_evaluation
from pneumoscope.evaluation.site.card import SiteCard, write_card
from pneumoscope.evaluation.site.labelling import films_to_label
from pneumoscope.formatting import probability_text
from pneumoscope.imaging.known.reference import Reference, save_reference, with_films
from pneumoscope.imaging.thumbnails import LOOK, thumbnails
from pneumoscope.listener import Listener
from pneumoscope.manifest import AdaptedEntry, Lineage, Manifest
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import Floats, probability
from pneumoscope.models.bundle import Bundle, save_bundle
from pneumoscope.report.site.page import write_site_page
from pneumoscope.run import SCHEMA, Run, create_folder
from pneumoscope.storage import write_atomic, write_json
from pneumoscope.workflows.adapt.local import LocalModel
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import UNKNOWN, Site, network_films


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of an adaptation: ``logits`` (N,) are those of the carried model on its scale,
    ``local`` what labelled films decided, None where there were none that could."""

    parent: Parent
    site: Site
    bundle: Bundle
    card: SiteCard
    logits: Floats
    local: LocalModel | None

    @property
    def same_network(self) -> bool:
        return self.bundle.network is self.parent.bundle.network

    @property
    def validation(self) -> pd.DataFrame | None:
        """The site's rows on which thresholds were chosen, None where they were not."""
        here = self.local is not None and self.local.result.local_thresholds
        return self.local.table if self.local is not None and here else None


def write_adapted(found: Adapted, out: Path | None, listener: Listener) -> Path:
    """Write the folder and return it. Raises OutputExists, OutputNotWritable."""
    scores = site_scores(found, listener)
    return create_folder(out, f"adapt-{found.parent.name}", filler(found, scores, listener))


def filler(found: Adapted, scores: SiteScores, listener: Listener) -> Callable[[Path, str], None]:
    """What writes all files of an adapted model into a draft of its folder, given its name. The
    films are read with it before, so that the draft is there for a moment alone."""
    entry = _entry(found)
    bundle = replace(found.bundle, lineage=_lineage(found.bundle.lineage, entry))
    predictions = _own_predictions(found, listener)
    reference = _reference(found)

    def fill(draft: Path, name: str) -> None:
        files = Run(draft)
        write_atomic(files.recipe_file, found.parent.run.recipe_file.read_text("utf-8"))
        write_json(files.manifest_file, {"schema": SCHEMA, "name": name, **_manifest(found, entry)})
        if reference is not None:
            save_reference(files.reference_file, reference)
        write_atomic(files.predictions_file, predictions_text(predictions))
        _judge(files, bundle, predictions, found)
        write_site(draft, replace(found.card, name=name), found.site, scores)
        save_bundle(bundle, draft)

    return fill


@dataclass(frozen=True, slots=True)
class SiteScores:
    """Logits (N,) of all films of a site by the ``carried`` and the ``adapted`` model, each on its
    own scale, and ``cross_fitted``, NaN where a film has none; ``threshold`` is the carried
    model's, as a logit."""

    carried: Floats
    adapted: Floats
    cross_fitted: Floats
    threshold: float


def write_site(draft: Path, card: SiteCard, site: Site, scores: SiteScores) -> None:
    """The site card, as JSON and page, a row for each film, and which films to label first."""
    files = Run(draft)
    write_atomic(files.site_films_file, _site_rows(site, scores).to_csv(index=False))
    to_label = _to_label(site, scores)
    if len(to_label):
        write_atomic(files.to_label_file, to_label.to_csv(index=False))
    counts = {str(why): int(n) for why, n in to_label["why"].value_counts().items()}
    card = replace(card, to_label=counts)
    write_card(files.site_file, card)
    write_site_page(draft, card)


def _to_label(site: Site, scores: SiteScores) -> pd.DataFrame:
    left = np.setdiff1d(np.arange(len(site)), site.known)
    ids = site.table["image_id"].to_numpy(object)
    logits = scores.carried[left]
    return films_to_label(ids[left], logits, site.patients[left], scores.threshold)


def _entry(found: Adapted) -> AdaptedEntry:
    card = found.card
    return {
        "parent": card.parent,
        "parent_sha256": card.parent_sha256,
        "data": card.films.name,
        "fingerprint": card.fingerprint,
        "films": card.films.used,
        "labelled": card.films.labelled,
        "changed": list(card.changed),
    }


def _lineage(trained: Lineage, entry: AdaptedEntry) -> Lineage:
    """What the model was trained on, and what it was carried to."""
    return {
        **trained,
        "parent_sha256": entry["parent_sha256"],
        "site": entry["fingerprint"],
        "changed": entry["changed"],
    }


def _manifest(found: Adapted, entry: AdaptedEntry) -> Manifest:
    """That of the parent, whose films the model was trained on, and what was changed since."""
    card, kept = found.card, dict(found.parent.manifest)
    for key in ("schema", "name", "timing"):
        kept.pop(key, None)
    said = " and ".join(card.changed) or "nothing: no rule spoke for a change"
    choice = {"what": "adapted", "choice": card.films.name, "why": said}
    return {
        **kept,  # type: ignore[typeddict-item]
        "version": pneumoscope.__version__,
        "created": card.created,
        "command": card.command,
        "timing": {},
        "choices": [*found.parent.manifest.get("choices", []), choice],
        "adapted": entry,
    }


def _own_predictions(found: Adapted, listener: Listener) -> pd.DataFrame:
    """What the adapted model makes of the films that its parent was judged on; none where they
    are gone and the network is another. Validation rows are those on which it was tuned."""
    parent = found.parent
    table = at_temperature(parent.predictions, 1.0)
    if not found.same_network:
        if parent.own is None:
            table = table.iloc[:0]
        else:
            listener.stage("Read the parent's own films with the adapted model")
            rows = {image: row for row, image in enumerate(parent.own.table["image_id"])}
            places = np.array([rows[image] for image in table["image_id"]], np.int64)
            raw = parent.logits(found.bundle, parent.own, places, listener)
            table = table.assign(raw_logit=raw, logit=raw, probability=probability(raw))
    if found.validation is not None:
        table = pd.concat([found.validation, table[table["split"] != "val"]], ignore_index=True)
    return at_temperature(table, found.bundle.temperature)


def _judge(files: Run, bundle: Bundle, predictions: pd.DataFrame, found: Adapted) -> None:
    """``metrics.json`` of the parent's own test films, so that a loss at home is seen; none where
    these are gone."""
    if not (predictions["split"] == "test").any():
        return
    settings = IntervalSettings(seed=int(found.parent.manifest["seed"]))
    choices = Choices(bundle.operating_points, bundle.calibration, bundle.conformal)
    choices = on_validation(choices, predictions, settings)
    own = found.parent.own
    facts = facts_of(own.table) if own is not None else None
    write_evaluation(
        files.metrics_file,
        evaluate_split(predictions, split="test", choices=choices, facts=facts, settings=settings),
    )


def _reference(found: Adapted) -> Reference | None:
    """What the parent keeps of its films, and the site's where they had a part in the model."""
    kept = found.parent.reference
    if kept is None or not found.card.changed:
        return kept
    everything = np.arange(len(found.site))
    by_films = not found.same_network or found.validation is not None
    places = everything if found.card.local is None else found.site.known
    looks = thumbnails(network_films(found.site, places), LOOK)
    return with_films(kept, looks, "train" if by_films else "val")


def site_scores(found: Adapted, listener: Listener) -> SiteScores:
    """What the carried and the adapted model make of the films of the site."""
    site, bundle = found.site, found.bundle
    after = found.logits
    if not found.same_network:
        after = found.parent.logits(bundle, site.prepared, site.rows, listener)
        after = after / bundle.temperature
    own = np.full(len(site), np.nan)
    if found.validation is not None:
        own[site.known] = found.validation["logit"].to_numpy()
    return SiteScores(found.logits, after, own, found.parent.threshold)


def _site_rows(site: Site, scores: SiteScores) -> pd.DataFrame:
    """A row for each film of the site: its label, where it has one, and the probability that the
    carried and the adapted model give it."""
    labels = pd.array(np.where(site.labels == UNKNOWN, 0, site.labels), dtype="Int64")
    labels[site.labels == UNKNOWN] = pd.NA
    columns = ("carried", "adapted", "cross_fitted")
    return site.table[["image_id", "patient_id"]].assign(
        label=labels, **{name: _texts(getattr(scores, name)) for name in columns}
    )


def _texts(logits: Floats) -> list[str]:
    chances = probability(logits)
    return [probability_text(each) if each == each else "" for each in chances]
