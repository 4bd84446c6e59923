"""Folder of an adapted model: a run that opens in every command, written whole or not at all."""

from __future__ import annotations

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
from pneumoscope.workflows.adapt.parent import Parent
from pneumoscope.workflows.adapt.site import UNKNOWN, Site, network_films


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of an adaptation: ``logits`` (N,) are those of the carried model on its scale,
    ``validation`` the site's rows on which thresholds were chosen, None where they were not."""

    parent: Parent
    site: Site
    bundle: Bundle
    card: SiteCard
    logits: Floats
    validation: pd.DataFrame | None

    @property
    def same_network(self) -> bool:
        return self.bundle.network is self.parent.bundle.network


def write_adapted(
    found: Adapted, to_label: pd.DataFrame, out: Path | None, listener: Listener
) -> Path:
    """Write the folder and return it. Raises OutputExists, OutputNotWritable."""
    entry = _entry(found)
    bundle = replace(found.bundle, lineage=_lineage(found.bundle.lineage, entry))
    predictions = _own_predictions(found, listener)
    counts = {str(why): int(n) for why, n in to_label["why"].value_counts().items()}
    card = replace(found.card, to_label=counts)
    site_rows = _site_rows(found, listener)
    reference = _reference(found)

    def fill(draft: Path, name: str) -> None:
        files = Run(draft)
        write_atomic(files.recipe_file, found.parent.run.recipe_file.read_text("utf-8"))
        write_json(files.manifest_file, {"schema": SCHEMA, "name": name, **_manifest(found, entry)})
        if reference is not None:
            save_reference(files.reference_file, reference)
        write_atomic(files.predictions_file, predictions_text(predictions))
        _judge(files, bundle, predictions, found)
        write_atomic(files.site_films_file, site_rows.to_csv(index=False))
        if len(to_label):
            write_atomic(files.to_label_file, to_label.to_csv(index=False))
        named = replace(card, name=name)
        write_card(files.site_file, named)
        write_site_page(draft, named)
        save_bundle(bundle, draft)

    return create_folder(out, f"adapt-{found.parent.name}", fill)


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


def _site_rows(found: Adapted, listener: Listener) -> pd.DataFrame:
    """A row for each film of the site: its label, where it has one, and the probability that the
    carried and the adapted model give it."""
    site, bundle = found.site, found.bundle
    after = found.logits
    if not found.same_network:
        after = found.parent.logits(bundle, site.prepared, site.rows, listener)
        after = after / bundle.temperature
    table = site.table[["image_id", "patient_id"]].copy()
    labels = pd.array(np.where(site.labels == UNKNOWN, 0, site.labels), dtype="Int64")
    labels[site.labels == UNKNOWN] = pd.NA
    own = pd.Series(np.nan, index=table["image_id"])
    if found.validation is not None:
        own[found.validation["image_id"]] = found.validation["probability"].to_numpy()
    return table.assign(
        label=labels,
        carried=[probability_text(each) for each in probability(found.logits)],
        adapted=[probability_text(each) for each in probability(after)],
        cross_fitted=[probability_text(each) if each == each else "" for each in own],
    )
