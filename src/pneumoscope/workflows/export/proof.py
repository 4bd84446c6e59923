"""Proof of an export: on which films it is held against the run, before it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pneumoscope.devices import has_bf16
from pneumoscope.export.certificate import TOLERANCE, Asked, Check, compare, phantoms
from pneumoscope.inference.exported import GraphEngine
from pneumoscope.inference.members import Members
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Listener
from pneumoscope.manifest import CertificateEntry
from pneumoscope.models.bundle import Bundle
from pneumoscope.plain import to_plain
from pneumoscope.records import Grey
from pneumoscope.workflows.export.films import OwnFilms


@dataclass(frozen=True, slots=True)
class Proof:
    """What is compared: ``members`` as they were trained, ``bundles`` the same in float32, by
    which the graph was written, and their own ``films``."""

    members: Members
    bundles: Sequence[Bundle]
    films: OwnFilms

    def certificate(self, graph: GraphEngine, listener: Listener) -> CertificateEntry:
        """What ``graph`` was held against. Raises NotExportable where it answers otherwise."""
        return {
            "tolerance": TOLERANCE,
            "checks": self.checks(graph, listener),
            "not_tried": list(self._not_tried()),
            "bf16_difference": self._bf16_difference(phantoms(self.members.spec)),
        }

    def checks(self, graph: GraphEngine, listener: Listener) -> list[dict[str, Any]]:
        """Each comparison, as plain data. Raises NotExportable."""
        checks = []
        for check in self._checks(graph):
            films = f"{check.count:,} films ({check.films}, {graph.runtime})"
            same = f"logits differ by {check.largest_difference:.1g} at most"
            listener.choice(check.model, films, same)
            checks.append(to_plain(check))
        return checks

    def _checks(self, graph: GraphEngine) -> Iterator[Check]:
        drawn = phantoms(self.members.spec)
        if len(self.bundles) > 1:
            yield compare(self._asked("mean", self.bundles, None), graph, "phantoms", drawn)
        for place, bundle in enumerate(self.bundles):
            name = "model" if len(self.bundles) == 1 else f"member {place + 1}"
            one = self._asked(name, [bundle], place)
            yield compare(one, graph, "phantoms", drawn)
            if self.films.sets is not None:
                own = self.films.sets[place]
                yield compare(one, graph, "validation", own.images, own.rows("val"))

    def _asked(self, name: str, bundles: Sequence[Bundle], column: int | None) -> Asked:
        alone = len(bundles) == 1
        points = bundles[0].operating_points if alone else self.members.operating_points
        return Asked(name, Predictor(bundles, calibrated=True), column, points)

    def _not_tried(self) -> Iterator[str]:
        if self.films.sets is None:
            yield f"validation films: those of the run cannot be had ({self.films.why})"
        if len(self.bundles) > 1:
            yield "the mean on validation films, for what is validation to one trained another"

    def _bf16_difference(self, drawn: Grey) -> float | None:
        """The largest difference of the run's own answers in bf16 to those in float32."""
        trained = self.members.bundles
        if all(bundle.precision != "bf16" for bundle in trained) or not has_bf16("cpu"):
            return None
        rows = np.arange(len(drawn))
        answers = [
            Predictor(each, calibrated=True).logits(drawn, rows) for each in (trained, self.bundles)
        ]
        return float(np.abs(answers[0] - answers[1]).max())


def proof_of(members: Members, films: OwnFilms) -> Proof:
    """Of ``members``, who answer in float32 whatever they were trained in."""
    bundles = [replace(bundle, precision="float32") for bundle in members.bundles]
    return Proof(members, bundles, films)
