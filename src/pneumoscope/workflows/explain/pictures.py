"""Heatmaps of the films that were read, a picture each: ``predict --heatmaps``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pneumoscope.data.pool import pieces
from pneumoscope.explain.cam import DEFAULT, Heat
from pneumoscope.explain.members import mean_heat
from pneumoscope.explain.overlay import draw_overlay, to_png, with_bar
from pneumoscope.explain.stages import stages_of
from pneumoscope.formatting import plural
from pneumoscope.inference.films import FilmInput
from pneumoscope.inference.loading import load_films
from pneumoscope.inference.members import Members
from pneumoscope.listener import Listener
from pneumoscope.models.bundle import Bundle
from pneumoscope.records import Grey
from pneumoscope.run import create_folder
from pneumoscope.storage import slug, write_atomic

_AT_ONCE = 32
_METHOD = DEFAULT[0]


@dataclass(frozen=True, slots=True)
class HeatPictures:
    """The networks that heat is drawn of; several for an ensemble, whose mean is taken."""

    bundles: tuple[Bundle, ...]

    @classmethod
    def of(cls, members: Members, device: str) -> HeatPictures:
        """Of loaded models, moved to ``device``. Raises InputError where no heatmap can be drawn
        of their backbone."""
        for bundle in members.bundles:
            # The heat needs gradients of the features only.
            bundle.network.requires_grad_(False).to(device)
            stages_of(bundle.network)
        return cls(members.bundles)

    def write(self, films: Sequence[FilmInput], out: Path, listener: Listener) -> None:
        """Make the new folder ``out`` with a PNG of each film that can be read, called by its row
        from 1 and its name. Raises OutputExists, OutputNotWritable."""
        listener.stage(f"Heatmaps of {plural(len(films), 'film')}")

        def fill(draft: Path, name: str) -> None:
            for row, film, square, heat in self._drawn(films):
                picture = with_bar(draw_overlay(square, heat))
                name = f"{row:05d}-{slug(Path(film).stem)}.png"
                write_atomic(draft / name, to_png(picture))
                listener.progress(row, len(films), "film")

        create_folder(out, out.name, fill)

    def picture(self, square: Grey) -> bytes:
        """A PNG of the heat of one film as the network takes it, uint8 (S, S), with its bar."""
        (heat,) = mean_heat(self.bundles, square[None], _METHOD)
        return to_png(with_bar(draw_overlay(square, heat)))

    def _drawn(self, films: Sequence[FilmInput]) -> Iterator[tuple[int, str, Grey, Heat]]:
        """(row, name, square, heat) of each film that can be read."""
        read = enumerate(load_films(films, self.bundles[0].network.spec, {}), 1)
        for piece in pieces(read, _AT_ONCE):
            found = [(r, film.name, film.square) for r, film in piece if film.square is not None]
            if found:
                films_read = np.stack([square for _, _, square in found])
                heat = mean_heat(self.bundles, films_read, _METHOD)
                for (row, name, square), each in zip(found, heat, strict=True):
                    yield row, name, square, each
