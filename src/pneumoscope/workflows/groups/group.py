"""Group of runs: run folders in one results folder, trained one after another on the same data.

Each run is made by the pipeline; what is complete is kept, so finishing a group that was stopped is
the same call as starting one.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.data.split import with_splits
from pneumoscope.errors import DiskFull, InputError, Interrupted, OutputNotWritable
from pneumoscope.listener import Listener
from pneumoscope.recipe import Recipe
from pneumoscope.run import Run
from pneumoscope.storage import sweep, sweep_drafts
from pneumoscope.workflows import pipeline
from pneumoscope.workflows.context import SessionCache
from pneumoscope.workflows.groups.plan import GroupPlan, PlannedRun


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The runs of a plan that are trained now. ``session`` is None where all are complete, and
    nothing is left but to sum them up."""

    plan: GroupPlan
    session: SessionCache | None
    listener: Listener

    def finish(self, run: PlannedRun) -> None:
        """Keep, resume or begin a run."""
        if run.is_complete:
            self.listener.choice("kept", run.folder.name, "this run is complete")
        elif run.has_begun:
            pipeline.resume(run.folder, listener=self.listener, session=self.session)
        else:
            run.folder.parent.mkdir(exist_ok=True)
            pipeline.train(
                self.plan.request,
                run.recipe,
                seed=run.seed,
                out=run.folder,
                command=self.plan.command,
                listener=self.listener,
                session=self.session,
            )
        if self.session and (epochs := Run(run.folder).manifest().get("epochs")):
            self.session.epochs[run.recipe.name] = epochs  # all seeds of a recipe train as long


def content_of(recipe: Recipe, plan: GroupPlan, session: SessionCache, listener: Listener) -> str:
    """Digest of the films that ``recipe`` sees, "" where they can only be kept in a run folder.
    Raises UnreadableData where they cannot be split as the recipe says."""
    try:
        prepared = session.prepared(plan.request, recipe, listener)
    except DiskFull:  # it would be full for each run too
        raise
    except OutputNotWritable:
        return ""
    with_splits(prepared, recipe.data)
    return prepared.content


@contextlib.contextmanager
def locked_group(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Hold the results against a second process, and tell who interrupts it how to go on. A ``new``
    folder is removed where bad input ended its first run before that trained."""
    try:
        with Run(folder).locked():
            yield
    except (KeyboardInterrupt, SystemExit, Interrupted):
        raise Interrupted(
            "the runs were stopped, nothing is lost",
            remedy=f"go on with: pneumoscope train --resume {shlex.quote(str(folder))}",
        ) from None
    except InputError:
        if new and not any(folder.rglob(Run(folder).manifest_file.name)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def sweep_killed(folder: Path) -> None:
    """Delete what a killed process left half made; whoever calls it holds the lock."""
    if not folder.is_dir():
        return
    sweep_drafts(folder)
    sweep(folder)
