"""Reader: from the bytes of films to their readings; films that wait pass the network together."""

from __future__ import annotations

import asyncio
import base64
import io
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pneumoscope.inference.classifier import Classifier
from pneumoscope.inference.loading import LoadedFilm
from pneumoscope.inference.model import BATCH
from pneumoscope.readings import OperatingPoint, Reading
from pneumoscope.records import Grey
from pneumoscope.serve.answers import FilmAnswer, film_answer
from pneumoscope.serve.decoding.pool import Decoders

Draw = Callable[[Grey], bytes]
"""From a film as the model takes it, uint8 (S, S), to a PNG of where the model looks."""

FILM_SIDE = 448
"""Pixels of a film that is shown, the side of films in pictures of heat."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the films of a request: the point to decide at, and which pictures."""

    point: OperatingPoint | None
    heatmap: bool = False
    film: bool = False


@dataclass(slots=True)
class _Job:
    """A film that was decoded, and who waits for its reading."""

    film: LoadedFilm
    point: OperatingPoint | None
    answer: asyncio.Future[Reading]


class Reader:
    """Reads with ``classifier``, which computes in one thread, films that ``decoders`` decode;
    ``draw`` makes pictures of heat in another, where the model has any.

    ``batches`` and ``read`` count what passed the network.
    """

    def __init__(self, classifier: Classifier, decoders: Decoders, draw: Draw | None) -> None:
        self.classifier, self._decoders, self._draw = classifier, decoders, draw
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        # Of its own: heat takes as long as many films, which need not wait for it.
        self._pictures = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._waiting: deque[_Job] = deque()
        self._some = asyncio.Event()
        self._decoding = 0
        self._computing: asyncio.Task[None] | None = None
        self.batches = self.read = 0

    @property
    def waiting(self) -> int:
        """Films that are being decoded, or wait for the network."""
        return self._decoding + len(self._waiting)

    @property
    def draws(self) -> bool:
        return self._draw is not None

    def start(self) -> None:
        self._computing = asyncio.create_task(self._compute())

    async def stop(self) -> None:
        if self._computing:
            self._computing.cancel()
            await asyncio.gather(self._computing, return_exceptions=True)
        for threads in (self._network, self._pictures):
            threads.shutdown(wait=False, cancel_futures=True)

    async def answers(self, films: Sequence[bytes], wanted: Wanted) -> list[FilmAnswer]:
        """The answer to each film, in their order. Raises Problem where none is to be had now."""
        each = (self._answer(number, film, wanted) for number, film in enumerate(films, 1))
        return list(await asyncio.gather(*each))

    async def reading(self, film: bytes, point: OperatingPoint | None) -> Reading:
        """That of one film."""
        return await self._read(await self._load(film), point)

    async def _answer(self, number: int, film: bytes, wanted: Wanted) -> FilmAnswer:
        loaded = await self._load(film)
        answer = film_answer(number, await self._read(loaded, wanted.point))
        if loaded.square is None:
            return answer
        if wanted.heatmap and self._draw:
            answer.heatmap = await self._picture(self._draw, loaded.square)
        if wanted.film:
            answer.film = await self._picture(film_png, loaded.square)
        return answer

    async def _load(self, film: bytes) -> LoadedFilm:
        self._decoding += 1
        try:
            return await self._decoders.load(film)
        finally:
            self._decoding -= 1

    async def _read(self, film: LoadedFilm, point: OperatingPoint | None) -> Reading:
        job = _Job(film, point, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._some.set()
        return await job.answer

    async def _picture(self, draw: Draw, square: Grey) -> str:
        loop = asyncio.get_running_loop()
        return base64.b64encode(await loop.run_in_executor(self._pictures, draw, square)).decode()

    async def _compute(self) -> None:
        """Take what waits through the network, again and again; meanwhile others gather."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            jobs = self._batch()
            films, point = [job.film for job in jobs], jobs[0].point
            try:
                found = await loop.run_in_executor(self._network, self._readings, films, point)
            except Exception as error:  # is theirs who wait, and not the end of the service
                for job in jobs:
                    if not job.answer.done():
                        job.answer.set_exception(error)
                continue
            for job, reading in zip(jobs, found, strict=True):
                if not job.answer.done():
                    job.answer.set_result(reading)

    def _batch(self) -> list[_Job]:
        """The film that has waited longest, and others that are decided at the same point."""
        point = self._waiting[0].point
        jobs = [job for job in self._waiting if job.point == point][:BATCH]
        chosen = set(map(id, jobs))
        self._waiting = deque(job for job in self._waiting if id(job) not in chosen)
        if not self._waiting:
            self._some.clear()
        self.batches += 1
        self.read += len(jobs)
        return jobs

    def _readings(self, films: list[LoadedFilm], point: OperatingPoint | None) -> list[Reading]:
        return list(self.classifier.answers(films, point))


def film_png(square: Grey) -> bytes:
    """The film as the model takes it, as large as in pictures of heat, as PNG."""
    out = io.BytesIO()
    side = (FILM_SIDE, FILM_SIDE)
    Image.fromarray(np.asarray(square)).resize(side, Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()
