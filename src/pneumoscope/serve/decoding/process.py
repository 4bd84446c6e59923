"""Decoder: a process that turns the bytes of films into the squares that the network takes.

A damaged film may end it, keep it busy or fill its memory, and takes no service with it. It imports
no torch, writes no file, says nothing, and ends with its input. ``pool`` starts it:

    python -m pneumoscope.serve.decoding.process
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pneumoscope.imaging.known.reference import Reference
from pneumoscope.imaging.read import quiet_decoders
from pneumoscope.inference.films import FilmInput
from pneumoscope.inference.loading import LoadedFilm, load_piece
from pneumoscope.manifest import Population
from pneumoscope.records import InputSpec
from pneumoscope.serve.built_in import built_in_film
from pneumoscope.serve.decoding.frames import framed, heads_of, read_head

UNREAD = "the film cannot be decoded"
NO_MEMORY = "the film needs more memory than a decoder is given"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a decoder is told first: what ``load_films`` takes, and how many MiB it may take beside
    those it begins with. Pickled, for it comes from the service itself."""

    spec: InputSpec
    population: Population
    reference: Reference | None
    mib: int


def main() -> None:
    """Answer on standard output what is asked on standard input, until that ends."""
    # The service ends its decoders itself, when what waits is done.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, _own_output()
    setup: Setup = pickle.loads(asked.read(read_head(asked)["size"]))  # noqa: S301 its parent's
    with quiet_decoders():
        # What is loaded late is loaded before limits are set.
        load([built_in_film()], setup)
        _write(answers, framed({"missing": limit(setup.mib)}))
        while (head := read_head(asked)) is not None:
            films = load([asked.read(size) for size in head["sizes"]], setup)
            squares = [film.square.tobytes() for film in films if film.square is not None]
            _write(answers, framed({"films": heads_of(films)}, squares))


def load(films: Sequence[bytes], setup: Setup) -> list[LoadedFilm]:
    """The films, each read or with its reason, whatever happens in a codec."""
    inputs = [FilmInput("", film) for film in films]
    try:
        return load_piece(inputs, setup.spec, setup.population, setup.reference)
    except Exception:  # of one of them: the others are read without it
        return [_load_one(each, setup) for each in inputs]


def _load_one(film: FilmInput, setup: Setup) -> LoadedFilm:
    try:
        return load_piece([film], setup.spec, setup.population, setup.reference)[0]
    except MemoryError:
        return LoadedFilm("", error=NO_MEMORY)
    except Exception:  # codecs raise what they like: it is the film's fault, not the service's
        return LoadedFilm("", error=UNREAD)


def limit(mib: int) -> list[str]:
    """Bound this process: memory, no file written, no core dumped. What this system cannot bound,
    in words."""
    try:
        import resource
    except ImportError:
        return ["memory of decoders", "files of decoders"]
    missing = []
    # Unlike other limits it counts what is reserved too, so it begins at what there is.
    wanted = {
        "memory of decoders": (resource.RLIMIT_AS, _reserved() + (mib << 20)),
        "files of decoders": (resource.RLIMIT_FSIZE, 0),
        "core dumps of decoders": (resource.RLIMIT_CORE, 0),
    }
    for name, (which, value) in wanted.items():
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError):
            missing.append(name)
    # There it is accepted, and not kept.
    if sys.platform == "darwin" and "memory of decoders" not in missing:
        missing.append("memory of decoders")
    return missing


def _reserved() -> int:
    """Bytes of memory that this process has reserved; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 1 << 30


def _own_output() -> BinaryIO:
    """Standard output for frames alone; what a codec prints goes nowhere."""
    own = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for loud in (1, 2):
        os.dup2(nowhere, loud)
    return os.fdopen(own, "wb")


def _write(stream: BinaryIO, pieces: Sequence[bytes]) -> None:
    stream.writelines(pieces)
    stream.flush()


if __name__ == "__main__":
    main()
