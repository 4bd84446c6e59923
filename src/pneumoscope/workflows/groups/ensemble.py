"""Ensemble of runs: which films made its members, and which it may be asked of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.aside import left_out
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import with_splits
from pneumoscope.errors import InputError, NotARun
from pneumoscope.listener import Listener
from pneumoscope.recipe import stored_recipe
from pneumoscope.run import CROSSVAL, Run, open_run
from pneumoscope.workflows.data import unsplit_data_of_run


def ensemble_folders(folder: Path) -> tuple[Path, ...]:
    """The folders of the members where ``folder`` is an ensemble; none where it is a run, or
    nothing that is known. Raises NotARun, BadWeights."""
    alone = any(file.is_file() for file in (Run(folder).manifest_file, Run(folder).model_file))
    if alone or not folder.is_dir():
        return ()
    from pneumoscope.inference.members import member_places

    return member_places(folder)


def runs_of(places: Sequence[Path]) -> list[Run]:
    """The members as runs. Raises NotARun where one is none."""
    return [open_run(place) for place in places]


def films_of_members(places: Sequence[Path], listener: Listener) -> PreparedSet:
    """The films that the members were made from, in the splits of ``splits_of_members``."""
    whole, split = splits_of_members(places, listener)
    return replace(whole, table=whole.table.assign(split=pd.array(split, dtype="string")))


def splits_of_members(
    places: Sequence[Path], listener: Listener
) -> tuple[PreparedSet, NDArray[np.object_]]:
    """The films that the members were made from, with their official splits, and the split of each
    for the ensemble. Those that trained or tuned any member are ``train``, all other labelled ones
    that its recipe does not leave out ``test``: of these the ensemble may be asked.

    Raises NotARun where they were not made from the same films, InputError where these cannot
    be had.
    """
    runs = runs_of(places)
    contents = {run.manifest().get("content") for run in runs}
    if len(contents) > 1:
        raise NotARun(
            "the members of the ensemble were trained on different data",
            got=places[0].parent,
            remedy="name films of another source",
        )
    raw = unsplit_data_of_run(runs[0], listener)
    used = np.zeros(len(raw.table), np.bool_)
    for run in runs:
        made = with_splits(raw, stored_recipe(run.recipe_file).data)[0].table
        used |= made["split"].isin(["train", "val"]).to_numpy(bool)
    choices = stored_recipe(runs[0].recipe_file).data
    aside = left_out(raw.table, choices.views, official_test=choices.test == "official")
    fresh = raw.table["label"].notna().to_numpy(bool) & ~used & ~aside
    split: NDArray[np.object_] = np.full(len(used), None, dtype=object)
    split[used], split[fresh] = "train", "test"
    return raw, split


def check_unseen(places: Sequence[Path], films: PreparedSet) -> None:
    """Raise InputError where every film took part in making some member of the ensemble."""
    if len(films.rows("test")):
        return
    folder = places[0].parent
    folds = (folder / CROSSVAL).is_file()
    raise InputError(
        "every film of its data trained or tuned some member of this ensemble",
        got=folder,
        expected="films that no member has seen",
        remedy="name films of another source; "
        + (
            f"the figures of all films, each by the model that had not seen it, are in "
            f"{Run(folder).metrics_file}"
            if folds
            else f"or ask a member alone, such as {places[0]}"
        ),
    )
