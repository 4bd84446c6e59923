"""A trained model in use: three lines from films to answers.

from pneumoscope import Classifier

classifier = Classifier.load("runs/001-resnet18-kermany")
readings = classifier.read("films/")
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.devices import choose_device, has_bf16
from pneumoscope.inference.films import FilmFile, find_films
from pneumoscope.inference.members import Members, load_members
from pneumoscope.inference.predict import BATCH, probability
from pneumoscope.inference.reading import GivenFilm, ReadyFilm, given_film, ready_films
from pneumoscope.metrics.conformal import WITHHELD
from pneumoscope.metrics.conformal import readings as conformal_readings
from pneumoscope.metrics.scores import Floats
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.lean import lean
from pneumoscope.records import CLASSES, Grey, InputSpec, OperatingPoint, Reading

Images = Any
"""A path, a folder, an array uint8 (H, W) or (H, W, 3), 0–255, air dark, or many of these."""


class Classifier:
    """One model, or the mean of several, on a device, ready to read films."""

    def __init__(self, members: Members, device: str) -> None:
        quick = [replace(b, network=lean(b.network, b.precision)) for b in members.bundles]
        self._members = replace(members, bundles=tuple(quick))
        self.device = device
        for bundle in self._members.bundles:
            bundle.network.to(device)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Classifier:
        """The model of a run folder, of any folder that holds model.json and model.safetensors,
        or the ensemble in a folder of such folders.

        ``device`` is auto, cpu, cuda or cuda:N; auto takes the GPU where there is one. Raises
        NotARun, BadWeights, and InputError for a device that is not there.
        """
        device = choose_device(device)
        members = load_members(Path(folder).expanduser())
        fitted = tuple(_for_device(bundle, device) for bundle in members.bundles)
        notes = members.notes
        if any(a is not b for a, b in zip(fitted, members.bundles, strict=True)):
            why = "trained in bf16, which this processor computes slowly or not at all"
            notes = (*notes, ("precision", "float32", why))
        return cls(replace(members, bundles=fitted, notes=notes), device)

    @property
    def spec(self) -> InputSpec:
        """How a film becomes the network's input."""
        return self._members.spec

    @property
    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """Those that the model has; the first decides unless another is named."""
        return self._members.operating_points

    @property
    def notes(self) -> tuple[tuple[str, str, str], ...]:
        """What was settled on loading: (what, choice, why)."""
        return self._members.notes

    def point(self, name: str | None = None) -> OperatingPoint | None:
        """The operating point called ``name``, or the first. Raises InputError where unknown."""
        return self._members.point(name)

    def read(self, images: Images, *, point: str | None = None) -> list[Reading]:
        """A reading of each film, in the order given.

        ``images`` is a path, a folder (read recursively), a uint8 array (H, W) or (H, W, 3),
        0–255, air dark, or a list of these; an array (N, H, W) is N films. A film that cannot be
        read has its reason in ``error``. ``point`` names the operating point. Raises
        UnreadableImage for what is neither path nor such an array, InputError for ``point``.
        """
        return list(self.stream(_films_of(images), point=point))

    def stream(
        self, films: Iterable[FilmFile | GivenFilm], *, point: str | None = None
    ) -> Iterator[Reading]:
        """As ``read``, one after another with a few films in memory; warnings are silenced while
        it runs, for decoders in threads have nowhere to send theirs."""
        decided_at = self.point(point)
        waiting: list[ReadyFilm] = []
        squares = 0
        for film in ready_films(films, self.spec, self._members.population):
            waiting.append(film)
            squares += film.square is not None
            if squares == BATCH:
                yield from self._judge(waiting, decided_at)
                waiting, squares = [], 0
        yield from self._judge(waiting, decided_at)

    def _judge(self, films: list[ReadyFilm], point: OperatingPoint | None) -> list[Reading]:
        squares = [film.square for film in films if film.square is not None]
        judged = iter(self._answers(np.stack(squares), point) if squares else [])
        return [
            Reading(film.name, error=film.error)
            if film.square is None
            else _of_film(next(judged), film)
            for film in films
        ]

    def _answers(self, films: Grey, point: OperatingPoint | None) -> list[Reading]:
        logits = self._members.logits(films, self.device)
        probabilities = probability(logits)
        withheld = self._withheld(probabilities, point)
        answers = zip(probabilities.tolist(), logits.tolist(), withheld.tolist(), strict=True)
        return [
            Reading(
                name="",
                probability=chance,
                logit=logit,
                decision=None if left else _decision(chance, point),
                operating_point=point,
                abstained=left,
            )
            for chance, logit, left in answers
        ]

    def _withheld(self, probabilities: Floats, point: OperatingPoint | None) -> NDArray[np.bool_]:
        """Bool (N,): the films of which both labels are plausible. All others are called as the
        operating point says, which is what who named it asked for."""
        fitted = self._members.conformal
        if fitted is None or point is None:
            return np.zeros(len(probabilities), np.bool_)
        return np.asarray(conformal_readings(probabilities, fitted, point.threshold) == WITHHELD)


def _of_film(answer: Reading, film: ReadyFilm) -> Reading:
    """The answer under the film's name. Where there is nothing to read it decides nothing."""
    reading = replace(answer, name=film.name, findings=film.findings)
    return (
        replace(reading, decision=None, abstained=True) if "CONSTANT" in film.findings else reading
    )


def _decision(chance: float, point: OperatingPoint | None) -> str | None:
    return CLASSES[chance >= point.threshold] if point else None


def _for_device(bundle: Bundle, device: str) -> Bundle:
    """The bundle in float32 where it was trained in bf16 and the device has no such arithmetic:
    bf16 is tens of times slower there, and the logits differ by bf16's rounding alone."""
    if bundle.precision != "bf16" or has_bf16(device):
        return bundle
    return replace(bundle, precision="float32")


def _is_one(array: NDArray[Any]) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)


def _films_of(images: Images) -> list[FilmFile | GivenFilm]:
    """What ``Classifier.read`` was given, as films; arrays are named by their place, from 1."""
    if isinstance(images, str | os.PathLike):
        return list(find_films([images]).files)
    if isinstance(images, np.ndarray) and _is_one(images):
        images = [images]
    films: list[FilmFile | GivenFilm] = []
    for place, image in enumerate(images, 1):
        if isinstance(image, str | os.PathLike):
            films += find_films([image]).files
        else:
            films.append(given_film(f"film {place}", image))
    return films
