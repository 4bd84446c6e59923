"""Pinned commands: what is run in the laid-out golden folder, and which results are held."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from tests.helpers import networks  # noqa: F401  the backbone of the golden runs is known to timm
from tests.helpers.commands import run
from tests.helpers.figures import leave_undrawn
from tests.helpers.golden import as_json, plain, words_of
from tests.helpers.keyed import unmarked
from tests.helpers.keyed_files import heard

EXACT = 1e-9
"""Evaluating, comparing and auditing train nothing: the same predictions and films in, the same
figures out, on every machine."""
FORWARD = 1e-4
"""Logits of a finished network: float32 rounds otherwise on another processor, by 4e-6 at most with
oneDNN and ATen held to SSE4.1, AVX2 and AVX-512, with one thread and two."""

Results = dict[str, str]


@dataclass(frozen=True)
class Pinned:
    """A command, the folder that it leaves or completes, and what of it is held: data as such, of
    a page what is read on it. ``copy`` and ``lacking`` name a golden run that the folder is made
    from, and what it lacks then."""

    words: tuple[str, ...]
    folder: str
    data: tuple[str, ...] = ()
    page: str = ""
    tolerance: float = EXACT
    copy: str = ""
    lacking: tuple[str, ...] = ()

    def results(self, place: Path, patch: pytest.MonkeyPatch) -> Results:
        """Run the command in ``place``, a laid-out golden folder; what is held, by file name."""
        settle(place, patch)
        leave_undrawn(patch)
        if self.copy:
            shutil.copytree(place / self.copy, place / self.folder)
        for file in self.lacking:
            (place / self.folder / file).unlink()
        printed = spoken(patch, *self.words)
        held = {name: self._held(place, name) for name in self.data}
        texts = {"printed.txt": printed}
        if self.page:
            texts[self.page.replace("html", "txt")] = words_of(place / self.folder / self.page)
        texts = {name: plain(heard(name, text), place) for name, text in texts.items()}
        if self.tolerance > EXACT:
            # A last digit may be rounded otherwise; the data hold the figures.
            texts = {name: re.sub(r"\d+", "0", text) for name, text in texts.items()}
        return held | texts

    def _held(self, place: Path, name: str) -> str:
        file = place / self.folder / name
        if name.endswith(".json"):
            return unmarked(as_json(file, place))
        text = file.read_text("utf-8")
        return plain(heard(name, text) if name.endswith(".md") else unmarked(text), place)


def settle(place: Path, patch: pytest.MonkeyPatch, columns: int = 80) -> None:
    """Work in ``place``, with a cache of its own, and print without colours for so many columns."""
    patch.chdir(place)
    patch.setenv("PNEUMOSCOPE_CACHE", str(place / "cache"))
    patch.setenv("COLUMNS", str(columns))
    patch.setenv("NO_COLOR", "1")
    patch.setenv("TERM", "dumb")
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        patch.delenv(name, raising=False)
    patch.setattr("typer.rich_utils.FORCE_TERMINAL", None)
    # Else the command is called "python -m pytest.pneumoscope", and lines break elsewhere.
    patch.setattr(sys.modules["__main__"], "__package__", None)


def spoken(patch: pytest.MonkeyPatch, *words: str, code: int = 0) -> str:
    """What the command prints. Fails where it ends with another exit code."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        found = run(patch, *words)
    assert found == code, f"pneumoscope {' '.join(words)}: exit code {found}\n{out.getvalue()}"
    return out.getvalue()


READ = ("films/film-000.bmp", "films/film-001.bmp", "films/film-150.bmp", "films.csv", "gone.png")
ASKED = (
    *("--prevalence", "0.1", "--cost", "5:1", "--sensitivity", "0.9"),
    *("--specificity", "0.9", "--miss-rate", "0.1"),
)
METHODS = ("--method", "gradcam", "--method", "occlusion")


def judged(subject: str, name: str, *words: str, tolerance: float = EXACT) -> Pinned:
    out = ("evaluate", subject, *words, "--out", name)
    data = ("metrics.json",) if words else ("metrics.json", "predictions.csv")
    return Pinned(out, name, data, "report.html", tolerance)


def compared(name: str, *runs: str) -> Pinned:
    return Pinned(("compare", *runs, "--out", name), name, ("comparison.json",), "comparison.html")


def answered(subject: str) -> Pinned:
    files = (f"{subject}.csv", f"{subject}.json")
    words = ("predict", subject, *READ, "--csv", files[0], "--json", files[1])
    return Pinned(words, ".", files, tolerance=FORWARD)


