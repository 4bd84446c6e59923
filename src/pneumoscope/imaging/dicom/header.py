"""Header of a DICOM file: the few attributes that its pixels need, read without reading the rest.

pydicom builds an object for every element and item, whoever sent the file. Here none is kept but
the wanted values. What identifies a person is passed over unread, but for the ids of patient, study
and film, which tables may name. PS3.10 chapter 7.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.dicom.elements import (
    ITEM,
    PIXEL_TAGS,
    UNDEFINED,
    Coding,
    Element,
    element_at,
    elements,
    is_vr,
)
from pneumoscope.imaging.headers import DAMAGED, TOO_EARLY

_TRANSFER_SYNTAX = 0x00020010
_LONGEST_HEADER = 16 << 20
_MOST_INFLATED = 256 << 20
_LARGEST_NUMBER = 1e100  # so that no sum or product of two is beyond the largest float
_LAST_FIRST, _LONGEST_FIRST = 0x0080, 128  # element and bytes of the first element of a data set

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"


class Tag(IntEnum):
    """The attributes that are read; all others are passed over."""

    CHARACTER_SET = 0x00080005
    SOP_INSTANCE = 0x00080018
    ACCESSION = 0x00080050
    MODALITY = 0x00080060
    PATIENT_ID = 0x00100020
    SEX = 0x00100040
    AGE = 0x00101010
    BODY_PART = 0x00180015
    VIEW = 0x00185101
    STUDY = 0x0020000D
    SAMPLES = 0x00280002
    PHOTOMETRIC = 0x00280004
    PLANAR = 0x00280006
    FRAMES = 0x00280008
    ROWS = 0x00280010
    COLUMNS = 0x00280011
    ALLOCATED = 0x00280100
    STORED = 0x00280101
    HIGH_BIT = 0x00280102
    SIGNED = 0x00280103
    PADDING = 0x00280120
    PADDING_LIMIT = 0x00280121
    CENTRE = 0x00281050
    WIDTH = 0x00281051
    INTERCEPT = 0x00281052
    SLOPE = 0x00281053
    FUNCTION = 0x00281056
    RED = 0x00281101
    GREEN = 0x00281102
    BLUE = 0x00281103
    RED_DATA = 0x00281201
    GREEN_DATA = 0x00281202
    BLUE_DATA = 0x00281203
    MODALITY_LUT = 0x00283000
    VOI_LUT = 0x00283010


_WANTED = frozenset(int(tag) for tag in Tag)

ElementBytes = dict[int, tuple[bytes, bytes]]
"""VR as written, and value, by tag."""


@dataclass(frozen=True, slots=True)
class Header:
    """The wanted values of a data set, and where its pixel data lie in ``stream``.

    ``pixels`` is None when there are none; its ``length`` is 0xFFFFFFFF when encapsulated.
    """

    syntax: str
    coding: Coding
    values: ElementBytes
    pixels: Element | None
    stream: BinaryIO

    def raw(self, tag: int) -> bytes:
        """The value's bytes, empty where absent."""
        return self.values[tag][1] if tag in self.values else b""

    def vr(self, tag: int) -> bytes:
        """The VR as written, empty where it is implicit or the element absent."""
        return self.values[tag][0] if tag in self.values else b""

    def text(self, tag: int) -> str:
        """ASCII text without padding; other bytes become ``?``."""
        return self.raw(tag).decode("ascii", "replace").strip(" \0")

    def whole(self, tag: int) -> int | None:
        """The first unsigned 16-bit number (US), None where absent."""
        value = self.raw(tag)
        return struct.unpack_from(self.coding.order + "H", value)[0] if len(value) >= 2 else None

    def decimal(self, tag: int) -> float | None:
        """The first number of a decimal or integer string (DS, IS), None where absent."""
        text = self.text(tag).split("\\")[0].strip(" \0")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) < _LARGEST_NUMBER:  # nor for NaN
            name = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
            raise UnreadableImage("a number of the DICOM header is none", got=name)
        return value

    def item(self, tag: int, wanted: frozenset[int]) -> ElementBytes:
        """The wanted values of the first item of a sequence, empty where there is none."""
        data = self.raw(tag)
        if len(data) < 8:
            return {}
        group, element, length = struct.unpack_from(self.coding.order + "HHI", data)
        if group << 16 | element != ITEM:
            return {}
        end = len(data) if length == UNDEFINED else min(8 + length, len(data))
        implicit = self.coding.implicit or self.vr(tag) == b"UN"
        return {
            e.tag: (e.vr, data[e.start : e.end])
            for e in elements(data, 8, end, Coding(implicit, self.coding.order))
            if e.tag in wanted
        }


