"""Elements of a DICOM data set, walked without building an object for each item inside.

The walk goes round nested sequences without recursion, and is bounded by the bytes that there are,
whatever lengths they claim. PS3.5 chapter 7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.headers import DAMAGED, TOO_EARLY

PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, PIXEL_DATA)
UNDEFINED = 0xFFFFFFFF
"""The length that is claimed where an end is marked instead."""
ITEM = 0xFFFEE000
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a data set is written down: VRs implicit or explicit, and the byte order of struct."""

    implicit: bool
    order: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element's place: its value is ``data[start:end]``; ``length`` is what it claims."""

    tag: int
    vr: bytes
    start: int
    end: int
    length: int


def is_vr(letters: bytes) -> bool:
    """Whether these two bytes could be a VR: two capital letters."""
    return len(letters) == 2 and letters.isalpha() and letters.isupper()


def elements(data: bytes, position: int, end: int, coding: Coding) -> Iterator[Element]:
    """The elements of one data set, without those inside its sequences.

    An element's ``end`` may lie beyond the data, when the file was cut or lies; it is the last.
    Pixel data end the walk. Raises UnreadableImage where no element can be.
    """
    while position + 8 <= end:
        element = element_at(data, position, coding)
        if element.tag in (_ITEM_END, _SEQUENCE_END):
            return
        if element.length == UNDEFINED and element.tag not in PIXEL_TAGS:
            inner = Coding(coding.implicit or element.vr == b"UN", coding.order)
            stop = _skip(data, element.start, end, inner)
            element = Element(element.tag, element.vr, element.start, stop, element.length)
        yield element
        if element.tag in PIXEL_TAGS:
            return
        position = element.end


def element_at(data: bytes, position: int, coding: Coding) -> Element:
    """The element that begins at ``position``. Raises UnreadableImage where none can."""
    group, number = struct.unpack_from(coding.order + "HH", data, position)
    tag = group << 16 | number
    if coding.implicit or group == 0xFFFE:
        (length,) = struct.unpack_from(coding.order + "I", data, position + 4)
        return Element(tag, b"", position + 8, position + 8 + length, length)
    vr = data[position + 4 : position + 6]
    if vr in _LONG_VRS:
        if position + 12 > len(data):
            raise UnreadableImage(TOO_EARLY)
        (length,) = struct.unpack_from(coding.order + "I", data, position + 8)
        start = position + 12
    elif is_vr(vr):
        (length,) = struct.unpack_from(coding.order + "H", data, position + 6)
        start = position + 8
    else:
        raise UnreadableImage(DAMAGED, got="no DICOM element where one should be")
    return Element(tag, vr, start, start + length, length)


def _skip(data: bytes, position: int, end: int, coding: Coding) -> int:
    """Where a sequence of undefined length ends that begins at ``position``.

    Goes round whatever is nested inside with a stack of its own: in a sequence there are items,
    in an item elements. (-1, since then no recursion limit can be met by a hostile file.)
    """
    stack = [(True, coding)]  # (inside a sequence rather than an item, coding)
    while stack:
        if position + 8 > end:
            raise UnreadableImage(TOO_EARLY)
        in_sequence, inner = stack[-1]
        element = element_at(data, position, inner)
        position = element.start
        if element.tag == (_SEQUENCE_END if in_sequence else _ITEM_END):
            stack.pop()
        elif in_sequence and element.tag != ITEM:
            raise UnreadableImage(DAMAGED, got="no DICOM item where one should be")
        elif element.length == UNDEFINED:
            implicit = inner.implicit or element.vr == b"UN"
            stack.append((not in_sequence, Coding(implicit, inner.order)))
        else:
            position = element.end
    return position
