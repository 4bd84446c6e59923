"""What a picture's own header says, seen before any decoder is trusted with the file.

A few bytes can claim a picture of gigabytes, and some decoders believe them. Everything here
looks at headers only, in time and memory that do not depend on what they claim.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from pneumoscope.errors import UnreadableImage

LARGEST_SIDE = 16_384
MOST_PIXELS = 100_000_000
_MOST_METADATA = 16 << 20
_MOST_SCANS = 200
_MOST_SCANNED = 2_000_000_000  # pixels of all scans: some four seconds
_MOST_CHUNKS = 200_000
# SOF3, DHT, SOS, DQT, DRI and COM
_LOSSLESS_MARKERS = frozenset((0xC3, 0xC4, 0xDA, 0xDB, 0xDD, 0xFE))

TOO_EARLY = "the file ends too early"
DAMAGED = "the image is damaged"
SEVERAL_FRAMES = "the file holds several frames"


@contextmanager
def decoding() -> Iterator[None]:
    """Whatever a foreign decoder raises on a damaged file becomes UnreadableImage."""
    try:
        yield
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise UnreadableImage("the image needs more memory than there is") from error
    except Exception as error:  # damaged bytes make foreign decoders raise anything at all
        text = str(error).lower()
        ended = isinstance(error, EOFError) or "truncated" in text or "not enough" in text
        raise UnreadableImage(TOO_EARLY if ended else DAMAGED, got=type(error).__name__) from error


def check_size(height: int, width: int) -> None:
    """Refuse a film with no pixels, or with more than any radiograph has."""
    if height < 1 or width < 1:
        raise UnreadableImage("the image has no pixels", got=f"{width}×{height} px")
    if max(height, width) > LARGEST_SIDE or height * width > MOST_PIXELS:
        raise UnreadableImage(
            "the image is larger than is read here",
            got=f"{width}×{height} px",
            expected=f"at most {LARGEST_SIDE} px a side and {MOST_PIXELS // 10**6} megapixels",
        )


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream says of itself; precision in bits."""

    height: int
    width: int
    components: int
    precision: int
    kind: int


def jpeg_header(data: bytes) -> FrameHeader:
    """The first frame header (SOFn of ITU T.81 B.2.2, or SOF55 of T.87) of a codestream."""
    for kind, start, end in _segments(data):
        if (0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC)) or kind == 0xF7:
            if start + 6 > min(end, len(data)):
                raise UnreadableImage(TOO_EARLY)
            precision, height, width, components = struct.unpack_from(">BHHB", data, start)
            return FrameHeader(height, width, components, precision, kind)
    raise UnreadableImage(DAMAGED, got="no JPEG frame header")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment's content up to the first scan, that one included."""
    if not data.startswith(b"\xff\xd8"):
        raise UnreadableImage(DAMAGED, got="no JPEG marker")
    position = 2
    while position + 4 <= len(data):
        kind = data[position + 1]
        if data[position] != 0xFF:
            raise UnreadableImage(DAMAGED, got="no JPEG marker")
        if kind == 0xFF:  # fill byte
            position += 1
            continue
        length = data[position + 2] << 8 | data[position + 3]
        yield kind, position + 4, position + 2 + length
        if kind == 0xDA:
            return
        position += 2 + max(length, 2)
    raise UnreadableImage(TOO_EARLY)


def check_lossless_jpeg(data: bytes) -> None:
    """Refuse a lossless JPEG before its first scan for whatever its decoder would warn of.

    GDCM ends the whole process on a warning there (3.0 to 3.2, gdcmJPEGBITSCodec.hxx), so no
    byte may lie between markers, and JFIF's version and Adobe's transform must be known ones.
    """
    last = 0
    for kind, start, end in _segments(data):
        last = end
        jfif, adobe = data.startswith(b"JFIF\0", start), data.startswith(b"Adobe", start)
        if kind not in _LOSSLESS_MARKERS and not 0xE0 <= kind <= 0xEF:
            raise UnreadableImage(DAMAGED, got="a marker that lossless JPEG has not")
        if (jfif and data[start + 5 : start + 6] != b"\1") or (
            adobe and data[start + 11 : start + 12] not in (b"\0", b"\1")
        ):
            raise UnreadableImage(DAMAGED, got="an unknown version of JFIF or Adobe's marker")
    if last >= len(data):
        raise UnreadableImage(TOO_EARLY)


