"""One frame of DICOM pixel data, from its bytes to stored values.

Native decoders see a frame only after its own header has agreed with the data set's, because
they fill a buffer of the one size with pixels of the other. pydicom is imported where it is first
needed: it takes half a second, and most folders hold nothing that needs it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.dicom.elements import Element
from pneumoscope.imaging.dicom.grey import Stored
from pneumoscope.imaging.dicom.header import BIG_ENDIAN, DEFLATED, IMPLICIT, Header
from pneumoscope.imaging.headers import (
    DAMAGED,
    SEVERAL_FRAMES,
    TOO_EARLY,
    check_lossless_jpeg,
    decoding,
    j2k_header,
    jpeg_header,
)
from pneumoscope.imaging.jpeg import decode_plain, load_grey, open_jpeg
from pneumoscope.records import Grey

EXPLICIT = "1.2.840.10008.1.2.1"
NATIVE = frozenset((IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN))
JPEG_DCT = frozenset(("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"))
RLE = "1.2.840.10008.1.2.5"
_LOSSLESS = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (57, 70))
_GDCM = _LOSSLESS | {f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)}
_OPENJPEG = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203))
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Layout:
    """The Image Pixel module (PS3.3 C.7.6.3), checked: what one frame's bytes mean."""

    syntax: str
    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    planar: int

    @property
    def frame_length(self) -> int:
        """Bytes of one frame that is not compressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * (self.allocated // 8)


def check_syntax(syntax: str) -> None:
    """Refuse a transfer syntax for which there is no free decoder, by its name."""
    if syntax not in NATIVE | JPEG_DCT | _GDCM | _OPENJPEG | {RLE}:
        from pydicom.uid import UID

        name = UID(syntax).name if UID(syntax).is_transfer_syntax else "no known transfer syntax"
        raise UnreadableImage("the DICOM transfer syntax is not one that is read here", got=name)


def frame_bytes(header: Header, layout: Layout) -> bytes:
    """The bytes of the only frame, without its encapsulation. Raises UnreadableImage."""
    pixels = header.pixels
    if pixels is None:
        raise UnreadableImage("the DICOM file holds no pixel data")
    if layout.syntax in NATIVE:
        return _native_bytes(header, pixels, layout)
    if pixels.length != _UNDEFINED:
        raise UnreadableImage(DAMAGED, got="compressed pixel data without encapsulation")
    parts = _fragments(header, pixels, 4 * layout.frame_length + (1 << 20))
    starts = sum(part.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51")) for part in parts)
    if starts > 1 or (layout.syntax == RLE and len(parts) > 1):
        raise UnreadableImage(SEVERAL_FRAMES)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _native_bytes(header: Header, pixels: Element, layout: Layout) -> bytes:
    wanted = layout.frame_length
    if pixels.length == _UNDEFINED:
        raise UnreadableImage(DAMAGED, got="encapsulated pixel data in a native transfer syntax")
    if pixels.length < wanted:
        raise UnreadableImage("the DICOM pixel data are shorter than rows × columns need")
    swapped = header.coding.order == ">" and layout.allocated == 8 and pixels.vr == b"OW"
    header.stream.seek(pixels.start)
    data = header.stream.read(wanted + wanted % 2 if swapped else wanted)
    if len(data) < wanted:
        raise UnreadableImage(TOO_EARLY)
    if swapped:  # 8-bit pixels written as big-endian words (PS3.5 annex D)
        return np.frombuffer(data[: len(data) & ~1], np.uint16).byteswap().tobytes()[:wanted]
    return data


def _fragments(header: Header, pixels: Element, most: int) -> list[bytes]:
    """The fragments after the basic offset table (PS3.5 A.4)."""
    stream, parts, total = header.stream, [], 0
    stream.seek(pixels.start)
    while head := stream.read(8):
        if len(head) < 8:
            raise UnreadableImage(TOO_EARLY)
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000) or length == _UNDEFINED:
            raise UnreadableImage(DAMAGED, got="broken encapsulation")
        total += length + 8
        if total > most:
            raise UnreadableImage("the compressed pixels are larger than uncompressed ones")
        part = stream.read(length)
        if len(part) < length:
            raise UnreadableImage(TOO_EARLY)
        parts.append(part)
    if not parts:
        raise UnreadableImage(TOO_EARLY)
    if len(parts[0]) > 4:  # one offset for each frame
        raise UnreadableImage(SEVERAL_FRAMES)
    if not any(parts[1:]):
        raise UnreadableImage("the DICOM file holds no pixel data")
    return parts[1:]


def decode_jpeg(frame: bytes, layout: Layout, side: int) -> Grey:
    """Grey uint8 of a DCT JPEG frame, reduced where ``side`` allows; (rows, columns) at side 0."""
    check_frame(frame, layout)
    plain = decode_plain(frame, side)
    if plain is not None:
        return plain[0]
    image = open_jpeg(frame)
    load_grey(image, side)
    return np.asarray(image)


def decode_grey(frame: bytes, layout: Layout) -> Stored:
    """The stored values (rows, columns) as bit patterns: unsigned, 0..2**stored - 1."""
    shift = layout.high_bit + 1 - layout.stored
    if layout.syntax in JPEG_DCT:
        raw: Stored = decode_jpeg(frame, layout, 0)
        shift = 0
    elif layout.syntax in NATIVE or layout.syntax == RLE:
        order = "<"
        if layout.syntax == RLE:
            frame = _unpack_rle(frame, layout)
        elif layout.syntax == BIG_ENDIAN:
            order = ">"
        kind = np.dtype(f"{order}u{layout.allocated // 8}")
        raw = np.frombuffer(frame, kind).reshape(layout.rows, layout.columns)
    else:
        raw = _decode(frame, layout)
        shift = 0  # a codec has its own precision, and puts it into the low bits
    if shift:
        raw = raw >> raw.dtype.type(shift)
    if layout.stored < 8 * raw.dtype.itemsize:
        raw = raw & raw.dtype.type((1 << layout.stored) - 1)
    return raw


def decode_colour(frame: bytes, layout: Layout) -> NDArray[Any]:
    """RGB (rows, columns, 3), unsigned."""
    if layout.syntax == RLE:
        planes = np.frombuffer(_unpack_rle(frame, layout), f"<u{layout.allocated // 8}")
        rgb = planes.reshape(3, -1)
        frame = np.ascontiguousarray(rgb.T).tobytes()
    return _decode(frame, layout)


def check_frame(frame: bytes, layout: Layout) -> None:
    """Refuse a codestream that disagrees with the data set about what it holds."""
    if layout.syntax in NATIVE or layout.syntax == RLE:
        return
    found = j2k_header(frame) if layout.syntax in _OPENJPEG else jpeg_header(frame)
    if (found.height, found.width) != (layout.rows, layout.columns):
        raise UnreadableImage(
            "the compressed pixels have another size than the DICOM header says",
            got=f"{found.width}×{found.height} px",
            expected=f"{layout.columns}×{layout.rows} px",
        )
    if found.components != layout.samples:
        raise UnreadableImage("the compressed pixels have another number of samples")
    if layout.syntax in _LOSSLESS:
        check_lossless_jpeg(frame)
    if layout.syntax in JPEG_DCT and found.precision != 8:
        raise UnreadableImage(
            "there is no free decoder for JPEG Extended of 12 bits",
            remedy="convert it first, for example with dcmdjpeg of DCMTK",
        )
    if found.precision > layout.allocated:
        raise UnreadableImage("the compressed pixels are deeper than the DICOM header says")


def _decode(frame: bytes, layout: Layout) -> NDArray[Any]:
    """By pydicom's decoders; grey comes as bit patterns, colour as RGB."""
    from pydicom.pixels.decoders.base import get_decoder

    check_frame(frame, layout)
    grey, native = layout.samples == 1, layout.syntax in NATIVE or layout.syntax == RLE
    syntax, plugin, source = layout.syntax, "", frame
    if native:
        syntax = BIG_ENDIAN if layout.syntax == BIG_ENDIAN else EXPLICIT
    else:
        plugin = "pylibjpeg" if syntax in _OPENJPEG else "gdcm"
        plugin = "pillow" if syntax in JPEG_DCT else plugin
        source = struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, len(frame)) + frame
    options: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.stored,
        "pixel_representation": int(layout.signed),
        "planar_configuration": 0 if layout.syntax == RLE else layout.planar,
        "pixel_keyword": "PixelData",
    }
    decoder = get_decoder(syntax)
    if plugin and plugin not in decoder.available_plugins:
        raise UnreadableImage(
            "the decoder for a DICOM transfer syntax is not installed",
            got=decoder.UID.name,
            remedy="pip install python-gdcm pylibjpeg pylibjpeg-openjpeg",
        )
    with decoding():
        array, _ = decoder.as_array(source, index=0, raw=grey, decoding_plugin=plugin, **options)
    shape = (layout.rows, layout.columns) if grey else (layout.rows, layout.columns, 3)
    if array.shape != shape:
        raise UnreadableImage(DAMAGED, got="a decoded frame of another shape")
    return array.view(f"u{array.dtype.itemsize}")


def _unpack_rle(frame: bytes, layout: Layout) -> bytes:
    """A frame of RLE Lossless as little-endian samples, plane after plane (PS3.5 annex G)."""
    if len(frame) < 64:
        raise UnreadableImage(TOO_EARLY)
    count, *offsets = struct.unpack_from("<16I", frame)
    width = layout.allocated // 8
    if count != layout.samples * width:
        raise UnreadableImage(DAMAGED, got=f"{count} RLE segments")
    pixels = layout.rows * layout.columns
    out = np.empty((layout.samples, pixels, width), dtype=np.uint8)
    for place in range(count):
        start = offsets[place]
        end = offsets[place + 1] if place + 1 < count else len(frame)
        if not 64 <= start < end <= len(frame):
            raise UnreadableImage(DAMAGED, got="RLE segments out of order")
        # Pillow's PackBits in one row, since runs may cross the film's rows. Segments come
        # with the most significant byte first.
        with decoding():
            plane = Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")
        out[place // width, :, width - 1 - place % width] = np.asarray(plane)[0]
    return out.tobytes()
