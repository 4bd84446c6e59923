"""How much ``adapt`` gains and where it harms; every line is kept as soon as it is measured.

    python benchmarks/adapt.py rule RUN                  # shifts of RUN's validation films
    python benchmarks/adapt.py halves RUN DATA           # without labels: half adapts, half judges
    python benchmarks/adapt.py labels RUN DATA           # 100 and 200 labelled films

``rule`` is what the rule of ``workflows/adapt/statistics.py`` was fixed by, and reads no test film.
``halves`` opens DATA, so it comes after. Lines go to ``adapt-NAME.jsonl``, which is taken up where
it ended.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from pneumoscope.evaluation.site.crossfit import drawn
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import Floats, auroc
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import DataRequest
from pneumoscope.workflows.adapt.parent import Parent, open_parent
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.adapt.site import Site, read_site
from pneumoscope.workflows.adapt.statistics import (
    balanced_rows,
    choose_statistics,
    tried_statistics,
)
from pneumoscope.workflows.adapt.ways import Material, Way, features_of, ways_of

Films = NDArray[np.uint8]
SHARES = (0.1, 0.2, 0.4, 0.5, 0.6, 0.74, 0.8, 0.9)
FAR = (SetDifference("training films", 400, 400, 1.0, 0.001, 1.0),)


@dataclass
class Kept:
    """A file of lines, each under a key, measured once."""

    file: Path

    def line(self, key: str, measure: Callable[..., dict[str, Any]], *given: Any) -> None:
        done = self.file.read_text().splitlines() if self.file.is_file() else []
        if any(json.loads(each)["key"] == key for each in done):
            return
        found = {"key": key, **measure(*given)}
        with self.file.open("a") as out:
            out.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)


def shifts(films: Films) -> Iterator[tuple[str, Films]]:
    """The same films as another site's might be."""
    draw = np.random.default_rng(0)
    x = torch.from_numpy(films).float()[:, None]
    side = films.shape[-1]
    cut = round(side * 0.075)

    def stored(values: Any) -> Films:
        return np.clip(np.asarray(values), 0, 255).astype(np.uint8)

    yield "as they are", films
    yield "darker", stored(255 * (films / 255) ** 1.6)
    yield "flat", stored((films - 128.0) * 0.5 + 148)
    yield "noise", stored(films + draw.normal(0, 12, films.shape))
    middle = x[..., cut : side - cut, cut : side - cut]
    yield "middle", stored(F.interpolate(middle, (side, side), mode="bilinear")[:, 0])
    soft = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)[:, 0].numpy()
    yield "bright and soft", stored(255 * (soft / 255) ** 0.7)


def rates(
    parent: Parent, bundle: Bundle, site: Site, places: NDArray[np.int64]
) -> dict[str, float]:
    """Accuracy, balanced accuracy and AUROC of films at the carried threshold."""
    raw = parent.logits(bundle, site.prepared, site.rows[places], Silent())
    logits, truth = raw / bundle.temperature, site.labels[places]
    right = (logits >= parent.threshold) == (truth == 1)
    balanced = np.mean([right[truth == each].mean() for each in (0, 1)])
    return {
        "accuracy": round(float(right.mean()), 4),
        "balanced": round(float(balanced), 4),
        "auroc": round(auroc(truth, logits), 4),
    }


def at_share(labels: NDArray[np.int64], share: float, most: int, seed: int) -> NDArray[np.int64]:
    """Places of films of which ``share`` show pneumonia, at most ``most``."""
    draw = np.random.default_rng(seed)
    sick, well = (draw.permutation(np.flatnonzero(labels == each)) for each in (1, 0))
    count = min(most, int(sick.size / share), int(well.size / (1 - share)))
    return np.concatenate([sick[: round(count * share)], well[: count - round(count * share)]])


