"""Decoders: a film that ends, stops or fills one takes nothing else with it."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.helpers.images import encode, film
from tests.helpers.serving import MODEL

from pneumoscope.serve.decoding import pool
from pneumoscope.serve.decoding.pool import DIED, SLOW, Decoders
from pneumoscope.serve.decoding.process import Setup, limit
from pneumoscope.serve.problem import Problem

# A decoder as it is, but for films of these bytes.
_ODD = """
import os, sys, time
from pneumoscope.serve.decoding import process
load = process.load_piece
def odd(films, *more):
    for each in films:
        if each.source == b"dies":
            os.abort()
        if each.source == b"sleeps":
            time.sleep(60)
        if each.source == b"grows":
            bytearray(8 << 30)
        if each.source == b"prints":
            os.write(1, b"x" * 99); print("y", flush=True)
        if each.source == b"writes":
            os.write(os.open("there", os.O_CREAT | os.O_WRONLY), b"film")
        if each.source == b"torch":
            heavy = [m for m in ("torch", "pandas", "fastapi", "uvicorn") if m in sys.modules]
            return [process.LoadedFilm("", error=f"imported: {heavy}")]
    return load(films, *more)
process.load_piece = odd
process.main()
"""


def tried(
    monkeypatch: pytest.MonkeyPatch, wait: float, work: Callable[[Decoders], Awaitable[None]]
) -> None:
    """Do ``work`` with one odd decoder."""
    monkeypatch.setattr(pool, "_COMMAND", (sys.executable, "-c", _ODD))

    async def done() -> None:
        decoders = Decoders(Setup(MODEL.spec, {}, None, 1024), 1, wait)
        await decoders.start()
        try:
            await work(decoders)
        finally:
            await decoders.stop()

    asyncio.run(done())


def test_a_film_that_ends_its_decoder_is_the_only_one_without_an_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    chest = encode(film(0))

    async def work(decoders: Decoders) -> None:
        films = [chest, b"dies", b"grows", chest, b"prints", b"writes", b"torch"]
        found = await asyncio.gather(*map(decoders.load, films))
        errors = [each.error for each in found]
        assert errors[0] is errors[3] is None and found[3].square is not None
        assert errors[1] == DIED and "memory" in str(errors[2])
        assert errors[4] == "the file is no image that is read here"
        assert errors[5] == "the film cannot be decoded"
        assert errors[6] == "imported: []"
        # Beside others, and alone.
        assert decoders.restarts == 2 and decoders.missing == ()
        monkeypatch.setattr(pool, "_COMMAND", (sys.executable, "-c", ""))
        monkeypatch.setattr(pool, "_PAUSE", 0)
        with pytest.raises(Problem, match="at the moment") as refused:
            await decoders.load(b"dies")
        assert refused.value.status == 503

    tried(monkeypatch, 20, work)
    assert (tmp_path / "there").read_bytes() == b""


def test_a_system_without_limits_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert limit(1) == ["memory of decoders", "files of decoders"]
    full = SimpleNamespace(RLIMIT_AS=1, RLIMIT_FSIZE=2, RLIMIT_CORE=3, setrlimit=lambda *_: None)
    monkeypatch.setitem(sys.modules, "resource", full)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert limit(1) == ["memory of decoders"]


@pytest.mark.slow
def test_a_film_that_takes_too_long_is_given_up_and_one_whose_decoder_is_killed_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(decoders: Decoders) -> None:
        slow = asyncio.create_task(decoders.load(b"sleeps"))
        assert (await slow).error == SLOW
        film_read = asyncio.create_task(decoders.load(encode(film(0))))
        other = asyncio.create_task(decoders.load(b"sleeps"))
        await asyncio.sleep(0.2)
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        assert (await film_read).square is not None
        assert (await other).error == SLOW

    tried(monkeypatch, 3, work)
