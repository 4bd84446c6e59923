"""How much ``adapt`` gains and where it harms; every line is kept as soon as it is measured.

    python benchmarks/adapt.py rule RUN            # shifts of RUN's validation films
    python benchmarks/adapt.py halves RUN DATA     # without labels: half adapts, half judges
    python benchmarks/adapt.py labels RUN DATA     # 100 and 200 labelled films
    python benchmarks/adapt.py table adapt-halves-RUN-DATA.jsonl

``rule`` is what the rule of ``workflows/adapt/statistics.py`` was fixed by, and reads no test film.
``halves`` opens DATA, so it comes after. Lines go to ``adapt-KIND-RUN-DATA.jsonl``, which is taken
up where it ended, in pieces of any length; ``--rounds`` asks for fewer than the 20 halves and 10
draws. ``table`` sums the lines up. In ``labels`` *adapt* is the way that the films keep by the rule
of one standard error. ``labels --alone`` trains on the labelled films alone too, 150 steps of
``default``, which takes longest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import t

from lines import Kept
from pneumoscope.evaluation.site.crossfit import crossfitted, drawn, simplest
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import Floats, auroc
from pneumoscope.metrics.shift.distance import SetDifference
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import DataRequest
from pneumoscope.workflows.adapt.general import general_network
from pneumoscope.workflows.adapt.local import JudgedFilms
from pneumoscope.workflows.adapt.parent import Parent, open_parent
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.adapt.site import Site, read_site
from pneumoscope.workflows.adapt.statistics import (
    balanced_rows,
    choose_statistics,
    tried_statistics,
)
from pneumoscope.workflows.adapt.ways import Material, Way, features_of, ways_of
from site_alone import alone, saved_seldom

Films = NDArray[np.uint8]
SHARES = (0.1, 0.2, 0.4, 0.5, 0.6, 0.74, 0.8, 0.9)
FAR = (SetDifference("training films", 400, 400, 1.0, 0.001, 1.0),)


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
    return rates_of(parent, site.labels[places], scaled(parent, bundle, site, places))


def scaled(parent: Parent, bundle: Bundle, site: Site, places: NDArray[np.int64]) -> Floats:
    """Logits of films by place, on the scale of the bundle."""
    raw = parent.logits(bundle, site.prepared, site.rows[places], Silent())
    return raw / bundle.temperature


def rates_of(parent: Parent, truth: NDArray[np.int64], logits: Floats) -> dict[str, float]:
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
            logits = scaled(parent, parent.bundle, site, some)
            for how, chosen in (
                ("plain", np.random.default_rng(0).permutation(some)),
                ("balanced", balanced_rows(parent, part, logits)),
            ):
                for size, bundle in tried_statistics(parent, prepared, chosen).items():
                    kept.line(f"{name}: {share}, {size}, {how}", rates, parent, bundle, site, judge)


def halves(parent: Parent, site: Site, kept: Kept, rounds: int, asked: argparse.Namespace) -> None:
    """Random halves of labelled films, one of which adapts without labels; then at other shares."""
    everything = np.arange(len(site))
    logits = scaled(parent, parent.bundle, site, everything)
    for share in (None,) if asked.plain else (None, 0.2, 0.4, 0.6, 0.8):
        for seed in range(rounds):
            mixed = np.random.default_rng(seed).permutation(everything)
            adapt, judge = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
            some = adapt if share is None else adapt[at_share(site.labels[adapt], share, 999, 0)]
            kept.line(f"half {seed}, share {share}", adapted, parent, site, logits, some, judge)


def adapted(
    parent: Parent, site: Site, logits: Floats, some: NDArray[np.int64], judge: NDArray[np.int64]
) -> dict[str, Any]:
    """What the rule takes of ``some`` films, and what that does to those that judge."""
    part = replace(site, rows=site.rows[some], labels=site.labels[some], patients=some)
    found = choose_statistics(parent, part, logits[some], FAR, Silent())
    same = found.bundle is parent.bundle
    after = logits[judge] if same else scaled(parent, found.bundle, site, judge)
    return {
        "films": len(some),
        "part": found.choice.part,
        "why": found.choice.why,
        "carried": rates_of(parent, site.labels[judge], logits[judge]),
        "adapted": rates_of(parent, site.labels[judge], after),
    }


def labels(parent: Parent, site: Site, kept: Kept, draws: int, asked: argparse.Namespace) -> None:
    """AUROC of each way fitted on 100 and 200 labelled films of some patients, on other patients'
    films; and of a network that those films alone have trained."""
    logits = scaled(parent, parent.bundle, site, np.arange(len(site)))
    features = features_of(parent, site, lambda _done, _total: None)
    general = general_network(parent, site, Silent())
    material = Material(parent, site, logits, features, Silent(), general)
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        people = draw.permutation(np.unique(site.patients))
        teaching = np.isin(site.patients, people[: len(people) // 2])
        known, judge = np.flatnonzero(teaching), np.flatnonzero(~teaching)
        for count in (100, 200):
            some = drawn(known, site.labels[known], min(count, known.size), draw)
            for way in ways_of(material, fine_tune=asked.fine_tune):
                kept.line(f"draw {seed}, {count} films, {way.name}", judged, way, site, some, judge)
            kept.line(f"draw {seed}, {count} films, adapt", chosen, material, some, judge, asked)
            if asked.alone:
                name = f"{seed}-{count}"
                kept.line(f"draw {seed}, {count} films, alone", alone, site, some, judge, name)


def judged(
    way: Way, site: Site, some: NDArray[np.int64], judge: NDArray[np.int64]
) -> dict[str, Any]:
    """AUROC of a way fitted on ``some`` films."""
    scores = way.fit(some).score(judge)
    return {"films": len(judge), "auroc": round(auroc(site.labels[judge], scores), 4)}


def chosen(
    material: Material,
    some: NDArray[np.int64],
    judge: NDArray[np.int64],
    asked: argparse.Namespace,
) -> dict[str, Any]:
    """AUROC of the way that ``some`` films keep, cross-fitted over their own patients."""
    whole = material.site
    site = replace(
        whole, rows=whole.rows[some], labels=whole.labels[some], patients=whole.patients[some]
    )
    logits, features = material.logits[some], material.features[some]
    general = material.general
    if general is not None:
        general = replace(general, places=np.arange(len(some)), features=general.of(some))
    known = replace(material, site=site, logits=logits, features=features, general=general)
    films = JudgedFilms.of(material.parent, site)
    losses = []
    ways = ways_of(known, fine_tune=asked.fine_tune)
    for way in ways:
        scores = crossfitted(partial(scorer_of, way), films.known, films.fold)
        losses.append(films.losses(scores))
    kept = simplest(losses, [way.level for way in ways])
    way = ways_of(material, fine_tune=asked.fine_tune)[kept]
    return {"kept": way.name, **judged(way, whole, some, judge)}


def scorer_of(way: Way, places: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Floats]:
    return way.fit(places).score


def table(file: Path) -> None:
    """Means over rounds, and paired differences with the interval of Student's t over rounds."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    if "carried" in lines[0]:
        for share in dict.fromkeys(each["key"].partition(", ")[2] for each in lines):
            rows = [each for each in lines if each["key"].endswith(f", {share}")]
            taken = sum(each["part"] != "none" for each in rows)
            for what in ("accuracy", "auroc"):
                gains = [each["adapted"][what] - each["carried"][what] for each in rows]
                print(f"{share:<12} {what:<9} taken in {taken} of {len(rows)}: {spread(gains)}")
        return
    found = {each["key"]: each["auroc"] for each in lines}
    for kind in dict.fromkeys(key.partition(", ")[2] for key in found):
        films, _, way = kind.partition(", ")
        draws = [key.partition(", ")[0] for key in found if key.endswith(f", {kind}")]
        values = [found[f"{draw}, {kind}"] for draw in draws]
        pairs = [(found[f"{d}, {kind}"], found.get(f"{d}, {films}, alone")) for d in draws]
        gains = [one - other for one, other in pairs if other is not None]
        said = f"; less alone {spread(gains)}" if gains and way != "alone" else ""
        print(f"{kind:<36} AUROC {np.mean(values):.4f} of {len(values)} draws{said}")


def spread(gains: Sequence[float]) -> str:
    """The mean with the 95 % interval of a mean over rounds."""
    count = len(gains)
    half = t.ppf(0.975, count - 1) * np.std(gains, ddof=1) / count**0.5 if count > 1 else np.nan
    return f"{np.mean(gains):+.4f} ± {half:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["rule", "halves", "labels", "table"])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=0, help="20 halves, 10 draws of labels")
    parser.add_argument("--plain", action="store_true", help="halves at no other share")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args()
    if given.what == "table":
        table(given.run)
        return
    request = AdaptRequest(given.run, DataRequest(given.data))
    parent = open_parent(given.run, Silent())
    name = "-".join(["adapt", given.what, given.run.name, *Path(given.data).parts[-1:]])
    kept = Kept(Path(f"{name}.jsonl"))
    if given.what == "rule":
        rule(parent, kept)
        return
    site = read_site(request, [parent], Silent())
    if given.what == "halves":
        halves(parent, site, kept, given.rounds or 20, given)
    else:
        saved_seldom()
        labels(parent, site, kept, given.rounds or 10, given)


if __name__ == "__main__":
    main()
