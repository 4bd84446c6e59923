"""Can a shortcut solve the phantoms? Prints AUROCs of cheap classifiers beside a ResNet-18's.

    PYTHONPATH=src python benchmarks/phantom_shortcuts.py [--train 1400] [--test 500]

Shortcuts are logistic regressions, standardised and five-fold cross-validated over all films;
the network trains from scratch on ``--train`` films at 64 pixels and is read once on the rest,
which share no patient with them. Intervals are 95 % percentile bootstraps over films, one film
a patient. The claim: every shortcut stays below 0.75, the network reaches 0.95.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from pneumoscope.imaging.phantom import Phantom, draw_phantom

Matrix = NDArray[np.float64]
POSITIVES = 0.55


def draw_films(seed: int, count: int, size: int, difficulty: float) -> list[Phantom]:
    """``count`` films of as many patients; labels are drawn from their own stream."""
    labels = (np.random.default_rng([seed, 99]).random(count) < POSITIVES).astype(int)
    return [
        draw_phantom(seed, i, label=int(label), size=size, difficulty=difficulty)
        for i, label in enumerate(labels)
    ]


def shrink(image: NDArray[np.uint8], side: int) -> Matrix:
    """Area-average to (side, side) float64 grey levels."""
    rows, cols = (_area_weights(n, side) for n in image.shape)
    small: Matrix = rows @ image.astype(np.float64) @ cols.T
    return small


def _area_weights(n: int, side: int) -> Matrix:
    edges, pixel = np.linspace(0, n, side + 1), np.arange(n)
    upper = np.minimum(edges[1:, None], pixel + 1)
    lower = np.maximum(edges[:-1, None], pixel)
    weights: Matrix = np.clip(upper - lower, 0, 1) * side / n
    return weights


def _moments(film: Phantom) -> Matrix:
    return np.array([film.image.mean(), film.image.var()])


def _histogram(film: Phantom) -> Matrix:
    return np.concatenate([_moments(film), np.quantile(film.image, np.linspace(0.05, 0.95, 19))])


def _file_facts(film: Phantom) -> Matrix:
    height, width = film.image.shape
    return np.array([height, width, width / height])


SHORTCUTS: dict[str, Callable[[Phantom], Matrix]] = {
    "8x8 thumbnail": lambda film: shrink(film.image, 8).ravel(),
    "mean, variance": _moments,
    "mean, variance, 19 grey quantiles": _histogram,
    "height, width, aspect": _file_facts,
}


def score_shortcut(features: Matrix, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Out-of-fold probabilities of a standardised logistic regression."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores: NDArray[np.float64] = cross_val_predict(
        model, features, labels, cv=folds, method="predict_proba"
    )[:, 1]
    return scores


def train_resnet(
    images: torch.Tensor, labels: torch.Tensor, epochs: int, batch: int = 32
) -> torch.nn.Module:
    """ResNet-18 from scratch on float32 (N, 1, 64, 64): AdamW, one cycle, mirrored at random."""
    torch.manual_seed(0)
    model = timm.create_model("resnet18", in_chans=1, num_classes=1)
    model = model.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    steps = epochs * (len(images) // batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.25)
    for _ in range(epochs):
        for rows in torch.randperm(len(images))[: len(images) // batch * batch].split(batch):
            x = images[rows].flip(3) if torch.rand(()) < 0.5 else images[rows]
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x.contiguous(memory_format=torch.channels_last))[:, 0]
            loss = binary_cross_entropy_with_logits(logits.float(), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
    return model.eval()


def score_resnet(
    films: list[Phantom], train: int, epochs: int
) -> tuple[NDArray[np.float64], float]:
    """Logits of the films after the first ``train``, and the seconds training took."""
    grey = [torch.from_numpy(film.image)[None, None].float() / 255 for film in films]
    images = torch.cat([interpolate(g, (64, 64), mode="area") for g in grey])
    images = (images - images[:train].mean()) / images[:train].std()
    labels = torch.tensor([float(film.label) for film in films])
    began = time.perf_counter()
    model = train_resnet(images[:train], labels[:train], epochs)
    took = time.perf_counter() - began
    with torch.inference_mode():
        logits = torch.cat([model(part)[:, 0] for part in images[train:].split(128)])
    return logits.numpy().astype(np.float64), took


def auroc_row(name: str, labels: NDArray[np.int64], scores: NDArray[np.float64]) -> str:
    """One line of the table: AUROC with its bootstrap interval."""
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(labels), len(labels)) for _ in range(500))
    spread = [roc_auc_score(labels[r], scores[r]) for r in draws if 0 < labels[r].mean() < 1]
    low, high = np.quantile(spread, (0.025, 0.975))
    value = roc_auc_score(labels, scores)
    return f"{name:<36} {value:6.3f}   {low:.3f} to {high:.3f}   {len(labels):5d}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=int, default=1400)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--difficulty", type=float, default=1.0)
    parser.add_argument("--no-network", action="store_true", help="shortcuts only: seconds")
    args = parser.parse_args()
    began = time.perf_counter()
    films = draw_films(args.seed, args.train + args.test, args.size, args.difficulty)
    drawn = time.perf_counter() - began
    labels = np.array([film.label for film in films])
    print(f"{len(films)} films in {drawn:.1f} s: {1000 * drawn / len(films):.2f} ms each")
    print(f"{'classifier':<36}  AUROC   95 % interval      films")
    for name, describe in SHORTCUTS.items():
        features = np.stack([describe(film) for film in films])
        print(auroc_row(name, labels, score_shortcut(features, labels)))
    if args.no_network:
        return
    scores, took = score_resnet(films, args.train, args.epochs)
    print(auroc_row("ResNet-18 from scratch, 64 pixels", labels[args.train :], scores))
    subtypes = np.array([film.facts["subtype"] for film in films[args.train :]])
    for subtype in ("lobar", "patchy", "interstitial"):
        kept = (subtypes == subtype) | (subtypes == "none")
        print(auroc_row(f"  {subtype} against normal", labels[args.train :][kept], scores[kept]))
    print(f"{args.epochs} epochs took {took:.1f} s on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