def check_jpeg(data: bytes) -> FrameHeader | None:
    """Refuse a JPEG that is too large, whose metadata or scans would cost far more than its
    pixels, or that is far too short for them: libjpeg paints what is missing grey and only warns.

    Returns the frame header of a plain one: 8 bits, grey or three colours, and no metadata that
    may turn it; None for others.
    """
    exifs, components, many, least = 0, 0, False, 0
    frames: list[FrameHeader] = []
    plain = True
    for kind, start, end in _segments(data):
        # An Adobe segment may say that the colours are no YCbCr; APP1 is EXIF or XMP.
        plain = plain and kind not in (0xE1, 0xEE)
        if kind == 0xE1 and data.startswith(b"Exif\0\0", start):
            exifs += 1
            check_exif(data[start + 6 : end])
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and start + 6 <= len(data):
            components = data[start + 5]
            many = kind not in (0xC0, 0xC1, 0xC3)
            precision, height, width = struct.unpack_from(">BHH", data, start)
            frames.append(FrameHeader(height, width, components, precision, kind))
            check_size(height, width)
            least = _least_bytes(kind, height, width)
        elif kind == 0xDA and start < len(data):
            many = many or data[start] < components
    if len(data) < least:
        raise UnreadableImage(TOO_EARLY)
    if exifs > 1:
        # Pillow joins them, and their directories may then name gigabytes of values.
        raise UnreadableImage("the image has more metadata than is read here")
    # A scan of a few bytes can make the decoder pass over the whole picture once more.
    scans = data.count(b"\xff\xda") if many else 0
    pixels = max((frame.height * frame.width for frame in frames), default=0)
    if scans > _MOST_SCANS or scans * pixels > _MOST_SCANNED:
        raise UnreadableImage("the JPEG has more scans than is read here")
    if plain and len(frames) == 1 and frames[0].kind in (0xC0, 0xC1, 0xC2):
        return frames[0] if (frames[0].precision, components) in ((8, 1), (8, 3)) else None
    return None


