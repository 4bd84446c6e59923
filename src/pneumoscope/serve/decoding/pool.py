"""Decoders: the processes that read films, started, fed, watched, and started anew when one dies.

Small films that wait are read together, for half of their time goes into asking what is odd about
them, which costs little more for many. A film whose decoder dies is tried once more, alone, so that
nobody answers for the film of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.inference.loading import LoadedFilm
from pneumoscope.serve.decoding.frames import LENGTH_BYTES, framed, length_of, loaded_of
from pneumoscope.serve.decoding.process import Setup
from pneumoscope.serve.problem import busy

DIED = "the film cannot be decoded: it ended the process that read it"
SLOW = "the film takes longer to decode than is waited for"

_COMMAND = (sys.executable, "-P", "-m", "pneumoscope.serve.decoding.process")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TOGETHER, _SMALL = 16, 1 << 20
"""Films that are read together at most, none of which has more bytes than that."""
_TRIES = 2
_STARTS, _PAUSE = 3, 0.3
"""How often a decoder is started that cannot be, and the seconds between, before those are told who
wait."""
_START_WAIT = 60.0


@dataclass(slots=True)
class _Job:
    """A film to be read, how often its decoder died, and who waits for it."""

    film: bytes
    answer: asyncio.Future[LoadedFilm]
    deaths: int = 0


class Decoders:
    """``count`` processes that read films as ``setup`` says, each film within ``wait`` seconds.

    ``restarts`` counts those that died or were ended; ``missing`` says which limits this system
    lacks.
    """

    def __init__(self, setup: Setup, count: int, wait: float) -> None:
        self._setup = pickle.dumps(setup)
        self._count, self._wait = count, wait
        self._waiting: deque[_Job] = deque()
        self._some = asyncio.Condition()
        self._tenders: list[asyncio.Task[None]] = []
        self.restarts = 0
        self.missing: tuple[str, ...] = ()

    @property
    def waiting(self) -> int:
        """Films that no decoder has yet."""
        return len(self._waiting)

    async def start(self) -> None:
        """Start all of them. Raises OSError where none can be started."""
        first = await self._started()
        others = [None] * (self._count - 1)
        self._tenders = [asyncio.create_task(self._tend(each)) for each in (first, *others)]

    async def stop(self) -> None:
        """End all of them, whatever they do."""
        for tender in self._tenders:
            tender.cancel()
        await asyncio.gather(*self._tenders, return_exceptions=True)

    async def load(self, film: bytes) -> LoadedFilm:
        """The film, or the reason why it cannot be read. Raises Problem where no decoder is to be
        had."""
        job = _Job(film, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        await self._tell()
        return await job.answer

    async def _tell(self) -> None:
        async with self._some:
            self._some.notify()

    async def _tend(self, decoder: _Decoder | None) -> None:
        """Keep one decoder at work for ever."""
        try:
            while True:
                decoder = decoder or await self._replacement()
                if decoder is None:
                    continue
                jobs = await self._next(decoder)
                if jobs and not await self._done(decoder, jobs):
                    await decoder.end()
                    decoder = None
                    self.restarts += 1
        finally:
            if decoder is not None:
                await decoder.end()

    async def _replacement(self) -> _Decoder | None:
        for _ in range(_STARTS):
            try:
                return await self._started()
            except OSError:
                await asyncio.sleep(_PAUSE)
        # Who waits is told, and may ask again.
        while self._waiting:
            _fail(self._waiting.popleft())
        return None

    async def _started(self) -> _Decoder:
        decoder = await _Decoder.start()
        try:
            async with asyncio.timeout(_START_WAIT):
                self.missing = await decoder.begin(self._setup)
        except BaseException as error:
            await decoder.end()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise OSError("no decoder can be started") from error
        return decoder

    async def _next(self, decoder: _Decoder) -> list[_Job]:
        """What to read next, as soon as there is something; none where the decoder ended idly."""
        async with self._some:
            while not self._waiting:
                await self._some.wait()
            first = self._waiting.popleft()
            jobs = [first]
            share = min(_TOGETHER, -(-(len(self._waiting) + 1) // self._count))
            while self._waiting and len(jobs) < share and _goes_with(first, self._waiting[0]):
                jobs.append(self._waiting.popleft())
            return jobs

    async def _done(self, decoder: _Decoder, jobs: Sequence[_Job]) -> bool:
        """Whether the decoder answered; where it did not, its films are tried again or given up."""
        try:
            async with asyncio.timeout(self._wait):
                loaded = await decoder.load([job.film for job in jobs])
        except Exception as error:  # it died, was too slow, or sent what is no frame
            self._again(jobs, slow=isinstance(error, TimeoutError))
            await self._tell()
            return False
        for job, film in zip(jobs, loaded, strict=True):
            _answer(job, film)
        return True

    def _again(self, jobs: Sequence[_Job], slow: bool) -> None:
        for job in jobs:
            job.deaths += 1
            if len(jobs) == 1 and (slow or job.deaths == _TRIES):
                _answer(job, LoadedFilm("", error=SLOW if slow else DIED))
            else:
                self._waiting.append(job)


def _goes_with(first: _Job, other: _Job) -> bool:
    """Whether both may be read together: what ended a decoder is read alone."""
    small = max(len(first.film), len(other.film)) <= _SMALL
    return small and not first.deaths and not other.deaths


def _answer(job: _Job, film: LoadedFilm) -> None:
    if not job.answer.done():  # who waited may be gone
        job.answer.set_result(film)


def _fail(job: _Job) -> None:
    if not job.answer.done():
        job.answer.set_exception(busy("no film can be decoded at the moment", 5))


class _Decoder:
    """One process, and the frames to and from it."""

    def __init__(self, process: Process) -> None:
        assert process.stdin and process.stdout  # both were asked for
        self._process = process
        self._to, self._from = process.stdin, process.stdout

    @classmethod
    async def start(cls) -> _Decoder:
        # They import what this process would; there is one for each core.
        path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
        there = {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_THREADS, "1")}
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=there
        )
        return cls(process)

    async def begin(self, setup: bytes) -> tuple[str, ...]:
        """Tell it what to do; the limits that it lacks."""
        await self._write(framed({"size": len(setup)}, [setup]))
        return tuple(map(str, (await self._head())["missing"]))

    async def load(self, films: Sequence[bytes]) -> list[LoadedFilm]:
        await self._write(framed({"sizes": [len(film) for film in films]}, films))
        heads = (await self._head())["films"]
        if len(heads) != len(films):
            raise ValueError("another number of films")
        return [loaded_of(each, await self._square(int(each["side"]))) for each in heads]

    async def end(self) -> None:
        """End the process, and leave nothing of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._to.close()
        await self._process.wait()

    async def _write(self, pieces: Sequence[bytes]) -> None:
        self._to.writelines(pieces)
        await self._to.drain()

    async def _head(self) -> dict[str, Any]:
        length = length_of(await self._from.readexactly(LENGTH_BYTES))
        return json.loads(await self._from.readexactly(length))  # type: ignore[no-any-return]

    async def _square(self, side: int) -> bytes:
        if not 0 <= side <= 1 << 14:
            raise ValueError("no square")
        return await self._from.readexactly(side * side)
