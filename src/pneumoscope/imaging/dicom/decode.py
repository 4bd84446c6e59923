"""DICOM to grey levels, air dark: decode, modality, VOI, photometric interpretation, 8 bits.

The order is that of PS3.3 C.11 and C.7.6.3. Presentation LUT Shape is not applied: in the DX
module INVERSE goes with MONOCHROME1 and IDENTITY with MONOCHROME2 (table C.8-70), so it repeats
what the photometric interpretation has said, and applying both would invert twice.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.dicom.elements import PIXEL_DATA
from pneumoscope.imaging.dicom.frame import (
    JPEG_DCT,
    Layout,
    check_syntax,
    decode_colour,
    decode_grey,
    decode_jpeg,
    frame_bytes,
)
from pneumoscope.imaging.dicom.grey import (
    Display,
    Lut,
    Window,
    apply_table,
    grey_table,
    luma,
    modality_values,
    pattern_counts,
    shows,
)
from pneumoscope.imaging.dicom.header import ElementBytes, Header, Tag, read_header
from pneumoscope.imaging.headers import SEVERAL_FRAMES, check_size
from pneumoscope.records import Facts, Film, Grey

_DESCRIPTOR, _LUT_DATA = 0x00283002, 0x00283006
_GREYS = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# What programs write when they take an id away; as an id it would make all films one patient's.
_NOBODY = re.compile(
    r"anon(ym(ous|i[sz]ed)?)?|de-?identified|removed|unknown|none|null|no ?id|n/?a|0+|x+",
    re.IGNORECASE,
)
_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_IDENTITY = np.arange(256, dtype=np.uint8)
_CONTRADICTION = "the DICOM header contradicts itself"

WINDOW_PASSED = "passed over"
"""The fact ``window`` of a film whose header has one that shows almost nothing."""


def read_dicom(stream: BinaryIO, side: int) -> Film:
    """The film of one DICOM file, its patient's id, and its facts; no other identity leaves.

    ``side`` as in ``read_film``. A film of at most 8 bits without a window keeps the whole range
    of its bits, a deeper one is stretched over the values it has; padding is 0. A window whose
    width cannot be, or that shows almost none of the film's values, is passed over. Raises
    UnreadableImage.
    """
    header = read_header(stream)
    layout = _layout(header)
    pixels, passed = _pixels(header, layout, side)
    facts = {**_facts(header, layout), **({"window": WINDOW_PASSED} if passed else {})}
    return Film(pixels, layout.rows, layout.columns, _patient(header), facts)


def dicom_size(stream: BinaryIO) -> tuple[int, int]:
    """(rows, columns) as the header says. Raises UnreadableImage."""
    layout = _layout(read_header(stream))
    return layout.rows, layout.columns


def _layout(header: Header) -> Layout:
    """The Image Pixel module, checked before anything is decoded."""
    if header.pixels is None:
        raise UnreadableImage("the DICOM file holds no pixel data")
    if header.pixels.tag != PIXEL_DATA:
        raise UnreadableImage("the DICOM file holds floating-point pixels, not read here")
    frames = header.decimal(Tag.FRAMES)
    if frames is not None and frames != 1:
        few = "the DICOM file holds no frame"
        raise UnreadableImage(SEVERAL_FRAMES if frames > 1 else few, got=f"{frames:g} frames")
    rows, columns = _needed(header, Tag.ROWS), _needed(header, Tag.COLUMNS)
    check_size(rows, columns)
    check_syntax(header.syntax)
    stored = _needed(header, Tag.STORED)
    high = header.whole(Tag.HIGH_BIT)
    layout = Layout(
        syntax=header.syntax,
        rows=rows,
        columns=columns,
        samples=_needed(header, Tag.SAMPLES),
        photometric=header.text(Tag.PHOTOMETRIC).upper(),
        allocated=_needed(header, Tag.ALLOCATED),
        stored=stored,
        high_bit=stored - 1 if high is None else high,
        signed=bool(_needed(header, Tag.SIGNED)),
        planar=header.whole(Tag.PLANAR) or 0,
    )
    _check_depth(layout)
    _check_photometric(layout)
    return layout


def _needed(header: Header, tag: Tag) -> int:
    value = header.whole(tag)
    if value is None:
        name = tag.name.lower().replace("_", " ")
        raise UnreadableImage("the DICOM header lacks what its pixels need", got=f"no {name}")
    return value


def _check_depth(layout: Layout) -> None:
    if layout.allocated not in (8, 16):
        raise UnreadableImage(
            "the DICOM pixels have a depth that is not read here",
            got=f"{layout.allocated} bits allocated",
            expected="8 or 16",
        )
    if not 1 <= layout.stored <= layout.high_bit + 1 <= layout.allocated:
        raise UnreadableImage(
            _CONTRADICTION,
            got=f"{layout.stored} bits up to bit {layout.high_bit} of {layout.allocated}",
        )


def _check_photometric(layout: Layout) -> None:
    name = layout.photometric
    if name not in (*_GREYS, *_COLOURS, "PALETTE COLOR"):
        known = name if re.fullmatch(r"[A-Z0-9_ ]{1,16}", name) else "no known word"
        raise UnreadableImage(
            "the photometric interpretation is not one that is read here", got=known
        )
    samples = 3 if name in _COLOURS else 1
    if layout.samples != samples or (layout.signed and name not in _GREYS) or layout.planar > 1:
        sign = "signed " if layout.signed else ""
        raise UnreadableImage(
            _CONTRADICTION, got=f"{name} with {layout.samples} {sign}samples a pixel"
        )


def _pixels(header: Header, layout: Layout, side: int) -> tuple[Grey, bool]:
    """The grey levels, and whether a window that shows almost nothing was passed over."""
    frame = frame_bytes(header, layout)
    if layout.samples == 3:
        return luma(decode_colour(frame, layout), layout.stored), False
    if layout.photometric == "PALETTE COLOR":
        return apply_table(_palette_table(header, layout), decode_grey(frame, layout)), False
    display = _display(header, layout)
    table = None if display.needs_range else grey_table(display)
    if table is not None and layout.syntax in JPEG_DCT:
        # Only a table that clips nothing may come after the film is reduced.
        if np.array_equal(table, _IDENTITY):
            return decode_jpeg(frame, layout, side), False
        if np.array_equal(table, _IDENTITY[::-1]):
            return np.invert(decode_jpeg(frame, layout, side)), False
    stored = decode_grey(frame, layout)
    counts = pattern_counts(stored, layout.stored) if display.voi or display.needs_range else None
    shown = display
    if counts is not None and not shows(display, counts):
        window = _window(header)
        others = (replace(display, voi=voi) for voi in (window, None) if voi != display.voi)
        shown = next(other for other in others if shows(other, counts))
    if shown is not display or table is None:
        table = grey_table(shown, counts)
    return apply_table(table, stored), shown is not display


def _display(header: Header, layout: Layout) -> Display:
    modality = _modality(header, layout.signed)
    lowest = modality_values(layout.stored, layout.signed, modality).min()
    return Display(
        bits=layout.stored,
        signed=layout.signed,
        modality=modality,
        voi=_lut(header, Tag.VOI_LUT, bool(lowest < 0)) or _window(header),
        inverted=layout.photometric == "MONOCHROME1",
        padding=_padding(header, layout.signed),
    )


def _modality(header: Header, signed: bool) -> Lut | tuple[float, float]:
    table = _lut(header, Tag.MODALITY_LUT, signed)
    if table is not None:
        return table
    slope, intercept = header.decimal(Tag.SLOPE), header.decimal(Tag.INTERCEPT)
    if slope == 0:  # all pixels would be of one value
        raise UnreadableImage(_CONTRADICTION, got="a rescale slope of 0")
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def _window(header: Header) -> Window | None:
    """The first window, None where there is none or its width is none (C.11.2.1.2)."""
    centre, width = header.decimal(Tag.CENTRE), header.decimal(Tag.WIDTH)
    if centre is None or width is None:
        return None
    function = header.text(Tag.FUNCTION).upper() or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise UnreadableImage("the VOI LUT function is not one that is read here")
    narrowest = 1.0 if function == "LINEAR" else 1e-9
    return Window(centre, width, function) if width >= narrowest else None


def _lut(header: Header, tag: Tag, signed: bool) -> Lut | None:
    """The table in the first item of a sequence; ``signed`` says how its inputs are, when the
    coding leaves it open whether the descriptor is US or SS."""
    item: ElementBytes = header.item(tag, frozenset((_DESCRIPTOR, _LUT_DATA)))
    if _DESCRIPTOR not in item or _LUT_DATA not in item:
        return None
    vr, descriptor = item[_DESCRIPTOR]
    signed = vr == b"SS" or (vr != b"US" and signed)
    return _table(descriptor, item[_LUT_DATA][1], header.coding.order, signed)


def _table(descriptor: bytes, data: bytes, order: str, signed: bool) -> Lut:
    """A Lut from its descriptor (entries, first input, bits) and data (PS3.3 C.11.1.1.1)."""
    if len(descriptor) < 6:
        raise UnreadableImage(_CONTRADICTION, got="a short look-up table descriptor")
    entries, first, bits = struct.unpack_from(order + ("HhH" if signed else "HHH"), descriptor)
    entries = entries or 65_536  # which 16 bits cannot hold
    if not 8 <= bits <= 16:
        raise UnreadableImage(_CONTRADICTION, got=f"look-up table entries of {bits} bits")
    if len(data) >= 2 * entries:
        values = np.frombuffer(data, order + "u2", entries)
    elif len(data) >= entries and bits == 8:
        values = np.frombuffer(data, np.uint8, entries)
    else:
        raise UnreadableImage("a look-up table of the DICOM file is cut short")
    return Lut(values.astype(np.uint16), first, bits)


def _padding(header: Header, signed: bool) -> tuple[int, int] | None:
    """Pixel Padding Value and Range Limit, which have the sign of the pixels (C.7.5.1.1.2)."""
    value, limit = header.whole(Tag.PADDING), header.whole(Tag.PADDING_LIMIT)
    if value is None:
        return None
    ends = [value, value if limit is None else limit]
    if signed:
        ends = [end - (1 << 16) if end >= 1 << 15 else end for end in ends]
    return min(ends), max(ends)


def _palette_table(header: Header, layout: Layout) -> Grey:
    """Luma of each index by the three palettes (C.7.6.3.1.5, C.7.6.3.1.6)."""
    channels = []
    for name in ("RED", "GREEN", "BLUE"):
        descriptor, data = header.raw(Tag[name]), header.raw(Tag[f"{name}_DATA"])
        if not descriptor or not data:
            raise UnreadableImage("the DICOM file has no colour palette, or a segmented one")
        table = _table(descriptor, data, header.coding.order, False)
        indices = np.arange(1 << layout.stored, dtype=np.float64)
        channels.append(table(indices) / float((1 << table.bits) - 1) * 65_535.0)
    return luma(np.stack(channels, axis=-1), 16)


def _patient(header: Header) -> str | None:
    """PatientID, None where it is empty or a word that stands for nobody."""
    raw = header.raw(Tag.PATIENT_ID)
    if raw.isascii():
        text = raw.decode("ascii").strip(" \0")
        return text if text and not _NOBODY.fullmatch(text) else None
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        names = header.text(Tag.CHARACTER_SET).split("\\")
        text = decode_bytes(raw, convert_encodings(names), set())
    except (LookupError, ValueError):
        text = raw.decode("latin-1")
    return text.strip(" \0") or None


def _facts(header: Header, layout: Layout) -> Facts:
    """Mode, format and, where they are sane, view, age in years, sex and modality."""
    facts: dict[str, str | float | int] = {"mode": layout.photometric, "format": "DICOM"}
    for name, tag, form in (
        ("view", Tag.VIEW, r"[A-Z0-9 ]{1,16}"),
        ("body_part", Tag.BODY_PART, r"[A-Z0-9 _]{2,16}"),
        ("sex", Tag.SEX, r"[MFO]"),
        ("modality", Tag.MODALITY, r"[A-Z0-9]{2,16}"),
    ):
        text = header.text(tag).upper()
        if re.fullmatch(form, text):
            facts[name] = text
    age = _AGE.fullmatch(header.text(Tag.AGE).upper())
    if age is not None:
        # RSNA's files give a bare number, which is years.
        years = int(age[1]) * _YEARS[age[2]]
        if years <= 120:
            facts["age"] = round(years, 3)
    return facts