def read_header(stream: BinaryIO) -> Header:
    """Parse a DICOM file up to the pixel data, with its preamble or, as old archives and some
    exports write it, without. Raises UnreadableImage."""
    stream.seek(0)
    data = stream.read(_LONGEST_HEADER)
    syntax, position = _file_meta(data)
    if syntax == DEFLATED:
        stream.seek(position)
        data, position = _inflate(stream), 0
        stream = io.BytesIO(data)
        data = data[:_LONGEST_HEADER]
    coding = Coding(syntax == IMPLICIT, ">" if syntax == BIG_ENDIAN else "<")
    first = data[position + 4 : position + 6]
    if len(first) == 2:
        # Some writers name one coding and use the other; the first element shows which.
        coding = Coding(not is_vr(first), coding.order)
    values: ElementBytes = {}
    pixels, end = None, position
    for element in elements(data, position, len(data), coding):
        if element.tag in PIXEL_TAGS:
            pixels = element
            break
        end = element.end
        if element.end <= len(data) and element.tag in _WANTED:
            values[element.tag] = (element.vr, data[element.start : element.end])
    if pixels is None and end != len(data):
        long = len(data) == _LONGEST_HEADER
        raise UnreadableImage("the DICOM header is longer than is read here" if long else TOO_EARLY)
    return Header(syntax, coding, values, pixels, stream)


def _file_meta(data: bytes) -> tuple[str, int]:
    """Transfer syntax, and where the data set begins (PS3.10 7.1)."""
    position, syntax = (132, "") if data[128:132] == b"DICM" else (0, "")
    bare = not position
    # The group ends where another begins, for its stated length is often missing or wrong.
    while data[position : position + 2] == b"\x02\0" and position + 8 <= len(data):
        element = element_at(data, position, Coding(False, "<"))
        if element.tag == _TRANSFER_SYNTAX:
            syntax = data[element.start : element.end].decode("ascii", "replace").strip(" \0")
        position = element.end
    if position + 8 > len(data):
        raise UnreadableImage(TOO_EARLY)
    if not syntax and bare:
        # PS3.5 A.1: without a word on it the default, but VRs that are there are read as such.
        syntax = EXPLICIT if is_vr(data[position + 4 : position + 6]) else IMPLICIT
    if not syntax:
        raise UnreadableImage("the DICOM file names no transfer syntax")
    return syntax, position


def begins_data_set(head: bytes) -> bool:
    """Whether a file without preamble begins as a data set does: with an element of the group of
    file meta (0002) or of identification (0008), and a length that such an element has."""
    if len(head) < 12:
        return False
    group, element, length = struct.unpack_from("<HHI", head)
    if group not in (0x0002, 0x0008) or element > _LAST_FIRST:
        return False
    return is_vr(head[4:6]) or length <= _LONGEST_FIRST


def _inflate(stream: BinaryIO) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts, left = [], _MOST_INFLATED
    try:
        while left > 0 and not inflater.eof and (piece := stream.read(1 << 16)):
            while piece and left > 0:
                parts.append(inflater.decompress(piece, left))
                left -= len(parts[-1])
                piece = inflater.unconsumed_tail
    except zlib.error as error:
        raise UnreadableImage(DAMAGED, got="zlib.error") from error
    if left <= 0:
        raise UnreadableImage("the deflated data set is larger than is read here")
    if not inflater.eof:
        raise UnreadableImage(TOO_EARLY)
    return b"".join(parts)
