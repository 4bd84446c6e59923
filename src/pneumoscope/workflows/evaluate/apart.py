"""Networks of an evaluated run in a second process, started before this one imports anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.run import Run
from pneumoscope.workflows.networks import Apart, apart

if TYPE_CHECKING:
    from pneumoscope.models.bundle import Bundle


@contextmanager
def networks_apart(folder: Path) -> Iterator[Apart | None]:
    """The networks of the run ``folder`` in a second process, as long as this lasts; None where
    that saves no time, or the folder is no finished run."""
    found = apart(partial(_load, folder.absolute())) if Run(folder).model_file.is_file() else None
    try:
        yield found
    finally:
        if found:
            found.close()


def _load(folder: Path) -> Sequence[Bundle]:
    """The bundle of a run, with all that its films are read and explained by."""
    import pneumoscope.explain.members
    import pneumoscope.inference.predictor
    import pneumoscope.workflows.predictions  # noqa: F401 the tasks import them, later
    from pneumoscope.models.bundle import load_bundle

    return [load_bundle(folder)]
