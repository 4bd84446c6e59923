"""Repeating a run: the command and the recipe of what was done, where more or less was asked for.

Epochs that were fitted to minutes depend on a measured speed, so minutes repeat nothing; and a
folder that was named by ``--out`` is there already.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from pneumoscope.formatting import duration, plural

_MINUTES = re.compile(r"^((?:--set=)?train\.minutes=).*")


def repeating(command: str, epochs: int | None = None) -> str:
    """The command line that does the same again, in a new folder: without ``--out``, and with
    ``epochs``, where they were fitted to minutes, in place of the minutes."""
    try:
        words = _without(shlex.split(command), "--out")
    except ValueError:  # of a file that was changed by hand
        return command
    if epochs is None:
        return shlex.join(words)
    bare = [_MINUTES.sub(r"\1null", word) for word in _without(words, "--minutes")]
    bare += ["--set", f"train.epochs={epochs}"]
    # The minutes of a recipe of one's own hold until something else is said.
    own = any(word.endswith((".yaml", ".yml")) for word in words)
    if "train.minutes=null" not in " ".join(bare) and (own or "--minutes" not in command):
        bare += ["--set", "train.minutes=null"]
    return shlex.join(bare)


def _without(words: Sequence[str], option: str) -> list[str]:
    """The words but for the option and its value."""
    pairs = zip(["", *words], words, strict=False)
    return [word for before, word in pairs if option not in (before, word.partition("=")[0])]


def recipe_done(recipe: str, epochs: int | None) -> str:
    """The text of the recipe with the ``epochs`` that were fitted to its minutes."""
    asked = _read(recipe) if epochs is not None else None
    if asked is None:
        return recipe
    done = {**asked, "train": {**asked["train"], "epochs": epochs, "minutes": None}}
    return yaml.safe_dump(done, sort_keys=False, allow_unicode=True)


def cut_short(recipe: str, epochs: int | None) -> str:
    """A sentence where fewer epochs than the recipe's fitted into its minutes; else nothing."""
    asked = _read(recipe) if epochs is not None else None
    if epochs is None or asked is None:
        return ""
    most, minutes = asked["train"].get("epochs"), asked["train"].get("minutes")
    if not isinstance(most, int) or not isinstance(minutes, int | float) or epochs >= most:
        return ""
    return (
        f"Training was cut short: {epochs:,} of {plural(most, 'epoch')}, as many as fit into "
        f"{duration(60 * minutes)}."
    )


def _read(recipe: str) -> dict[str, Any] | None:
    """The recipe by sections; None where it has no training."""
    found = yaml.safe_load(recipe) if recipe else None
    return found if isinstance(found, dict) and isinstance(found.get("train"), dict) else None
