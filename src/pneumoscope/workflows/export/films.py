"""Films that an export is held against: the validation films of each of its models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.data.prepared import PreparedSet, reference_of
from pneumoscope.data.split import with_splits
from pneumoscope.errors import InputError
from pneumoscope.imaging.known.reference import Reference
from pneumoscope.inference.members import Members
from pneumoscope.listener import Listener
from pneumoscope.recipe import stored_recipe
from pneumoscope.run import Run, open_run
from pneumoscope.workflows.data import unsplit_data_of_run


@dataclass(frozen=True, slots=True)
class OwnFilms:
    """The films that the models were made from, a set with its splits for each of them; None, and
    ``why``, where they cannot be had."""

    sets: tuple[PreparedSet, ...] | None
    why: str = ""

    def reference(self, members: Members) -> Reference | None:
        """What the models keep of their training films, made now where they keep nothing."""
        if members.reference is not None or self.sets is None:
            return members.reference
        return reference_of(self.sets[0])


def own_films(places: Sequence[Path], data: str | None, listener: Listener) -> OwnFilms:
    """The films of the runs in ``places``, found as ``train --resume`` finds them, or in ``data``.

    Raises InputError where ``data`` is named and is not what they were made from.
    """
    try:
        return OwnFilms(tuple(_sets(places, data, listener)))
    except InputError as error:
        if data:
            raise
        return OwnFilms(None, error.what)


def _sets(places: Sequence[Path], data: str | None, listener: Listener) -> Iterator[PreparedSet]:
    runs: list[Run] = [open_run(place) for place in places]
    raw: dict[object, PreparedSet] = {}  # members of an ensemble mostly have theirs in common
    for run in runs:
        content = run.manifest().get("content")
        if content not in raw:
            raw[content] = unsplit_data_of_run(run, listener, data)
        yield with_splits(raw[content], stored_recipe(run.recipe_file).data)[0]
