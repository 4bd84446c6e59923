"""Checks of a recipe on its data, without a run folder: can it learn, where does the time go.

Both use the run's own module, batches, precision and augmentation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.data.prepare import cache_folder
from pneumoscope.data.split import with_splits
from pneumoscope.devices import choose_device, use_all_cores
from pneumoscope.errors import BadRecipe, Interrupted
from pneumoscope.listener import Listener, Silent
from pneumoscope.models.network import Network
from pneumoscope.recipe import Recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import check_new, create_folder
from pneumoscope.storage import write_json
from pneumoscope.training.allocator import keep_freed_memory
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.overfit import MOST_STEPS, SMALL, Learnt, overfit, still_recipe
from pneumoscope.training.measure.precision import settle_precision
from pneumoscope.training.measure.profile import Profile, profile_steps, write_trace
from pneumoscope.workflows.data import check_recipe, find_data, network_side, prepared_for

STEPS = 30


@dataclass(frozen=True, slots=True)
class OverfitResult:
    """Whether one batch was learnt, in words, and what to try where it was not."""

    learnt: Learnt
    sentence: str
    hints: tuple[str, ...]


def overfit_one_batch(
    request: DataRequest, recipe: Recipe, *, seed: int = 0, listener: Listener | None = None
) -> OverfitResult:
    """Train on one batch without random changes until its loss is small, MOST_STEPS at most."""
    listener = listener or Silent()
    job, network = _set_up(request, still_recipe(recipe), seed, listener)
    listener.choice(
        "left out",
        "random changes, dropout, smoothing, warm-up and schedule, weight average",
        "they keep the loss of one batch from becoming small",
    )
    listener.stage(f"Overfit one batch, at most {MOST_STEPS} steps")
    try:
        learnt = overfit(job, network, listener)
    except (KeyboardInterrupt, SystemExit):
        raise _stopped() from None
    return OverfitResult(learnt, *_verdict(learnt, recipe))


def profile(
    request: DataRequest,
    recipe: Recipe,
    *,
    seed: int = 0,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> Profile:
    """Time STEPS training steps and their parts, and the bare network's step beside them.

    With ``out`` that folder is made, with ``profile.json`` and ``trace.json``, a trace of a few
    further steps for Perfetto or chrome://tracing. Raises OutputExists, OutputNotWritable, and
    BadRecipe where features are kept.
    """
    listener = listener or Silent()
    check_new(out)
    if recipe.train.views:
        raise BadRecipe(
            "a profile times steps on films, and this recipe trains on kept features",
            got=f"train.views={recipe.train.views}",
            expected="train.views=0",
            remedy="--set train.views=0 times the same steps with features computed at each",
        )
    job, network = _set_up(request, recipe, seed, listener)
    listener.stage(f"Time {STEPS} training steps")
    try:
        found = profile_steps(job, network, STEPS)
        if out is not None:
            listener.stage("Trace a few more")

            def fill(draft: Path, name: str) -> None:
                write_json(draft / "profile.json", {"command": command, **found.to_json()})
                write_trace(job, network, draft / "trace.json")

            create_folder(out, "profile", fill)
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        raise _stopped() from None
    return found


def _stopped() -> Interrupted:
    return Interrupted("the check was stopped", remedy="it left nothing behind: start it again")


def _set_up(
    request: DataRequest, recipe: Recipe, seed: int, listener: Listener
) -> tuple[TrainingJob, Network]:
    """What a run would train, by one process."""
    source = find_data(request, listener)
    check_recipe(recipe, source)
    prepared, _ = with_splits(prepared_for(request, source, recipe, listener), recipe.data)
    side, why = network_side(source, recipe)
    listener.stage(f"Build {recipe.model.backbone}")
    listener.choice("threads", str(use_all_cores()), "the cores this process may use")
    listener.choice("input size", f"{side} px", why)
    keep_freed_memory()
    network = build_network(prepared, recipe, side, seed)
    memory = cache_folder() / "precision.json"
    precision = settle_precision(network, recipe, choose_device(), memory)
    listener.choice("precision", f"{precision.name}, channels_last", precision.why)
    return TrainingJob(prepared, recipe, side, seed, precision), network


def _verdict(learnt: Learnt, recipe: Recipe) -> tuple[str, tuple[str, ...]]:
    """The verdict in a sentence, and hints."""
    last, steps = learnt.losses[-1], len(learnt.losses)
    fell = (
        f"its loss went from {learnt.losses[0]:.3f} to {last:.3f} in {steps} steps "
        f"(guessing costs {learnt.guessing:.3f})"
    )
    if learnt.done:
        return (
            f"The network, loss and optimiser can learn: on one batch of {learnt.films} films "
            f"{fell}. That says nothing yet of other films.",
            (),
        )
    if not math.isfinite(last):
        return (
            f"Training ran away on one batch of {learnt.films} films: {fell}.",
            (
                f"lower the rate: --set optim.learning_rate={recipe.optim.learning_rate / 10:g}",
                "or clip the gradients: --set optim.clip=1",
            ),
        )
    sentence = (
        f"This recipe cannot learn even one batch of {learnt.films} films by heart: {fell}; "
        f"{SMALL * learnt.guessing:.3f} was looked for."
    )
    return sentence, tuple(_hints(learnt, recipe))


def _hints(learnt: Learnt, recipe: Recipe) -> list[str]:
    hints = []
    rate = recipe.optim.learning_rate
    if recipe.model.freeze != "none":
        hints.append(
            f"model.freeze={recipe.model.freeze} leaves few weights to train: "
            "--set model.freeze=none"
        )
    if learnt.losses[-1] < 0.8 * learnt.losses[0]:
        hints.append(f"the loss still falls, slowly: --set optim.learning_rate={rate * 3:g}")
    else:
        hints.append(
            f"the loss hardly falls; the rate may be wrong by far: try {rate / 10:g} and "
            f"{rate * 10:g} with --set optim.learning_rate=…"
        )
    if recipe.optim.weight_decay > 0.1:
        hints.append("the weight decay is high: --set optim.weight_decay=0.01")
    if recipe.optim.clip and recipe.optim.clip < 0.1:
        hints.append("gradients are clipped to almost nothing: --set optim.clip=1")
    return hints