def _least_bytes(kind: int, height: int, width: int) -> int:
    """Fewer bytes than this hold no such picture: each block of 8×8 takes two Huffman codes of at
    least a bit, and in the first progressive scan one."""
    bits = {0xC0: 2, 0xC1: 2, 0xC2: 1}.get(kind, 0)
    return -(-height // 8) * -(-width // 8) * bits // 8


def check_png(stream: BinaryIO) -> None:
    """Refuse a PNG without its last chunk, or of endless chunks: Pillow reads both to the end."""
    stream.seek(8)
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            raise UnreadableImage(TOO_EARLY)
        if head[4:] == b"IEND":
            stream.seek(0)
            return
        stream.seek(int.from_bytes(head[:4], "big") + 4, 1)
    raise UnreadableImage("the image has more metadata than is read here")


def j2k_header(data: bytes) -> FrameHeader:
    """SIZ of a JPEG 2000 codestream (ITU T.800 A.5.1), in a JP2 file or bare."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or start + 43 > len(data):
        raise UnreadableImage(DAMAGED if start < 0 else TOO_EARLY, got="no JPEG 2000 SIZ")
    x1, y1, x0, y0, tw, th, tx, ty, parts = struct.unpack_from(">8IH", data, start + 8)
    if tw < 1 or th < 1 or tx > x0 or ty > y0:
        raise UnreadableImage(DAMAGED, got="impossible JPEG 2000 tiles")
    if -(-(x1 - tx) // tw) * -(-(y1 - ty) // th) > 65_535:
        raise UnreadableImage(DAMAGED, got="more JPEG 2000 tiles than there may be")
    _check_precincts(data, start + 4 + int.from_bytes(data[start + 4 : start + 6], "big"))
    return FrameHeader(y1 - y0, x1 - x0, parts, (data[start + 42] & 0x7F) + 1, 0x51)


def _check_precincts(data: bytes, position: int) -> None:
    """Refuse precincts of a few pixels: a decoder keeps a record of each (T.800 A.6.1)."""
    while position + 12 <= len(data) and data[position] == 0xFF and data[position + 1] != 0x90:
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] == 0x52 and data[position + 4] & 1:
            sizes = data[position + 14 : position + 2 + length]
            # Those of the coarsest levels may be small, since so are the levels.
            if any(min(size & 15, size >> 4) < 4 for size in sizes[-2:]):
                raise UnreadableImage(DAMAGED, got="JPEG 2000 precincts of a few pixels")
        position += 2 + max(length, 2)


def webp_size(head: bytes) -> tuple[int, int]:
    """(height, width) from the first 30 bytes of a WebP file."""
    kind = head[12:16]
    if len(head) < 30:
        raise UnreadableImage(TOO_EARLY)
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", head, 26))
    else:
        raise UnreadableImage(DAMAGED, got="an unknown kind of WebP")
    return height, width


def check_exif(exif: bytes) -> None:
    """Refuse an EXIF block whose directory names more values than could lie in it."""
    if len(exif) < 8:
        return
    order = "<" if exif[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start) if start + 2 <= len(exif) else (0,)
    entries = exif[start + 2 : start + 2 + 12 * count]
    if sum(size for _, size, _ in _entries(entries, order, False)) > _MOST_METADATA:
        raise UnreadableImage("the image has more metadata than is read here")


def check_tiff(stream: BinaryIO) -> None:
    """Refuse a TIFF whose first directory names values or tiles of an absurd size."""
    stream.seek(0)
    head = stream.read(16)
    if len(head) < 16:
        raise UnreadableImage(TOO_EARLY)
    order = "<" if head[:2] == b"II" else ">"
    big = 43 in head[2:4]
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    below = _check_directory(stream, start, order, big)
    for start in below:  # EXIF, GPS and interoperability
        _check_directory(stream, start, order, big)
    stream.seek(0)


def _check_directory(stream: BinaryIO, start: int, order: str, big: bool) -> list[int]:
    stream.seek(min(start, 1 << 40))
    count = int.from_bytes(stream.read(8 if big else 2), "little" if order == "<" else "big")
    entries = stream.read(min(count, 1 << 16) * (20 if big else 12))
    tile, total, below = [0, 0], 0, []
    for tag, size, value in _entries(entries, order, big):
        total += size
        if tag in (322, 323):
            tile[tag - 322] = value
        elif tag in (34665, 34853, 40965):
            below.append(value)
    if total > _MOST_METADATA:
        raise UnreadableImage("the image has more metadata than is read here")
    if max(tile) > LARGEST_SIDE or tile[0] * tile[1] > MOST_PIXELS:
        raise UnreadableImage(DAMAGED, got=f"TIFF tiles of {tile[0]}×{tile[1]} px")
    return below


# Bytes of a value, by the TIFF 6.0 type code; unknown codes are passed over by decoders.
_TIFF_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)


def _entries(table: bytes, order: str, big: bool) -> Iterator[tuple[int, int, int]]:
    """(tag, bytes that its values take, value or offset) of each directory entry."""
    width, layout = (20, order + "HHQQ") if big else (12, order + "HHII")
    for at in range(0, len(table) - width + 1, width):
        tag, kind, count, value = struct.unpack_from(layout, table, at)
        if kind == 3 and count == 1:
            (value,) = struct.unpack_from(order + "H", table, at + width - (8 if big else 4))
        yield tag, count * (_TIFF_BYTES[kind] if kind < len(_TIFF_BYTES) else 0), value
