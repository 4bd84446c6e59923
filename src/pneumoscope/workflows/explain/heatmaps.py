"""Heatmaps of the films that a report shows, made once and kept in ``heatmaps.npz`` of the run.

Judging a run again needs no model then, and shows the same heat.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet, image_lookup
from pneumoscope.errors import InputError
from pneumoscope.explain.truth import marks_of
from pneumoscope.listener import Listener
from pneumoscope.records import Grey
from pneumoscope.report.kit.heat import HeatLookup, Heatmaps
from pneumoscope.run import Run
from pneumoscope.storage import write_atomic
from pneumoscope.workflows.networks import Here, Networks

if TYPE_CHECKING:  # torch takes seconds to import, and kept heatmaps need none
    from pneumoscope.models.bundle import Bundle

GONE = "the films could not be read"


def heat_of(
    run: Path,
    prepared: PreparedSet | None,
    listener: Listener,
    *,
    own: bool,
    keep: bool = False,
    networks: Networks | None = None,
) -> HeatLookup:
    """The heatmaps of films of ``prepared`` as the model in the folder ``run`` sees them, or the
    mean of the models of an ensemble there, by the first method of ``explain``.

    ``own`` says that the films are the run's own, so that kept heatmaps are theirs; ``keep``
    keeps what was made. ``networks`` are the model's where they are at hand; else it is loaded.
    Where no heatmap can be made, the answer says why, and the listener hears it.
    """
    file = Run(run).heatmaps_file
    networks = networks or Here(partial(_load, run))

    def heat(image_ids: Sequence[str]) -> Callable[[], Heatmaps]:
        film = image_lookup(prepared)
        films = {name: pixels for name in image_ids if (pixels := film(name)) is not None}
        if prepared is None or not films:
            return lambda: Heatmaps(missing=GONE)
        about, maps = _kept(file) if own else ("", {})
        if films.keys() <= maps.keys():
            return lambda: _found(about, maps, prepared, films)
        drawn = networks.begin(_drawn, np.stack([*films.values()]), listener=listener)

        def end() -> Heatmaps:
            try:
                about, made = drawn()
            except (InputError, RuntimeError) as error:
                # Hours of training must not end without a report for want of its pictures.
                why = _reason(error)
                listener.note(f"The report has no heatmaps: {why}.")
                return Heatmaps(missing=why)
            maps = dict(zip(films, made, strict=True))
            if keep:
                write_atomic(file, _packed(about, maps))
            return _found(about, maps, prepared, films)

        return end

    return heat


def _found(
    about: str, maps: Mapping[str, Grey], prepared: PreparedSet, films: Mapping[str, Grey]
) -> Heatmaps:
    floats = {name: np.asarray(maps[name] / 255, np.float32) for name in films}
    return Heatmaps(floats, about, boxes=_marks(prepared, films))


def _load(run: Path) -> Sequence[Bundle]:
    from pneumoscope.inference.members import load_members

    return load_members(run).bundles


def _drawn(bundles: Sequence[Bundle], films: Grey, listener: Listener) -> tuple[str, Grey]:
    """How the heat of films (N, S, S) was made, and it, in 256 steps."""
    from pneumoscope.devices import choose_device, use_all_cores
    from pneumoscope.explain.heat import DEFAULT, find_method
    from pneumoscope.explain.members import mean_heat

    method = find_method(DEFAULT[0])
    listener.stage(f"Heatmaps of {len(films):,} films: {method.title}")
    use_all_cores()
    for bundle in bundles:
        # Only the features' gradients are needed; those of the weights cost a third of the time.
        bundle.network.requires_grad_(False).to(choose_device())

    heat = mean_heat(bundles, films, method.name, advance=partial(listener.progress, unit="film"))
    several = f", averaged over {len(bundles)} models" if len(bundles) > 1 else ""
    return method.about + several, np.asarray(np.rint(heat * 255), np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        return "; ".join(filter(None, (error.what, error.remedy)))
    return f"the network gave none ({' '.join(str(error).split())[:160]})"


def _kept(file: Path) -> tuple[str, dict[str, NDArray[np.uint8]]]:
    if not file.is_file():
        return "", {}
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:
            names = [str(name) for name in kept["image_ids"]]
            return str(kept["about"]), dict(zip(names, kept["heat"], strict=True))
    except (OSError, ValueError, KeyError, BadZipFile):
        return "", {}  # damaged: they are made again


def _packed(about: str, maps: Mapping[str, NDArray[np.uint8]]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(
        out, about=np.array(about), image_ids=np.array(list(maps)), heat=np.stack([*maps.values()])
    )
    return out.getvalue()


def _marks(
    prepared: PreparedSet, films: Mapping[str, Grey]
) -> dict[str, tuple[tuple[float, float, float, float], ...]]:
    rows = {str(name): row for row, name in enumerate(prepared.table["image_id"])}
    return {name: marks_of(prepared, rows[name]) for name in films}
