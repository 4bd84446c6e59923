"""Classifier: a trained model in use, three lines from films to answers.

from pneumoscope import Classifier

classifier = Classifier.load("runs/001-resnet18-kermany")
readings = classifier.read("films/")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import InputError, nearest
from pneumoscope.inference.exported import is_export, open_export
from pneumoscope.inference.films import FilmInput, find_films, given_film
from pneumoscope.inference.image_warnings import withholding
from pneumoscope.inference.loading import LoadedFilm, load_films
from pneumoscope.inference.model import BATCH, Model
from pneumoscope.metrics.conformal import WITHHELD
from pneumoscope.metrics.conformal import readings as conformal_readings
from pneumoscope.metrics.scores import Floats, probability
from pneumoscope.readings import OperatingPoint, Reading
from pneumoscope.records import CLASSES, Grey

Images = Any
"""A path, a folder, an array uint8 (H, W) or (H, W, 3), 0–255, air dark, or many of these."""


class Classifier:
    """One model, or the mean of several, on ``device``, that reads films.

    ``spec`` says how a film becomes the network's input. Of ``operating_points`` the first decides
    unless another is named; ``scale`` names that of probabilities and thresholds. ``notes`` are
    (what, choice, why) of what was settled on loading; ``reference`` is what the model keeps of
    its training films, None where it keeps nothing.
    """

    def __init__(self, model: Model) -> None:
        self._engine = model.engine
        self._title = model.title
        self._population = model.population
        self._conformal = model.conformal
        self.reference = model.reference
        self.device = model.device
        self.spec = model.spec
        self.operating_points = model.operating_points
        self.scale = model.scale
        self.notes = model.notes

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Classifier:
        """The model of a run folder, of any folder that holds model.json and model.safetensors,
        the ensemble in a folder of such folders, or an export (``pneumoscope export``), which
        reads without torch.

        ``device`` is auto, cpu, cuda or cuda:N; auto takes the GPU where there is one, an export
        always the processor. Raises NotARun, BadWeights, and InputError for a device that is not
        there.
        """
        place = Path(folder).expanduser()
        if is_export(place):
            return cls(open_export(place, device))
        # torch takes seconds to import, and an export needs none.
        from pneumoscope.devices import choose_device
        from pneumoscope.inference.members import load_members

        device = choose_device(device)
        return cls(load_members(place).ready(device))

    def point(self, name: str | None = None) -> OperatingPoint | None:
        """The operating point called ``name``, the first unless named; None where there is none.

        Raises InputError with all names and their thresholds.
        """
        if name is None:
            return next(iter(self.operating_points), None)
        for point in self.operating_points:
            if point.name == name:
                return point
        known = [point.name for point in self.operating_points]
        listed = ", ".join(f"{each.name} ({each.threshold:.3f})" for each in self.operating_points)
        raise InputError(
            f"the model has no operating point {name!r}",
            expected=f"{nearest(name, known)}; all, with thresholds: {listed}"
            if known
            else "none: it was not judged yet",
            remedy="leave --point out to decide at the first" if known else None,
        )

    def __repr__(self) -> str:
        points = ", ".join(point.name for point in self.operating_points) or "none"
        about = f"{self._title}, {self.spec.network} px, on {self.device}"
        return f"<Classifier: {about}; points: {points}>"

    def read(
        self, images: Images, *, point: str | None = None, decide_all: bool = False
    ) -> list[Reading]:
        """A reading of each film, in the order given.

        ``images`` is a path, a folder (read recursively), a uint8 array (H, W) or (H, W, 3),
        0–255, air dark, or a list of these; an array (N, H, W) is N films. A film that cannot be
        read has its reason in ``error``. ``point`` names the operating point. What is no upright
        frontal chest film with air dark is withheld, with the reason in ``findings``, unless
        ``decide_all``. Raises
        UnreadableImage for what is neither path nor such an array, InputError for ``point``.
        """
        return list(self.stream(_films_of(images), point=point, decide_all=decide_all))

    def stream(
        self,
        films: Iterable[FilmInput],
        *,
        point: str | None = None,
        decide_all: bool = False,
        seen: Callable[[Grey], None] | None = None,
    ) -> Iterator[Reading]:
        """As ``read``, one after another with a few films in memory; warnings are silenced while
        it runs, for decoders in threads have nowhere to send theirs. ``seen`` is given each batch
        of films as the network takes them, uint8 (B, S, S)."""
        decided_at = self.point(point)
        waiting: list[LoadedFilm] = []
        squares = 0
        for film in load_films(films, self.spec, self._population, self.reference):
            waiting.append(film)
            squares += film.square is not None
            if squares == BATCH:
                yield from self.answers(waiting, decided_at, decide_all=decide_all, seen=seen)
                waiting, squares = [], 0
        yield from self.answers(waiting, decided_at, decide_all=decide_all, seen=seen)

    def answers(
        self,
        films: Sequence[LoadedFilm],
        point: OperatingPoint | None,
        *,
        decide_all: bool = False,
        seen: Callable[[Grey], None] | None = None,
    ) -> Iterator[Reading]:
        """A reading of each of BATCH loaded films at most, in their order, decided at ``point``;
        else as ``stream``."""
        squares = [film.square for film in films if film.square is not None]
        if squares and seen:
            seen(np.stack(squares))
        logits = self._engine.batch(np.stack(squares)) if squares else np.empty(0)
        chances = probability(logits)
        withheld = self._withheld(chances, point)
        answers = zip(chances.tolist(), logits.tolist(), withheld.tolist(), strict=True)
        for film in films:
            if film.square is None:
                yield Reading(film.name, error=film.error)
                continue
            chance, logit, left = next(answers)
            abstained = left or (not decide_all and withholding(film.findings) is not None)
            yield Reading(
                name=film.name,
                probability=chance,
                logit=logit,
                decision=None if abstained else _decision(chance, point),
                operating_point=point,
                abstained=abstained,
                findings=film.findings,
                scale=self.scale,
            )

    def _withheld(self, probabilities: Floats, point: OperatingPoint | None) -> NDArray[np.bool_]:
        """Bool (N,): the films of which both labels are plausible. All others are called as the
        operating point says, which is what who named it asked for."""
        fitted = self._conformal
        if fitted is None or point is None:
            return np.zeros(len(probabilities), np.bool_)
        return np.asarray(conformal_readings(probabilities, fitted, point.threshold) == WITHHELD)


def _decision(chance: float, point: OperatingPoint | None) -> str | None:
    return CLASSES[chance >= point.threshold] if point else None


def _is_one(array: NDArray[Any]) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)


def _films_of(images: Images) -> list[FilmInput]:
    """What ``Classifier.read`` was given, as films; arrays are named by their place, from 1."""
    if isinstance(images, str | os.PathLike):
        return list(find_films([images]).files)
    if isinstance(images, np.ndarray) and _is_one(images):
        images = [images]
    films: list[FilmInput] = []
    for place, image in enumerate(images, 1):
        if isinstance(image, str | os.PathLike):
            films += find_films([image]).files
        else:
            films.append(given_film(f"film {place}", image))
    return films
