"""Weights that a network began from: where they lie on this machine, and whether they are the same.

What is shared of a run (recipe.yaml, model.json, the report) has a file's name or its package, and
its digest. Where a file lay stands in run.json alone, or in the plan of a group, and is asked for
when a run resumes.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import BadWeights, WeightsNotFound
from pneumoscope.manifest import WeightsEntry
from pneumoscope.models.packaged import Package, package_of
from pneumoscope.models.seen import films_behind, overlap_words
from pneumoscope.recipe import Recipe
from pneumoscope.storage import file_digest

if TYPE_CHECKING:
    from pneumoscope.models.weights import State


def weights_entry(recipe: Recipe) -> WeightsEntry | None:
    """Place and digest of the file of pretrained weights that the recipe names or that comes with
    an installed package; None for random weights and those of a hub."""
    if file := recipe.weights_file:
        entry: WeightsEntry = {"file": str(file.absolute()), "sha256": file_digest(file)}
        films = films_behind(file.name, _tensors(file))
        return {**entry, "films": list(films)} if films else entry
    package = _package(recipe)
    if package is None:
        return None
    return {"package": f"{package.name} {package.version}", "sha256": package.sha256}


def _tensors(file: Path) -> State:
    from pneumoscope.models.weights import read_state  # timm takes seconds to import

    return read_state(file)


def warn_of_seen(entry: WeightsEntry | None, known: str) -> str:
    """The warning that the weights of a run may have seen the films of a known set, by its title;
    empty where they have not, or nothing is known."""
    if entry is None or "file" not in entry:
        return ""
    return overlap_words(Path(entry["file"]).name, entry.get("films", ()), known)


def _package(recipe: Recipe) -> Package | None:
    return package_of(recipe.model.backbone) if recipe.model.weights == "imagenet" else None


def shareable_command(command: str, recipe: Recipe) -> str:
    """The command line with the recipe's weights file by its name alone."""
    weights, name = recipe.model.weights, recipe.shareable().model.weights
    if weights not in command:
        return command
    return shlex.join(word.replace(weights, name) for word in shlex.split(command))


def located(recipe: Recipe, entry: WeightsEntry | None) -> Recipe:
    """A stored recipe with its weights file where ``entry`` says that it lay."""
    return recipe.with_weights(entry["file"]) if entry and "file" in entry else recipe


def check_weights(entry: WeightsEntry | None) -> None:
    """Refuse to begin from a file that is gone, or not the one that a run was started with.

    Raises WeightsNotFound, BadWeights.
    """
    if entry is None or "file" not in entry:
        return  # a package's file is checked whenever it is read
    remedy = "bring it back to that place, or start a new run"
    try:
        found = file_digest(Path(entry["file"]))
    except OSError as error:
        raise WeightsNotFound(
            "the weights file that the run was started with cannot be read any more",
            got=f"{entry['file']} ({error.strerror})",
            remedy=remedy,
        ) from None
    if found != entry["sha256"]:
        raise BadWeights(
            "the weights file has changed since the run was started",
            got=f"{entry['file']}, SHA-256 {found}",
            expected=f"SHA-256 {entry['sha256']}",
            remedy=remedy,
        )
