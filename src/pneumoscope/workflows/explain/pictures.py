"""Heatmaps as pictures, of a run and of an export alike: ``predict --heatmaps``, and the service.

Of a run they are class activation maps of the networks as they were trained; of an export, whose
layers are out of reach, occlusion, which asks it for answers alone and needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pool import pieces
from pneumoscope.explain.heat import DEFAULT, Heat, Method, find_method
from pneumoscope.explain.occlusion import occlusion
from pneumoscope.explain.overlay import draw_overlay, to_png, with_bar
from pneumoscope.formatting import plural
from pneumoscope.inference.films import FilmInput
from pneumoscope.inference.loading import load_films
from pneumoscope.inference.model import Model
from pneumoscope.listener import Listener
from pneumoscope.records import Grey, InputSpec
from pneumoscope.run import create_folder
from pneumoscope.storage import slug, write_atomic

if TYPE_CHECKING:  # it loads torch
    from pneumoscope.inference.members import Members

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HeatPictures:
    """Draws the heat of films that ``spec`` made square: ``heat`` gives it, float32 (N, S, S), of
    uint8 (N, S, S), by ``method``; ``why`` by that one, where a user might expect another."""

    heat: Callable[[Grey], Heat]
    spec: InputSpec
    method: Method
    why: str = ""

    def picture(self, square: Grey) -> bytes:
        """The picture of one film uint8 (S, S), air dark: its heat laid over it, with a colour
        bar. What it says of itself names the method."""
        return self._png(square, self.heat(square[None])[0])

    def write(self, films: Sequence[FilmInput], out: Path, listener: Listener) -> None:
        """Make the new folder ``out`` with a PNG of each film that can be read, called by its row
        from 1 and its name. Raises OutputExists, OutputNotWritable."""
        listener.stage(f"Heatmaps of {plural(len(films), 'film')}")
        if self.why:
            listener.choice("method", self.method.title.lower(), self.why)

        def fill(draft: Path, name: str) -> None:
            cold = 0
            for row, film, square, heat in self._drawn(films):
                name = f"{row:05d}-{slug(Path(film).stem)}.png"
                write_atomic(draft / name, self._png(square, heat))
                cold += not heat.any()
                listener.progress(row, len(films), "film")
            if cold:
                listener.note(f"no heat on {plural(cold, 'film')}: nothing there for pneumonia")

        create_folder(out, out.name, fill)

    def _png(self, square: Grey, heat: Heat) -> bytes:
        said = "" if heat.any() else "; no heat: nothing on this film speaks for pneumonia"
        about = f"Heat by {self.method.title}: {self.method.about}{said}. Research use only"
        return to_png(with_bar(draw_overlay(square, heat)), about)

    def _drawn(self, films: Sequence[FilmInput]) -> Iterator[tuple[int, str, Grey, Heat]]:
        """(row, name, square, heat) of each film that can be read."""
        read = enumerate(load_films(films, self.spec, {}), 1)
        for piece in pieces(read, _AT_ONCE):
            found = [(r, film.name, film.square) for r, film in piece if film.square is not None]
            if found:
                heat = self.heat(np.stack([square for _, _, square in found]))
                for (row, name, square), each in zip(found, heat, strict=True):
                    yield row, name, square, each


def pictures_of_export(model: Model) -> HeatPictures:
    """By occlusion, of whatever answers."""
    draw = partial(occlusion, model.engine, model.spec)
    why = "class activation maps need the layers of the run itself"
    return HeatPictures(draw, model.spec, find_method("occlusion"), why)


def pictures_of_run(members: Members, device: str) -> HeatPictures:
    """By class activation maps, of loaded models, moved to ``device``; of several the mean. Raises
    InputError where no such map can be drawn of their backbone."""
    from pneumoscope.explain.members import mean_heat
    from pneumoscope.explain.stages import stages_of

    for bundle in members.bundles:
        # The heat needs gradients of the features only.
        bundle.network.requires_grad_(False).to(device)
        stages_of(bundle.network)
    draw = partial(mean_heat, members.bundles, method=DEFAULT[0])
    return HeatPictures(draw, members.spec, find_method(DEFAULT[0]))
