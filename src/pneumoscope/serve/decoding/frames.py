"""Frames between the service and its decoders: a head in JSON, then bytes whose sizes it gives.

A decoder reads what strangers send, so it may be taken over by a film. What comes from it is parsed
as data and never unpickled.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from pneumoscope.inference.loading import LoadedFilm

_LENGTH = struct.Struct(">I")
LENGTH_BYTES = _LENGTH.size
MOST_HEAD = 1 << 20
"""Bytes of a head, at most: more is no head."""


def framed(head: Any, parts: Sequence[bytes] = ()) -> list[bytes]:
    """A frame, in pieces to be written one after another."""
    text = json.dumps(head).encode()
    return [_LENGTH.pack(len(text)), text, *parts]


def length_of(found: bytes) -> int:
    """How long the head is. Raises ValueError for what is no frame."""
    (length,) = _LENGTH.unpack(found)
    if length > MOST_HEAD:
        raise ValueError("no frame")
    return int(length)


def read_head(stream: BinaryIO) -> Any:
    """The next head, None at the end of the stream."""
    found = stream.read(LENGTH_BYTES)
    return json.loads(stream.read(length_of(found))) if len(found) == LENGTH_BYTES else None


def heads_of(films: Sequence[LoadedFilm]) -> list[dict[str, Any]]:
    """All but the pixels, the name and the patient of each film."""
    return [
        {
            "side": 0 if film.square is None else film.square.shape[0],
            "findings": film.findings,
            "error": film.error,
        }
        for film in films
    ]


def loaded_of(head: dict[str, Any], pixels: bytes) -> LoadedFilm:
    """The film of one such head and its square's bytes. Raises ValueError, KeyError, TypeError."""
    side, error = int(head["side"]), head["error"]
    square = np.frombuffer(pixels, np.uint8).reshape(side, side) if side else None
    if square is None and error is None:
        raise ValueError("neither a film nor a reason")
    return LoadedFilm("", square, tuple(map(str, head["findings"])), error and str(error))
