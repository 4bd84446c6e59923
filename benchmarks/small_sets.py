"""Choose a partly frozen recipe for small sets: repeated cross-validation on features kept once.

    python benchmarks/small_sets.py run FOLDER OUT --recipe transfer --repeats 3 \\
        --try "b4: model.freeze=blocks.4"
    python benchmarks/small_sets.py table OUT [--beside NAME]

Frozen parts give the same features for the same film for ever, so they are computed once for all
films, folds, repeats and candidates, at every point where a network can be cut; a candidate trains
what lies behind its cut, by the recipe's own loss, optimiser, schedule and weight average. A repeat
r deals the films to five folds by patient with split seed r and trains with seed r; each film is
judged once, by the fold that has not seen its patient: as it is, turned, mirrored, moved (another
exposure and pose) and with a masked border. A ``--try`` is a name and ``section.key=value``, parted
by semicolons; ``train.views`` of 1 takes films as they are, more take as many changed by it.

``table`` shows the pooled AUROC of each candidate over its repeats, alone and by the mean of views;
its difference beside the best with the standard error of patients drawn anew, alike for both; and
what choosing costs: candidates chosen by the patients drawn and judged by those that were not
(Tsamardinos 2018), and chosen by four folds and judged on the fifth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hard_films import moved
from pneumoscope.data.augment import Draw, augment
from pneumoscope.data.loader import Batches
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import label_codes, plan_splits
from pneumoscope.data.together.groups import patient_codes
from pneumoscope.inference.predictor import turned
from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import auroc
from pneumoscope.models.freeze import parts_of
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe, load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.training.job import build_network
from pneumoscope.training.losses import Loss
from pneumoscope.training.module import ClassifierModule
from pneumoscope.training.seeds import VIEW, seed_of
from pneumoscope.workflows.data import find_data, prepare_data
from transfer import masked

FOLDS, BATCH, DRAWS, EMA_EVERY = 5, 64, 1000, 4
VIEWS = {
    "alone": ("plain",),
    "turn": ("plain", "left", "right"),
    "flip": ("plain", "mirror"),
    "turn+flip": ("plain", "left", "right", "mirror", "mirror left", "mirror right"),
    "moved": ("moved",),
    "masked": ("masked",),
}
"""What a film is judged by: the mean of the logits of its kinds."""

JUDGED = tuple(dict.fromkeys(kind for kinds in VIEWS.values() for kind in kinds))


def changed(films: np.ndarray, kind: str) -> Tensor:
    """Stored films uint8 (B, S, S) as ``kind`` asks."""
    if kind in ("moved", "masked"):
        return torch.from_numpy((moved(films, 1) if kind == "moved" else masked(films)).copy())
    found = torch.from_numpy(films)
    for word, degrees in (("left", 6.0), ("right", -6.0)):
        found = turned(found, degrees) if word in kind else found
    return found.flip(-1) if "mirror" in kind else found


class Bank:
    """Features of all films by kind and cut, computed once and kept in ``folder``."""

    def __init__(self, folder: Path, prepared: PreparedSet, recipe: Recipe) -> None:
        self._prepared, self._recipe = prepared, recipe
        self._folder = folder / f"{recipe.model.backbone}-{recipe.input.size}"
        self._folder.mkdir(parents=True, exist_ok=True)

    @cache  # noqa: B019
    def of(self, kind: str, cut: str) -> Tensor:
        """Float or bf16 (films, …), channels last; ``view N`` is a film changed at random."""
        file = self._folder / f"{kind.replace(' ', '-')}@{cut}.pt"
        if not file.is_file():
            self._compute(kind)
        found: Tensor = torch.load(file, mmap=True, weights_only=True)
        return found

    def _compute(self, kind: str) -> None:
        network = build_network(self._prepared, self._recipe, self._recipe.input.size, 0).eval()
        network.freeze(0)
        cuts: dict[str, list[Tensor]] = {}
        rows = np.arange(len(self._prepared.table))
        for start in range(0, len(rows), BATCH):
            films = np.asarray(self._prepared.images[rows[start : start + BATCH]])
            with torch.inference_mode():
                passing = network._normalise(self._films(network, films, kind, start))
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                for name, part in parts_of(network.backbone):
                    passing = part(passing)
                    if name.startswith("blocks."):
                        cuts.setdefault(name, []).append(passing)
                cuts.setdefault("all", []).append(passing)
        for name, found in cuts.items():
            if name in ("all", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6"):
                file = self._folder / f"{kind.replace(' ', '-')}@{name}.pt"
                torch.save(torch.cat(found).clone(), file)

    def _films(self, network: Network, films: np.ndarray, kind: str, start: int) -> Tensor:
        if not kind.startswith("view "):
            return network.seen(changed(films, kind))
        draw = Draw(
            torch.Generator().manual_seed(seed_of(0, VIEW, int(kind[5:]), start)), len(films)
        )
        spec, choices = network.spec, self._recipe.augment
        visible = spec.visible / spec.stored
        found = augment(torch.from_numpy(films), choices, spec.network, draw, visible=visible)
        return found.unsqueeze(1)


def trained(
    bank: Bank, prepared: PreparedSet, recipe: Recipe, rows: np.ndarray, seed: int
) -> Network:
    """What lies behind the cut, trained on the features of ``rows``."""
    labels = torch.from_numpy(label_codes(prepared.table)[rows]).float()
    network = build_network(prepared, recipe, recipe.input.size, seed)
    loss = Loss(recipe.loss, int(labels.sum()), len(rows))
    train, cut = recipe.train, recipe.model.freeze
    order = Batches(np.arange(len(rows)), train.batch_size, seed)
    steps = len(order) * train.epochs
    module = ClassifierModule(network, recipe, loss, steps=steps, seed=seed, features=True)
    module.to(memory_format=torch.channels_last).train()
    found = module.configure_optimizers()
    optimizer, schedule = found["optimizer"], found["lr_scheduler"]["scheduler"]
    kinds = [f"view {v}" for v in range(train.views)] if train.views > 1 else ["plain"]
    views = [bank.of(kind, cut)[torch.from_numpy(rows)] for kind in kinds]
    done = 0
    for epoch in range(train.epochs):
        order.set_epoch(epoch)
        for places in order:
            at = torch.from_numpy(places)
            with torch.autocast("cpu", torch.bfloat16):
                value = module.training_step((views[epoch % len(views)][at], labels[at]), done)
            value.backward()
            module.configure_gradient_clipping(optimizer)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            if module.average is not None and (done == 1 or done % EMA_EVERY == 0):
                module.average.update_parameters(network)
    return module.evaluated.eval()


def logits(bank: Bank, network: Network, recipe: Recipe, rows: np.ndarray, kind: str) -> np.ndarray:
    features = bank.of(kind, recipe.model.freeze)[torch.from_numpy(rows)]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        parts = [network.scores_of(part)[:, 0] for part in features.split(2 * BATCH)]
    return torch.cat(parts).float().numpy()


def on_folds(
    bank: Bank, prepared: PreparedSet, recipe: Recipe, repeat: int
) -> Iterator[pd.DataFrame]:
    labels, patients = label_codes(prepared.table), patient_codes(prepared.table)
    for fold in range(FOLDS):
        words = {"fold": f"{fold} of {FOLDS}", "split_seed": repeat}
        plan = plan_splits(prepared.table, recipe.data.model_copy(update=words))
        train, test = (np.flatnonzero(plan.split == name) for name in ("train", "test"))
        start = time.perf_counter()
        network = trained(bank, prepared, recipe, train, repeat)
        seconds = time.perf_counter() - start
        found = {kind: logits(bank, network, recipe, test, kind) for kind in JUDGED}
        about = {"row": test, "label": labels[test], "patient": patients[test]}
        yield pd.DataFrame(about | found).assign(fold=fold, seconds=seconds)


def run(args: argparse.Namespace) -> None:
    request = DataRequest(args.places[0])
    source = find_data(request, Silent())
    sets: dict[int, PreparedSet] = {}
    for text in args.tries:
        name, _, changes = text.partition(":")
        recipe = load_recipe(args.recipe, [c.strip() for c in changes.split(";") if c.strip()])
        side = int(recipe.input.size)
        if side not in sets:
            sets[side] = prepare_data(request, recipe, Silent(), source=source)
        bank = Bank(args.out / "features", sets[side], recipe)
        for repeat in range(args.repeats):
            file = args.out / f"{name}@{repeat}.parquet"
            if not file.is_file():
                pd.concat(on_folds(bank, sets[side], recipe, repeat)).to_parquet(file)
            films = pd.read_parquet(file)
            shown = "  ".join(f"{views} {score(films, views):.4f}" for views in VIEWS)
            taken = films.groupby("fold")["seconds"].first().mean()
            print(f"{name:28s} repeat {repeat}  {shown}  {taken:.1f} s a fold", flush=True)


def score(films: pd.DataFrame, views: str = "alone", weight: np.ndarray | None = None) -> float:
    """The pooled AUROC; ``weight`` says how often each patient was drawn."""
    if weight is not None:
        films = films.loc[films.index.repeat(weight[films["patient"].to_numpy()])]
    return float(
        auroc(films["label"].to_numpy(), films[list(VIEWS[views])].mean(axis=1).to_numpy())
    )


def draws(films: pd.DataFrame) -> Iterator[np.ndarray]:
    """How often each patient is drawn, int (patients,), DRAWS times."""
    rng, patients = np.random.default_rng(0), np.unique(films["patient"])
    for _ in range(DRAWS):
        yield np.bincount(rng.choice(patients, len(patients)), minlength=patients.max() + 1)


Tried = dict[tuple[str, str], list[pd.DataFrame]]


def mean(repeats: list[pd.DataFrame], views: str, weight: np.ndarray | None = None) -> float:
    return float(np.mean([score(films, views, weight) for films in repeats]))


def table(args: argparse.Namespace) -> None:
    found: Tried = {}
    for file in sorted(args.out.glob("*@*.parquet")):
        films = pd.read_parquet(file).reset_index(drop=True)
        for views in args.views:
            found.setdefault((file.stem.split("@")[0], views), []).append(films)
    most = max(map(len, found.values()))
    whole = {key: films for key, films in found.items() if len(films) == most}
    drawn = {
        key: np.array([mean(films, key[1], w) for w in draws(films[0])])
        for key, films in whole.items()
    }
    score_of = {key: mean(films, key[1]) for key, films in whole.items()}
    best = max(score_of, key=lambda key: score_of[key])
    for key in sorted(score_of, key=lambda key: -score_of[key]):
        each = " ".join(f"{score(films, key[1]):.4f}" for films in whole[key])
        error = np.std(drawn[best] - drawn[key])
        shift = "  ".join(f"{kind} {mean(whole[key], kind):.4f}" for kind in ("moved", "masked"))
        print(
            f"{key[0]:28s} {key[1]:10s} {score_of[key]:.4f} ({each})  "
            f"{score_of[key] - score_of[best]:+.4f} ± {error:.4f}  {shift}"
        )
    print(f"{len(score_of)} candidates, {most} repeats; best {best}")
    print(f"chosen by drawn patients, judged by the others: {out_of_bag(whole, drawn):.4f}")
    print(f"chosen by four folds, judged on the fifth: {by_folds(whole):.4f}")


def out_of_bag(whole: Tried, drawn: dict[tuple[str, str], np.ndarray]) -> float:
    """Mean AUROC of what was chosen by the patients drawn, on those that were not."""
    keys, judged = list(whole), []
    for index, weight in enumerate(draws(whole[keys[0]][0])):
        key = keys[int(np.argmax([drawn[k][index] for k in keys]))]
        judged.append(mean(whole[key], key[1], (weight == 0).astype(int)))
    return float(np.mean(judged))


def by_folds(whole: Tried) -> float:
    """Pooled AUROC where each fold is judged by what is best on the other four."""
    repeats, keys = len(next(iter(whole.values()))), list(whole)
    pooled = []
    for repeat in range(repeats):
        parts = []
        for fold in range(FOLDS):
            films = {key: whole[key][repeat] for key in keys}
            others = [score(films[k][films[k]["fold"] != fold], k[1]) for k in keys]
            key = keys[int(np.argmax(others))]
            mine = films[key][films[key]["fold"] == fold]
            parts.append(mine.assign(plain=mine[list(VIEWS[key[1]])].mean(axis=1)))
        pooled.append(score(pd.concat(parts)))
    return float(np.mean(pooled))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("places", nargs="+", help="data and results; of table: results")
    parser.add_argument("--recipe", default="transfer")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--try", dest="tries", action="append", default=[])
    parser.add_argument("--views", nargs="+", default=["alone", "turn", "turn+flip"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out = Path(args.places[-1])
    args.out.mkdir(parents=True, exist_ok=True)
    (table if args.what == "table" else run)(args)


if __name__ == "__main__":
    main()
