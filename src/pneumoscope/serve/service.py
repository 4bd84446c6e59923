"""Service: one model, what it holds, and what state it is in: loading, ready, draining."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from pneumoscope.data.pool import cores
from pneumoscope.errors import BadWeights
from pneumoscope.inference.classifier import Classifier
from pneumoscope.inference.model import Model
from pneumoscope.serve.answers import ModelAnswer, model_answer
from pneumoscope.serve.border.room import Room
from pneumoscope.serve.built_in import built_in_film, built_in_pixels
from pneumoscope.serve.counts import Counts
from pneumoscope.serve.decoding.pool import Decoders
from pneumoscope.serve.decoding.process import Setup
from pneumoscope.serve.limits import Limits
from pneumoscope.serve.problem import busy
from pneumoscope.serve.reader import Draw, Reader

LOADING, READY, DRAINING = "loading", "ready", "draining"

_NEAR = 1e-3
"""Logits of the built-in film differ by no more: a network may sum in another order."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: a model, whether it is a run or an export, and what draws its heat, None
    where nothing does."""

    model: Model
    kind: str
    draw: Draw | None = None


class Service:
    """Loads what ``load`` gives, and answers within ``limits``."""

    def __init__(self, load: Callable[[], Served], limits: Limits) -> None:
        self._load = load
        self.limits = limits
        self.state = LOADING
        self.counts = Counts()
        self.room = Room(limits.requests, limits.all_bodies)
        self._decoders: Decoders | None = None
        self._reader: Reader | None = None
        self._about: ModelAnswer | None = None

    def check_ready(self) -> None:
        """Raise Problem, 503, while nothing can be read."""
        if self.state != READY:
            raise busy(f"the service is {self.state}", 5 if self.state == DRAINING else 2)

    @property
    def reader(self) -> Reader:
        self.check_ready()
        assert self._reader  # it is there before the state is ready
        return self._reader

    @property
    def missing(self) -> tuple[str, ...]:
        """Limits that this system lacks, in words."""
        return self._decoders.missing if self._decoders else ()

    @property
    def about(self) -> ModelAnswer:
        """What is known of the model. Raises Problem while it is being loaded."""
        self.check_ready()
        assert self._about
        return self._about

    async def start(self) -> None:
        """Load the model, start the decoders, and read the built-in film. Raises what loading
        raises, OSError where no decoder can be started, BadWeights for another answer."""
        decoders, reader = self.use(await asyncio.to_thread(self._load))
        await decoders.start()
        reader.start()
        await self._check(reader)
        self.state = READY if self.state == LOADING else self.state

    def use(self, served: Served) -> tuple[Decoders, Reader]:
        """Serve this model, once what reads it is started."""
        model = served.model
        setup = Setup(model.spec, model.population, model.reference, self.limits.decode_mib)
        # Two at least: a film that takes long holds up one of them.
        self._decoders = Decoders(setup, max(2, cores()), self.limits.decode_wait)
        self._reader = Reader(Classifier(model), self._decoders, served.draw)
        self._about = model_answer(model, served.kind, served.draw is not None, self.limits)
        return self._decoders, self._reader

    async def drain(self) -> None:
        """Take nothing more, and wait until what waits is answered."""
        self.state = DRAINING
        try:
            async with asyncio.timeout(self.limits.drain_wait):
                while self.room.held:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return

    async def stop(self) -> None:
        """End decoders and threads, whatever waits."""
        self.state = DRAINING
        if self._reader:
            await self._reader.stop()
        if self._decoders:
            await self._decoders.stop()

    def now(self) -> dict[str, tuple[str, str, float]]:
        """What is so at the moment, for ``Counts.text``."""
        reader, decoders = self._reader, self._decoders
        read, batches = (reader.read, reader.batches) if reader else (0, 0)
        return {
            "ready": ("gauge", "1 while films are read.", float(self.state == READY)),
            "held_requests": ("gauge", "Requests that wait for an answer.", self.room.held),
            "held_bytes": ("gauge", "Bytes of their bodies.", self.room.bytes),
            "waiting_films": ("gauge", "Films that wait.", reader.waiting if reader else 0),
            "network_films_total": ("counter", "Films that passed the network.", read),
            "network_batches_total": ("counter", "Batches that they passed it in.", batches),
            "decoder_restarts_total": (
                "counter",
                "Decoders that died, or were ended because a film took too long.",
                decoders.restarts if decoders else 0,
            ),
        }

    async def _check(self, reader: Reader) -> None:
        """The built-in film as a file, by decoders and queue, gets the answer of its pixels."""
        classifier = reader.classifier
        wanted = (await asyncio.to_thread(classifier.read, built_in_pixels()))[0]
        found = await reader.reading(built_in_film(), classifier.point())
        near = None not in (wanted.logit, found.logit) and math.isclose(
            wanted.logit or 0.0, found.logit or 0.0, abs_tol=_NEAR
        )
        if not near or found.findings != wanted.findings:
            raise BadWeights(
                "the built-in film got another answer through the service than without it",
                got=f"logit {found.logit}, {found.error or 'read'}",
                expected=f"logit {wanted.logit}",
            )