PINNED = {
    # Thresholds, temperature, abstention and the split's figures, all from predictions.csv alone.
    "judge": Pinned(
        ("train", "--resume", "judged"),
        "judged",
        ("metrics.json", "model.json", "run.json", "model_card.md"),
        "report.html",
    ),
    "evaluate": judged("run", "evaluated"),
    "evaluate-asked": judged("run", "evaluated-asked", *ASKED),
    "evaluate-val": judged("run", "evaluated-val", "--split", "val"),
    "evaluate-other": judged("run", "evaluated-other", "--data", "theirs", tolerance=FORWARD),
    "evaluate-seeds": judged("seeds", "evaluated-seeds", tolerance=FORWARD),
    "evaluate-folds": judged("folds", "evaluated-folds", tolerance=FORWARD),
    "seeds": Pinned(
        ("train", "--resume", "summed-seeds"),
        "summed-seeds",
        ("summary.json",),
        "report.html",
        copy="seeds",
        lacking=("summary.json", "report.html"),
    ),
    "folds": Pinned(
        ("train", "--resume", "summed-folds"),
        "summed-folds",
        ("metrics.json", "predictions.csv"),
        "report.html",
        copy="folds",
        lacking=("metrics.json", "predictions.csv", "ensemble.json", "report.html"),
    ),
    "compare": compared("two", "seeds/seed-1", "run"),
    "compare-three": compared("three", "run", "seeds/seed-1", "seeds/seed-2"),
    "audit": Pinned(
        ("audit", "mine", "--against", "theirs", "--out", "audited"),
        "audited",
        ("audit.json",),
        "audit.html",
    ),
    **{f"predict-{subject}": answered(subject) for subject in ("run", "seeds", "folds", "model")},
    "explain": Pinned(
        ("explain", "run", *METHODS, "--count", "2", "--out", "explained"),
        "explained",
        ("explain.json",),
        "explain.html",
        FORWARD,
    ),
}


VERBS = (
    *("demo", "train", "crossval", "prepare", "audit", "evaluate", "predict", "compare", "explain"),
    *("recipes", "models", "doctor"),
)
TRAINED = 1e-3
"""Logits and losses of two epochs at a tenth of the usual rate, for rounding grows as weights
follow each other. On processors as above they lie 4e-5 apart at most; by another seed .01 and
more, which is what must be told."""
_CLOCK = ("seconds", "images_per_second")
_STEPS = ("train_accuracy", "val_accuracy", "val_auroc")  # one film more or less is a large step


def trained(place: Path, patch: pytest.MonkeyPatch) -> Results:
    """A run from films to report, of two epochs; its figures are pinned by ``judge``."""
    settle(place, patch)
    leave_undrawn(patch)
    changes = ("--set", "train.epochs=2", "--set", "optim.learning_rate=0.001")
    meant = ("--classes", "0=normal", "--classes", "1=pneumonia")
    words = ("train", "films.csv", *meant, "--keep-ids", "--recipe", "recipe.yaml", *changes)
    spoken(patch, *words, "--seed", "5", "--out", "trained")
    folder = place / "trained"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    history = pd.read_csv(folder / "history.csv").assign(**dict.fromkeys((*_CLOCK, *_STEPS), ""))
    return {
        "files.txt": "\n".join(name for name in files if "tensorboard" not in name),
        "predictions.csv": (folder / "predictions.csv").read_text("utf-8"),
        "history.csv": history.to_csv(index=False),
        "recipe.yaml": (folder / "recipe.yaml").read_text("utf-8"),
    }


def helped(place: Path, patch: pytest.MonkeyPatch) -> Results:
    """Every ``--help``, at two widths."""
    texts = {}
    for columns in (80, 120):
        settle(place, patch, columns)
        told = [spoken(patch, *verb, "--help") for verb in ((), *((verb,) for verb in VERBS))]
        texts[f"{columns}.txt"] = plain("\n".join(told), place)
    return texts


def listed(place: Path, patch: pytest.MonkeyPatch) -> Results:
    """What ``recipes`` and ``models`` say, and each recipe in full."""
    settle(place, patch)
    names = [path.stem for path in (files("pneumoscope") / "recipes").iterdir()]
    asked = {
        "models.txt": ("models",),
        "recipes.txt": ("recipes",),
        "keys.txt": ("recipes", "--keys"),
    }
    asked |= {f"{name}.yaml": ("recipes", name) for name in sorted(names)}
    return {file: plain(spoken(patch, *words), place) for file, words in asked.items()}


def all_pins() -> dict[str, tuple[Callable[[Path, pytest.MonkeyPatch], Results], float]]:
    """Everything that is pinned, by its folder in ``tests/golden/pins``: how it is made in a
    laid-out golden folder, and how far numbers may lie apart."""
    return {
        "help": (helped, EXACT),
        "lists": (listed, EXACT),
        **{name: (pinned.results, pinned.tolerance) for name, pinned in PINNED.items()},
        "train": (trained, TRAINED),
    }
