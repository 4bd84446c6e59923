"""Run folder: one folder that holds a whole experiment, safe against kills at any moment.

Every file is written beside its place and moved there in one step, so a file that is there is
complete. A stage is done when its last file is there; ``--resume`` does the stages that are not.
The names of all files of runs, and of groups of runs, stand here.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, cast

from filelock import FileLock, Timeout

from pneumoscope.errors import NotARun, OutputExists, OutputNotWritable
from pneumoscope.manifest import Manifest, ModelManifest
from pneumoscope.storage import (
    check_writable,
    draft_folder,
    read_json,
    slug,
    write_atomic,
    write_json,
    writing,
)

SCHEMA = 1
RUNS = Path("runs")
"""Where results get a number, in the folder in which the command is given."""
_ALWAYS_KNOWN = ("data", "request", "seed", "source", "choices", "timing")

# What a folder of several runs holds beside them: what was asked, and what they say together.
PLAN = "plan.json"
CROSSVAL = "crossval.json"
ENSEMBLE = "ensemble.json"
SUMMARY = "summary.json"
MATRIX = "matrix.json"
COMPARISON = "comparison"
LEARNING = "learning_curve.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder. Paths are derived from ``folder`` only, so it can be moved. The folder of an
    evaluation, and that of a group, hold some of these files too."""

    folder: Path

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def manifest_file(self) -> Path:
        """``run.json``: what was asked, found, chosen and measured."""
        return self.folder / "run.json"

    @property
    def history_file(self) -> Path:
        return self.folder / "history.csv"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """Everything needed to go on after the last finished epoch."""
        return self.checkpoints / "last.ckpt"

    @property
    def weights_file(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def model_file(self) -> Path:
        """``model.json``, written after the weights: a model that has it is whole."""
        return self.folder / "model.json"

    @property
    def graph_file(self) -> Path:
        """Of an export: the model as ONNX, in place of the weights."""
        return self.folder / "model.onnx"

    @property
    def reference_file(self) -> Path:
        """What the model keeps of the films that it was made from; runs before it lack it."""
        return self.folder / "reference.npz"

    @property
    def predictions_file(self) -> Path:
        return self.folder / "predictions.csv"

    @property
    def shortcuts_file(self) -> Path:
        """Logits of test films of which a part is hidden."""
        return self.folder / "shortcuts.csv"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def heatmaps_file(self) -> Path:
        """The heat of the films that the report shows."""
        return self.folder / "heatmaps.npz"

    @property
    def model_card_file(self) -> Path:
        return self.folder / "model_card.md"

    @property
    def report_file(self) -> Path:
        return self.folder / "report.html"

    @property
    def site_file(self) -> Path:
        """Of an adapted model: what is known of it at the site."""
        return self.folder / "site.json"

    @property
    def site_films_file(self) -> Path:
        """A row for each film of the site, with what the models say of it."""
        return self.folder / "site.csv"

    @property
    def to_label_file(self) -> Path:
        """The films of the site that a person should label first."""
        return self.folder / "to_label.csv"

    @property
    def local_data(self) -> Path:
        """Where the prepared set lies when the cache folder cannot be written."""
        return self.folder / "prepared"

    def manifest(self) -> Manifest:
        """The content of ``run.json``. Raises NotARun."""
        return cast(Manifest, read_json(self.manifest_file))

    def model(self) -> ModelManifest:
        """The content of ``model.json``. Raises NotARun."""
        return cast(ModelManifest, read_json(self.model_file))

    def update_manifest(self, **changes: Unpack[Manifest]) -> None:
        """Lay ``changes`` over ``run.json``; mappings one level deep are merged."""
        manifest: dict[str, Any] = {**self.manifest()}
        for key, value in changes.items():
            under = manifest.get(key)
            if isinstance(under, dict) and isinstance(value, dict):
                value = {**under, **value}
            manifest[key] = value
        write_json(self.manifest_file, manifest)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against a second process. Raises NotARun when another one has it."""
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise NotARun(
                "another process is working on this run",
                got=self.folder,
                remedy="wait until it ends, or start a new run",
            ) from None
        try:
            yield
        finally:
            lock.release()


def create_run(out: Path | None, label: str, recipe_yaml: str, manifest: Manifest) -> Run:
    """Make a new run folder holding recipe.yaml and run.json, in one step. Raises as
    ``create_folder`` does."""

    def fill(draft: Path, name: str) -> None:
        write_atomic(Run(draft).recipe_file, recipe_yaml)
        write_json(Run(draft).manifest_file, {"schema": SCHEMA, "name": name, **manifest})

    return Run(create_folder(out, label, fill))


def create_folder(out: Path | None, label: str, fill: Callable[[Path, str], None]) -> Path:
    """Make a new folder for results: ``fill(draft, name)`` writes its files, then it appears.

    ``out`` names the folder itself; without it ``runs/NNN-label`` is numbered. Raises
    OutputExists when ``out`` is there already and OutputNotWritable when it cannot be made.
    """
    parent = out.absolute().parent if out else RUNS.absolute()
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        draft = draft_folder(parent)
        try:
            if out:
                return _claim(draft, out.absolute(), fill)
            # From reading the highest number to taking the next, nobody else may do the same.
            with FileLock(parent / ".numbers.lock"):
                return _claim(draft, parent / f"{next_number(parent):03d}-{slug(label)}", fill)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _claim(draft: Path, target: Path, fill: Callable[[Path, str], None]) -> Path:
    """Move the draft to its name. Renaming onto a folder that holds files fails, so two
    runs started at once can never share one."""
    fill(draft, target.name)
    check_new(target)
    try:
        draft.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        raise _exists(target) from None
    return target


def _exists(out: Path) -> OutputExists:
    return OutputExists(
        "the output folder is there already, and nothing is ever overwritten",
        got=out,
        remedy="name another --out; a run that was stopped is finished by: "
        "pneumoscope train --resume RUN",
    )


def check_new(out: Path | None) -> None:
    """Refuse an ``out`` that is there already or cannot be, before any work.

    Raises OutputExists and OutputNotWritable.
    """
    if out is None:
        return  # numbered when it is made
    with writing(out):
        if out.exists() or out.is_symlink():
            raise _exists(out)
    try:
        str(out.absolute()).encode()
    except UnicodeEncodeError:  # TensorBoard and others write paths as UTF-8
        raise OutputNotWritable(
            "the name of the run folder is not UTF-8",
            got=out.absolute(),
            remedy="choose another --out; if its letters are right, set PYTHONUTF8=1",
        ) from None
    check_writable(out.absolute().parent)


def check_output(out: Path | None) -> None:
    """The same of a verb whose results, without ``out``, get a number under ``runs``."""
    if out is None:
        check_writable(RUNS.absolute())
    else:
        check_new(out)


def no_run(folder: Path) -> NotARun:
    """The error of a run folder that is not there."""
    remedy = "run folders lie in: runs/" if RUNS.is_dir() else "make one: pneumoscope train DATA"
    return NotARun("there is no such run folder", got=folder, remedy=remedy)


def not_of_export(folder: Path) -> NotARun:
    """The error of an export where a verb needs the run."""
    return NotARun(
        "this is an export, which only predict and serve read",
        got=folder,
        expected="the run that it was made of",
        remedy="where it looks, by occlusion: pneumoscope predict EXPORT FILMS --heatmaps DIR",
    )


def open_run(folder: Path) -> Run:
    """An existing run folder. Raises NotARun when it is not one."""
    run = Run(folder)
    if not folder.is_dir():
        raise no_run(folder)
    if run.graph_file.is_file():
        raise not_of_export(folder)
    for file in (run.manifest_file, run.recipe_file):
        if not file.is_file():
            raise NotARun(
                f"the folder holds no {file.name}",
                got=folder,
                expected="a folder that `pneumoscope train` made",
                remedy="start a new run: pneumoscope train DATA",
            )
    manifest = run.manifest()
    if manifest.get("schema") != SCHEMA:
        raise NotARun(
            "the run was made by another version of pneumoscope",
            got=f"schema {manifest.get('schema')!r}",
            expected=f"schema {SCHEMA}",
        )
    missing = [key for key in _ALWAYS_KNOWN if key not in manifest]
    if missing:
        raise NotARun(
            f"{run.manifest_file.name} is incomplete",
            got=f"no {', '.join(missing)} in {run.manifest_file}",
            remedy="start a new run: pneumoscope train DATA",
        )
    return run


def open_complete(folder: Path) -> Run:
    """As ``open_run``, of a run with its model and its predictions."""
    run = open_run(folder)
    for file in (run.model_file, run.predictions_file):
        if not file.is_file():
            raise NotARun(
                f"the run holds no {file.name}",
                got=run.folder,
                remedy=f"complete it: pneumoscope train --resume {run.folder}",
            )
    return run


def next_number(parent: Path) -> int:
    """One more than the highest number that a folder of ``parent`` starts with."""
    found = [re.match(r"(\d{3,})-", p.name) for p in parent.iterdir()]
    return max((int(m.group(1)) for m in found if m), default=0) + 1
