"""What is judged again: the model of one run, or the mean of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import NotARun
from pneumoscope.evaluation.choices import Choices
from pneumoscope.records import InputSpec, Listener
from pneumoscope.run import Run
from pneumoscope.storage import read_json
from pneumoscope.workflows.groups.ensemble import read_together, runs_of

Read = Callable[[PreparedSet, NDArray[np.int64], Listener], pd.DataFrame]
"""Rows of a prepared set to their table of predictions."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model as ``evaluate`` asks it. ``contents`` are those of the films that it was made
    from, ``source`` is what its run says of them, ``members`` how many models answer."""

    folder: Path
    name: str
    seed: int
    choices: Choices
    spec: InputSpec
    source: Mapping[str, Any]
    contents: frozenset[str]
    read: Read
    members: int = 1


def run_subject(run: Run, choices: Choices) -> Subject:
    """The model of a finished run, which decides by ``choices``."""
    manifest = run.manifest()

    def read(prepared: PreparedSet, rows: NDArray[np.int64], listener: Listener) -> pd.DataFrame:
        # Torch takes seconds to import, and judging a run's own test split needs none.
        from pneumoscope.devices import choose_device
        from pneumoscope.models.bundle import load_bundle
        from pneumoscope.workflows.pipeline import predict_table

        return predict_table(load_bundle(run.folder), prepared, rows, choose_device(), listener)

    return Subject(
        folder=run.folder,
        name=str(manifest.get("name") or run.folder.name),
        seed=int(manifest["seed"]),
        choices=choices,
        spec=InputSpec(**read_json(run.model_file)["input"]),
        source=manifest["source"],
        contents=frozenset([manifest["content"]] if manifest.get("content") else []),
        read=read,
    )


def ensemble_subject(folder: Path, places: Sequence[Path], listener: Listener) -> Subject:
    """The mean of several runs, which decides as ``predict`` does. Raises NotARun where a member
    is no run, or was not judged yet."""
    from pneumoscope.inference.members import load_members

    runs, members = runs_of(places), load_members(folder)
    if not members.operating_points:
        raise NotARun(
            "the members of the ensemble have no operating point in common",
            got=folder,
            remedy="complete each of them: pneumoscope train --resume RUN",
        )
    for note in members.notes:
        listener.choice(*note)

    def read(prepared: PreparedSet, rows: NDArray[np.int64], listener: Listener) -> pd.DataFrame:
        return read_together(members, prepared, rows, listener)

    manifests = [run.manifest() for run in runs]
    why = "the mean of several models: no temperature, no abstention of its own was fitted"
    return Subject(
        folder=folder,
        name=folder.absolute().name,
        seed=int(manifests[0]["seed"]),
        choices=Choices(members.operating_points, conformal=members.conformal, notes=(why,)),
        spec=members.spec,
        source=manifests[0]["source"],
        contents=frozenset(
            manifest["content"] for manifest in manifests if manifest.get("content")
        ),
        read=read,
        members=len(places),
    )
