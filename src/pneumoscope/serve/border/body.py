"""Body: the films of a request, held in memory and nowhere else.

The framework's own form parser keeps large files on disk, which is why it is not asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from pneumoscope.errors import printable
from pneumoscope.serve.problem import Problem

if TYPE_CHECKING:  # a name for type checkers only
    from python_multipart.multipart import MultipartCallbacks

MULTIPART = "multipart/form-data"
_BINARY = ("application/octet-stream", "application/dicom")
TYPES = f"{', '.join(_BINARY)}, image/… or {MULTIPART}"


def check_type(content_type: str | None, encoding: str | None) -> str | None:
    """The boundary of a body of several parts, None for one film. Raises Problem, 415."""
    if encoding and encoding.strip().lower() != "identity":
        raise Problem(
            415,
            "the body is compressed",
            got=f"Content-Encoding: {printable(encoding[:80])}",
            expected="films as they lie on disk",
            remedy="leave the encoding out",
        )
    if content_type is None:
        return None
    about = Message()
    about["content-type"] = content_type
    kind = about.get_content_type() if "/" in content_type else content_type.lower()
    if kind == MULTIPART:
        boundary = about.get_param("boundary")
        if isinstance(boundary, str) and 0 < len(boundary) <= 70:
            return boundary
    elif kind in _BINARY or kind.startswith("image/"):
        return None
    raise Problem(
        415,
        "the body is of a type that is not read here",
        got=f"Content-Type: {printable(kind[:80])}",
        expected=TYPES + (", with a boundary" if kind == MULTIPART else ""),
        remedy="for example: curl -F film=@FILM",
    )


async def films_of(chunks: AsyncIterator[bytes], boundary: str | None, most: int) -> list[bytes]:
    """The films of a body, in order. Raises Problem where there are more than ``most``, and where
    parts cannot be told from one another."""
    if boundary is None:
        return [b"".join([chunk async for chunk in chunks])]
    films = _Films(most)
    parser = MultipartParser(boundary.encode("latin-1"), films.callbacks())
    try:
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise _damaged("no boundary, or no head of a part, where one should be") from None
    if not films.ended:
        raise _damaged("it ends before its last boundary")
    if not films.whole:
        raise _damaged("no part")
    return [bytes(film) for film in films.whole]


class _Films:
    """The parts of a body, as they come."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.whole: list[bytearray] = []
        self.ended = False

    def callbacks(self) -> MultipartCallbacks:
        return {"on_part_begin": self._begin, "on_part_data": self._add, "on_end": self._end}

    def _begin(self) -> None:
        if len(self.whole) == self._most:
            raise Problem(
                413,
                "the body holds more films than are read at once",
                got=f"more than {self._most}",
                expected=f"at most {self._most}, a part each",
                remedy="send the others in a request of their own",
            )
        self.whole.append(bytearray())

    def _add(self, data: bytes, start: int, end: int) -> None:
        self.whole[-1] += data[start:end]

    def _end(self) -> None:
        self.ended = True


def _damaged(got: str) -> Problem:
    return Problem(
        422,
        "the parts of the body cannot be told from one another",
        got=got,
        expected=f"{MULTIPART} as of RFC 7578",
        remedy="for example: curl -F film=@FILM",
    )