def rule(parent: Parent, kept: Kept) -> None:
    """Each way of taking statistics, at each share, on each shift of validation films."""
    own = parent.own
    assert own is not None, "the run's own films are needed"
    rows = own.rows("val")
    for name, films in shifts(np.asarray(own.images[rows])):
        prepared: Any = type("Films", (), {"images": films})()
        everything = np.arange(len(rows))
        site = Site(None, prepared, everything, own.labels(rows), everything, {})  # type: ignore[arg-type]
        mixed = np.random.default_rng(0).permutation(everything)
        adapt, judge = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
        kept.line(f"{name}: carried", rates, parent, parent.bundle, site, judge)
        for share in SHARES:
            some = adapt[at_share(site.labels[adapt], share, 200, 1)]
            part = replace(site, rows=some, labels=site.labels[some], patients=some)
            raw = parent.logits(parent.bundle, prepared, some, Silent())
            logits = raw / parent.bundle.temperature
            for how, chosen in (
                ("plain", np.random.default_rng(0).permutation(some)),
                ("balanced", balanced_rows(parent, part, logits)),
            ):
                for size, bundle in tried_statistics(parent, prepared, chosen).items():
                    kept.line(f"{name}: {share}, {size}, {how}", rates, parent, bundle, site, judge)


def halves(parent: Parent, site: Site, kept: Kept, rounds: int = 20) -> None:
    """Random halves of labelled films, one of which adapts without labels, and at other shares."""
    everything = np.arange(len(site))
    logits = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    logits = logits / parent.bundle.temperature
    for seed in range(rounds):
        mixed = np.random.default_rng(seed).permutation(everything)
        adapt, judge = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
        for share in (None, 0.2, 0.4, 0.6, 0.8):
            some = adapt if share is None else adapt[at_share(site.labels[adapt], share, 999, 0)]

            kept.line(f"half {seed}, share {share}", adapted, parent, site, logits, some, judge)


def adapted(
    parent: Parent, site: Site, logits: Floats, some: NDArray[np.int64], judge: NDArray[np.int64]
) -> dict[str, Any]:
    """What the rule takes of ``some`` films, and what that does to those that judge."""
    part = replace(site, rows=site.rows[some], labels=site.labels[some], patients=some)
    found = choose_statistics(parent, part, logits[some], FAR, Silent())
    return {
        "films": len(some),
        "part": found.choice.part,
        "why": found.choice.why,
        "carried": rates(parent, parent.bundle, site, judge),
        "adapted": rates(parent, found.bundle, site, judge),
    }


def labels(parent: Parent, site: Site, kept: Kept, draws: int = 10) -> None:
    """AUROC of each way fitted on 100 and 200 labelled films of some patients, on other patients'
    films."""
    logits = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    features = features_of(parent, site, lambda _done, _total: None)
    material = Material(parent, site, logits / parent.bundle.temperature, features, Silent())
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        people = draw.permutation(np.unique(site.patients))
        teaching = np.isin(site.patients, people[: len(people) // 2])
        known, judge = np.flatnonzero(teaching), np.flatnonzero(~teaching)
        for count in (100, 200):
            some = drawn(known, site.labels[known], min(count, known.size), draw)
            for way in ways_of(material, fine_tune=True):
                kept.line(f"draw {seed}, {count} films, {way.name}", judged, way, site, some, judge)


def judged(
    way: Way, site: Site, some: NDArray[np.int64], judge: NDArray[np.int64]
) -> dict[str, Any]:
    """AUROC of a way fitted on ``some`` films."""
    scores = way.fit(some).score(judge)
    return {"films": len(judge), "auroc": round(auroc(site.labels[judge], scores), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["rule", "halves", "labels"])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="?", default="")
    given = parser.parse_args()
    request = AdaptRequest(given.run, DataRequest(given.data))
    parent = open_parent(given.run, Silent())
    kept = Kept(Path(f"adapt-{given.what}-{given.run.name}.jsonl"))
    if given.what == "rule":
        rule(parent, kept)
        return
    site = read_site(request, [parent], Silent())
    (halves if given.what == "halves" else labels)(parent, site, kept)


if __name__ == "__main__":
    main()
