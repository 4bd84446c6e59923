"""Share of pneumonia without labels: how often it is answered, and how often its interval holds it.

    python benchmarks/share_coverage.py RUN              # validation films: half knows, half is new
    python benchmarks/share_coverage.py RUN --phantoms   # RUN's own, and new phantoms as the site

RUN is a run of Kaggle's films, or of phantoms for ``--phantoms``. Films are drawn to a share of .1
to .9, in turns, each film by chance; nothing else of them is another. No test film is read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.inference.predictor import Predictor
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import Floats
from pneumoscope.metrics.shift.share import Scored, estimate_share
from pneumoscope.workflows.adapt.parent import Parent, open_parent

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NEW, MOST = 3000, 300
"""Phantoms that are drawn, and films of a site at most."""


def halves(scored: Scored, turns: int) -> Iterator[tuple[Scored, Scored]]:
    """Validation films of a random half of the patients, which are known, and of the others."""
    people = np.unique(scored.patients)
    for turn in range(turns):
        known = np.isin(
            scored.patients, np.random.default_rng(turn).choice(people, people.size // 2)
        )
        yield part(scored, known), part(scored, ~known)


def part(scored: Scored, which: NDArray[np.bool_]) -> Scored:
    return Scored(scored.logits[which], scored.labels[which], scored.patients[which])


def phantoms(parent: Parent) -> Scored:
    """New phantoms as the model reads them, each a patient."""
    labels = np.arange(NEW) % 2
    drawn = (draw_phantom(77, i, label=int(label), size=96) for i, label in enumerate(labels))
    films = np.stack([fit_square(each.image, parent.spec) for each in drawn])
    raw = Predictor([parent.bundle], parent.device).logits(films, np.arange(NEW))
    return Scored(raw / parent.bundle.temperature, labels, np.arange(NEW))


def of_share(scored: Scored, share: float, draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Logits and patients of MOST films at most, each with pneumonia by a chance of ``share``."""
    sick, well = (draw.permutation(np.flatnonzero(scored.labels == each)) for each in (1, 0))
    count = int(min(MOST, sick.size / share, well.size / (1 - share)))
    ill = int(draw.binomial(count, share))
    some = np.concatenate([sick[:ill], well[: count - ill]])
    return scored.logits[some], np.unique(scored.patients[some], return_inverse=True)[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--phantoms", action="store_true")
    parser.add_argument("--turns", type=int, default=20)
    given = parser.parse_args()
    parent = open_parent(given.run, Silent())
    known = parent.validation()
    if given.phantoms:
        new = phantoms(parent)
        pairs = [(known, new)] * given.turns
    else:
        pairs = list(halves(known, given.turns))
    whole: list[bool] = []
    refused: Counter[str] = Counter()
    for share in SHARES:
        held, films = [], 0
        for turn, (own, site) in enumerate(pairs):
            logits, patients = of_share(site, share, np.random.default_rng([turn, 1]))
            films = max(films, logits.size)
            found = estimate_share(own, logits, patients, parent.threshold, turn)
            if found.told is not None:
                held.append(found.told.low <= share <= found.told.high)
            refused.update([found.refused] if found.refused else [])
        whole += held
        print(f"share {share}: {films} films, {said(held, len(pairs))}", flush=True)
    print(f"all: {said(whole, len(pairs) * len(SHARES))}")
    for why, times in refused.most_common():
        print(f"refused {times} times: {why}")


def said(held: list[bool], asked: int) -> str:
    covered = f"{np.mean(held):.3f}" if held else "none"
    return f"answered {len(held)} of {asked}, interval holds the share in {covered} of these"


if __name__ == "__main__":
    main()
