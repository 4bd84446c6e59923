"""Every kind of bad or odd input in one table, each with what exactly becomes of it.

Each is made here, laid beside good films, and goes through the real door: ``open_source`` and
``prepare``. A film is dropped for exactly this reason, or read with exactly these pixels; a set is
refused as a whole with exactly this error; what is no film is passed over and counted.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import struct
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from tests.helpers.dicom import dataset, dicom, file_of, jpeg, jpeg_dicom, lut, rle_dicom
from tests.helpers.images import SIZED, encode, ihdr, oriented, png_chunks, tiff_of

from pneumoscope.data.prepare import prepare
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import BadLabels, InputError, PneumoscopeError, UnreadableData
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec, Source
from pneumoscope.sources.detect import open_source

SIDE = 16
RAMP = np.arange(256, dtype=np.uint8).reshape(SIDE, SIDE)
"""Every grey level once: what is stretched over its own range comes out as it was."""

EARLY, DAMAGED = "the file ends too early", "the image is damaged"
FOREIGN = "the file is no image that is read here"
LARGE, LONG = "the image is larger than is read here", "the file is larger than is read here"
METADATA = "the image has more metadata than is read here"
SCANS = "the JPEG has more scans than is read here"
SEVERAL, NOTHING = "the file holds several frames", "the image has no pixels"
CONTRADICTION = "the DICOM header contradicts itself"
LACKS = "the DICOM header lacks what its pixels need"
DEPTH = "the DICOM pixels have a depth that is not read here"
NO_PIXELS = "the DICOM file holds no pixel data"
NO_NUMBER = "a number of the DICOM header is none"
SYNTAX = "the DICOM transfer syntax is not one that is read here"

HIDDEN, KIND = "hidden files", "files of another kind"
LINKS = "links out of the folder, broken, or to folders"


@dataclass(frozen=True)
class Seen:
    """A film that is read: its stored square, within ``off`` grey levels, its native size (height,
    width), and its mode."""

    pixels: np.ndarray | int = 0
    mode: str = "L"
    size: tuple[int, int] = (SIDE, SIDE)
    off: int = 0


Cases = Mapping[str, tuple[bytes, str | Seen]]
"""By file name the content, and what becomes of it: the reason why it is dropped, or how it is
read."""


def flat(level: int, side: int = SIDE, kind: type = np.uint8) -> np.ndarray:
    return np.full((side, side), level, kind)


def of_mode(mode: str, *levels: int) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), levels if len(levels) > 1 else levels[0])


# ---- pictures ------------------------------------------------------------------------------


def foreign() -> Cases:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("film.png", encode(RAMP))
    frames = [Image.fromarray(flat(level)) for level in (10, 200)]
    numbers = io.BytesIO()
    np.save(numbers, RAMP)
    return {
        "empty.png": (b"", "the file is empty"),
        "empty.dcm": (b"", "the file is empty"),
        "one byte.jpg": (b"\xff", FOREIGN),
        "text.jpg": (b"Patient: Jane Doe, no finding.\n" * 9, FOREIGN),
        "an error page.jpeg": (b"<!DOCTYPE html><title>404 Not Found</title>", FOREIGN),
        "lfs pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", FOREIGN),
        "zeros.png": (bytes(5000), FOREIGN),
        "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', FOREIGN),
        "letter.dcm": (b"%PDF-1.7\n" + bytes(400), FOREIGN),
        "packed.jpeg": (archive.getvalue(), FOREIGN),
        "array.png": (numbers.getvalue(), FOREIGN),
        "picture.png": (encode(RAMP, "GIF"), FOREIGN),
        "animated.png": (encode(frames[0], "GIF", save_all=True, append_images=frames), FOREIGN),
        "bare jpeg 2000.jpg": (encode(RAMP, "JPEG2000", no_jp2=True), FOREIGN),
        "data set without preamble.dcm": (dicom(RAMP)[132:], Seen(RAMP, "MONOCHROME2")),
        "enveloped.dcm": (b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", FOREIGN),
    }


def cut_or_lying() -> Cases:
    film = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = {form: encode(film, form) for form in ("JPEG", "PNG", "TIFF", "BMP", "WEBP")}
    progressive = encode(film, "JPEG", progressive=True)
    swapped = bytearray(whole["PNG"])
    swapped[60] ^= 0xFF
    markers = whole["JPEG"]
    return {
        "cut.jpg": (markers[: len(markers) // 2], EARLY),
        "cut progressive.jpg": (progressive[: len(progressive) // 2], EARLY),
        "cut in the header.jpg": (markers[:100], EARLY),
        "without its last marker.jpg": (markers[:-2], EARLY),
        "cut.png": (whole["PNG"][: len(whole["PNG"]) // 2], EARLY),
        "without its last chunk.png": (whole["PNG"][:-12], EARLY),
        "one byte changed.png": (bytes(swapped), DAMAGED),
        "cut.tif": (whole["TIFF"][: len(whole["TIFF"]) // 2], EARLY),
        "cut.bmp": (whole["BMP"][: len(whole["BMP"]) // 2], EARLY),
        "cut.webp": (whole["WEBP"][: len(whole["WEBP"]) // 2], DAMAGED),
        "claims 81 megapixels.jpg": (SIZED["JPEG"](9000, 9000), EARLY),
        "claims 81 megapixels.png": (SIZED["PNG"](9000, 9000), EARLY),
        "claims 81 megapixels.tif": (SIZED["TIFF"](9000, 9000), EARLY),
        "claims 81 megapixels.bmp": (SIZED["BMP"](9000, 9000), EARLY),
        "claims 81 megapixels.webp": (SIZED["WEBP"](9000, 9000), DAMAGED),
        "no height.jpg": (SIZED["JPEG"](5, 0), NOTHING),
        "no width.png": (SIZED["PNG"](0, 5), DAMAGED),
        "no width.bmp": (SIZED["BMP"](0, 5), DAMAGED),
        "no directory.tif": (b"II*\0" + struct.pack("<I", 1 << 31) + bytes(20), DAMAGED),
    }


def bombs() -> Cases:
    zeros = zlib.compress(bytes(64 << 20), 9)
    scans = encode(RAMP, "JPEG", progressive=True)
    last = scans.rindex(b"\xff\xda")
    wide = encode(np.zeros((8192, 8192), np.uint8), "JPEG", progressive=True, quality=1)
    end = wide.rindex(b"\xff\xda")
    many = [(tag, 1, 60_000, 8) for tag in range(1000, 2000)]
    tiles = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 1 << 15, 323: 1 << 15, 324: 8}
    huge = {f"huge.{form.lower()}": (make(16_384, 16_384), LARGE) for form, make in SIZED.items()}
    return {
        **huge,
        "one long row.png": (SIZED["PNG"](1 << 30, 1), LARGE),
        "profile bomb.png": (
            png_chunks(ihdr(4, 4), (b"iCCP", b"x\0\0" + zeros), (b"IEND", b"")),
            DAMAGED,
        ),
        "text bomb.png": (
            png_chunks(ihdr(4, 4), (b"zTXt", b"x\0\0" + zeros), (b"IEND", b"")),
            DAMAGED,
        ),
        "endless chunks.png": (
            png_chunks(ihdr(4, 4), *[(b"tEXt", b"")] * 200_001, (b"IEND", b"")),
            METADATA,
        ),
        "exif bomb.jpg": (encode(RAMP, "JPEG", exif=b"Exif\0\0" + tiff_of(*many)), METADATA),
        "directory bomb.tif": (tiff_of(*many), METADATA),
        "tile bomb.tif": (
            tiff_of(*((tag, 4, 1, value) for tag, value in tiles.items())) + bytes(64),
            DAMAGED,
        ),
        "endless scans.jpg": (scans[:last] + scans[last:-2] * 300 + scans[-2:], SCANS),
        "many scans of 67 megapixels.jpg": (wide[:end] + wide[end:-2] * 30 + wide[-2:], SCANS),
        "67 megapixels of air.png": (
            encode(Image.new("L", (8192, 8192))),
            Seen(0, size=(8192, 8192)),
        ),
    }


def modes() -> Cases:
    palette = Image.fromarray(RAMP, "P")
    palette.putpalette([level for entry in range(256) for level in [255 - entry] * 3])
    deep = RAMP.astype(np.uint16) * 100 + 1000
    reversed_ = bytearray(encode(deep, "TIFF"))
    reversed_[reversed_.index(struct.pack("<HHIH", 262, 3, 1, 1)) + 8] = 0
    real = RAMP.astype(np.float32) - 100
    real[0, 0] = np.nan  # which is air, as the lowest value was
    real[0, 1] = -100
    # 8 bits of CMYK, inverted as Adobe does, whose transform says that they are YCCK: with neutral
    # colours and no black, the level is what Y leaves.
    ink = bytearray(encode(of_mode("CMYK", 55, 127, 127, 0), "JPEG", quality=100, subsampling=0))
    ink[ink.index(b"Adobe") + 11] = 2
    bits = Image.fromarray(np.where(RAMP < 128, 0, 255).astype(np.uint8)).convert("1")
    halves = np.where(RAMP < 128, 0, 255)
    ends = real.copy()
    ends[0, :2] = np.inf, -np.inf
    finite = np.floor((np.maximum(RAMP, 2) - 2.0) / 253 * 255 + 0.5)  # from 2 to 255
    finite[0, 0] = 255
    return {
        "1 by 1.png": (encode(flat(77, 1)), Seen(77, size=(1, 1))),
        "1 by 1.jpg": (encode(flat(77, 1), "JPEG"), Seen(77, size=(1, 1), off=1)),
        "a row.png": (encode(np.full((1, 300), 9, np.uint8)), Seen(9, size=(1, 300))),
        "a column.bmp": (encode(np.full((300, 1), 9, np.uint8), "BMP"), Seen(9, size=(300, 1))),
        "16 bit.png": (encode(deep), Seen(RAMP, "I;16")),
        "16 bit.tif": (encode(deep, "TIFF"), Seen(RAMP, "I;16")),
        "16 bit big-endian.tif": (
            encode(Image.fromarray(deep.astype(">u2")), "TIFF"),
            Seen(RAMP, "I;16B"),
        ),
        "16 bit, zero is white.tif": (bytes(reversed_), Seen(255 - RAMP, "I;16")),
        "16 bit of one value.png": (encode(flat(700, kind=np.uint16)), Seen(0, "I;16")),
        "32 bit.tif": (encode(RAMP.astype(np.int32) * 9 - 999, "TIFF"), Seen(RAMP, "I")),
        "float with a NaN.tif": (
            encode(real, "TIFF"),
            Seen(np.where(RAMP == 1, 0, RAMP), "F"),
        ),
        "float with infinities.tif": (
            encode(ends, "TIFF"),
            Seen(finite, "F"),
        ),
        "cmyk.jpg": (
            encode(of_mode("CMYK", 0, 0, 0, 155), "JPEG", quality=100),
            Seen(100, "CMYK", off=2),
        ),
        "ycck.jpg": (bytes(ink), Seen(55, "CMYK", off=2)),
        "cmyk.tif": (encode(of_mode("CMYK", 0, 0, 0, 155), "TIFF"), Seen(100, "CMYK", off=1)),
        "lab.tif": (
            encode(of_mode("LAB", 9, 9, 9), "TIFF"),
            "the colour mode is not one that is read here",
        ),
        "rgb.jpg": (
            encode(of_mode("RGB", 0, 255, 0), "JPEG", quality=100, keep_rgb=True),
            Seen(150, "RGB", off=1),
        ),
        "red.png": (encode(of_mode("RGB", 255, 0, 0)), Seen(76, "RGB")),
        "palette.png": (encode(palette), Seen(255 - RAMP, "P")),
        "palette.bmp": (encode(palette, "BMP"), Seen(255 - RAMP, "P")),
        "palette with a clear entry.png": (
            encode(palette, transparency=7),
            Seen(np.where(RAMP == 7, 0, 255 - RAMP), "P"),
        ),
        "clear.png": (encode(of_mode("RGBA", 200, 200, 200, 0)), Seen(0, "RGBA")),
        "half clear.png": (encode(of_mode("LA", 200, 51)), Seen(40, "LA")),
        "clear.webp": (
            encode(of_mode("RGBA", 200, 200, 200, 51), "WEBP", lossless=True),
            Seen(40, "RGBA"),
        ),
        "lossless.webp": (encode(RAMP, "WEBP", lossless=True), Seen(RAMP, "RGB")),
        "1 bit.png": (encode(bits), Seen(halves, "1")),
        "fax.tif": (encode(bits, "TIFF", compression="group4"), Seen(halves, "1")),
        "lzw.tif": (encode(RAMP, "TIFF", compression="tiff_lzw"), Seen(RAMP)),
        "big.tif": (encode(RAMP, "TIFF", big_tiff=True), Seen(RAMP)),
        "several frames.png": (_frames("PNG"), SEVERAL),
        "several frames.webp": (_frames("WEBP"), SEVERAL),
        "several pages.tif": (_frames("TIFF"), SEVERAL),
        "broken exif.jpg": (
            encode(flat(90), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage"),
            Seen(90, off=1),
        ),
        "turned by 99.png": (encode(RAMP, exif=oriented(99)), Seen(RAMP)),
    }


def _frames(form: str) -> bytes:
    frames = [Image.fromarray(flat(level)) for level in (10, 90, 200)]
    return encode(frames[0], form, save_all=True, append_images=frames[1:])


def turned() -> Cases:
    """All eight orientations of EXIF, in PNG (exact) and JPEG; 12 rows and 20 columns."""
    film = np.random.default_rng(1).integers(0, 256, (12, 20), np.uint8)
    flipped = film[:, ::-1]
    upright = {  # EXIF 2.3, tag 274: where the stored row 0 and column 0 belong
        1: film, 2: flipped, 3: film[::-1, ::-1], 4: film[::-1],
        5: film.T, 6: np.rot90(film, -1), 7: np.rot90(film, 2).T, 8: np.rot90(film),
    }  # fmt: skip
    assert np.array_equal(upright[7], film[::-1, ::-1].T)
    cases: dict[str, tuple[bytes, str | Seen]] = {}
    for turn, expected in upright.items():
        square = np.asarray(Image.fromarray(expected).resize((SIDE, SIDE), Image.BILINEAR))
        png = encode(film, exif=oriented(turn))
        cases[f"turned {turn}.png"] = png, Seen(square, size=expected.shape)
        big = np.kron(film, np.ones((8, 8), np.uint8))
        soft = encode(big, "JPEG", quality=100, exif=oriented(turn))
        small = Image.fromarray(np.kron(expected, np.ones((8, 8), np.uint8)))
        square = np.asarray(small.resize((SIDE, SIDE), Image.BILINEAR))
        size = (expected.shape[0] * 8, expected.shape[1] * 8)
        cases[f"turned {turn}.jpg"] = soft, Seen(square, size=size, off=6)
    return cases


def names() -> Cases:
    """Good films under odd names, and names that lie about the form."""
    png, film = encode(RAMP), Seen(RAMP)
    odd = (
        "FILM.PNG", "png.jpg", "png.dcm", "png.tiff", "without a suffix", "1.2.840.113619.2.5.1762",
        "胸部 Röntgen ☢.png", "Ro\u0308ntgen.png", "n" * 251 + ".png", "é" * 125 + ".png",
        "two\nlines \x1b[31m.png", '"quoted", and, commas.png', "-rf.png", "=1+1.png", "a..b.png",
        "back\\slash.png", "no text \udcff\udcfe.png", " blanks .png", "NORMAL.png",
    )  # fmt: skip
    dcm = dicom(RAMP, PatientID="A-1")
    return {
        **dict.fromkeys(odd, (png, film)),
        "jpeg.png": (encode(flat(90), "JPEG"), Seen(90, off=1)),
        "dicom.jpg": (dcm, Seen(RAMP, "MONOCHROME2")),
        "dicom without a suffix": (dcm, Seen(RAMP, "MONOCHROME2")),
    }


# ---- DICOM ---------------------------------------------------------------------------------


def compressed(pixels: np.ndarray, syntax: uid.UID, **more: object) -> bytes:
    ds = dataset(pixels, **more)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    return file_of(ds, syntax)


def odd_dicom() -> Cases:
    """Photometric interpretation, depth, coding and display, each read as the standard says."""
    grey, film = "MONOCHROME2", Seen(RAMP, "MONOCHROME2")
    whole = RAMP.astype(np.uint16)
    below = Seen(255 - RAMP, "MONOCHROME1")
    sigmoid = np.floor(255 / (1 + np.exp(-4 * (RAMP.astype(float) - 100) / 80)) + 0.5)
    rgb = np.stack([RAMP] * 3, axis=-1)
    colours = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in _RGB}
    words = (255 - whole) * 257
    colours |= {f"{c}PaletteColorLookupTableData": words.tobytes() for c in _RGB}
    ybr = np.stack([RAMP, flat(128), flat(128)], axis=-1)
    shifted = file_of(dataset(whole << 6, 10, HighBit=15))
    padded = whole * 4
    padded[0, 0] = 60_000
    twisted = {"PhotometricInterpretation": "MONOCHROME1"}
    implicit, big, deflated = (
        uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian
    )  # fmt: skip
    return {
        "8 bit": (dicom(RAMP), film),
        "monochrome 1": (dicom(RAMP, **twisted), below),
        "10 bit": (dicom(whole * 4 + 3, stored=10), film),
        "10 bit at the top": (shifted, film),
        "12 bit, monochrome 1": (dicom(whole * 16, stored=12, **twisted), below),
        "16 bit signed": (dicom((RAMP.astype(np.int16) - 128) * 250), film),
        "8 bit signed": (dicom((RAMP.astype(np.int16) - 128).astype(np.int8)), film),
        "12 bit, implicit": (dicom(whole * 16, implicit, stored=12), film),
        "16 bit, big-endian": (dicom(whole * 256, big), film),
        "8 bit, big-endian": (dicom(RAMP, big), film),
        "16 bit, deflated": (dicom(whole * 256, deflated), film),
        "negative slope": (
            dicom(whole * 9, RescaleSlope=-1, RescaleIntercept=5),
            Seen(255 - RAMP, grey),
        ),
        "exact window": (
            dicom(whole, WindowCenter=127.5, WindowWidth=255, VOILUTFunction="LINEAR_EXACT"),
            film,
        ),
        "linear window": (dicom(whole, WindowCenter=128, WindowWidth=256), film),
        "sigmoid window": (
            dicom(whole, WindowCenter=100, WindowWidth=80, VOILUTFunction="SIGMOID"),
            Seen(sigmoid, grey),
        ),
        "window of no width": (dicom(whole * 9, WindowCenter=100, WindowWidth=0), film),
        "voi table": (
            dicom(whole, VOILUTSequence=lut(0, list(range(255, -1, -1)), bits=8)),
            Seen(255 - RAMP, grey),
        ),
        "modality table": (
            dicom(whole, ModalityLUTSequence=lut(0, [3 * v for v in range(256)])),
            film,
        ),
        "padding": (
            dicom(padded, PixelPaddingValue=60_000),
            Seen(np.where(RAMP == 0, 0, np.floor((RAMP - 1.0) / 254 * 255 + 0.5)), grey),
        ),
        "rgb": (dicom(rgb), Seen(RAMP, "RGB")),
        "rgb by planes": (
            dicom(rgb, PlanarConfiguration=1, PixelData=rgb.transpose(2, 0, 1).tobytes()),
            Seen(RAMP, "RGB"),
        ),
        "ybr": (dicom(ybr, PhotometricInterpretation="YBR_FULL"), Seen(RAMP, "YBR_FULL", off=1)),
        "palette": (
            dicom(RAMP, PhotometricInterpretation="PALETTE COLOR", **colours),
            Seen(255 - RAMP, "PALETTE COLOR"),
        ),
        "rle": (rle_dicom(dataset(whole * 16, 12)), film),
        "jpeg": (jpeg_dicom(flat(90)), Seen(90, grey, off=1)),
        "jpeg, monochrome 1": (
            jpeg_dicom(flat(90), **twisted),
            Seen(165, "MONOCHROME1", off=1),
        ),
        "jpeg 2000": (
            compressed(flat(90, 32), uid.JPEG2000Lossless),
            Seen(90, grey, size=(32, 32)),
        ),
    }


_RGB = ("Red", "Green", "Blue")


def bad_dicom() -> Cases:
    whole = dicom(RAMP)
    image = whole.index(b"\x28\x00\x02\x00US")
    long = struct.pack("<I", 17 << 20) + bytes(17 << 20)
    floating = dataset(RAMP.astype(np.uint16), PixelData=None)
    floating.FloatPixelData = bytes(1024)
    film, two = dataset(RAMP), dataset(RAMP)
    film.PixelData = encapsulate([b"\0\0\1\xb3" * 4])
    two.PixelData = encapsulate([jpeg(RAMP)] * 2)
    cut = rle_dicom(dataset(RAMP))
    run_lengths = whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    twelve = bytearray(jpeg(RAMP))
    twelve[twelve.index(b"\xff\xc0") + 1] = 0xC1
    twelve[twelve.index(b"\xff\xc1") + 4] = 12
    deep = dataset(RAMP.astype(np.uint16), 12)
    deep.PixelData = encapsulate([bytes(twelve)])
    deflated = dicom(RAMP, uid.DeflatedExplicitVRLittleEndian)
    meta = 132 + 12 + struct.unpack_from("<I", deflated, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()
    named = b"\x02\x00\x10\x00UI\x14\x00"
    nameless = whole.replace(named, b"\x02\x00\x11\x00UI\x14\x00")
    unknown = whole.replace(named + b"1.2.840.10008", named + b"1.2.840.99999")
    jagged = lut(0, [1, 2, 3], LUTData=b"\0\0")
    other = {"PhotometricInterpretation": "HSV"}
    bare = {"PhotometricInterpretation": "PALETTE COLOR"}
    return {
        "cut": (whole[: len(whole) // 2], EARLY),
        "cut in the meta group": (whole[:150], EARLY),
        "cut, deflated": (deflated[:-40], EARLY),
        "cut, rle": (cut[: len(cut) // 2 + 200], EARLY),
        "no transfer syntax": (nameless, "the DICOM file names no transfer syntax"),
        "no pixel data": (dicom(RAMP, PixelData=None), NO_PIXELS),
        "no rows": (dicom(RAMP, Rows=None), LACKS),
        "no bits": (dicom(RAMP, BitsAllocated=None), LACKS),
        "no sign": (dicom(RAMP, PixelRepresentation=None), LACKS),
        "0 rows": (dicom(RAMP, Rows=0), NOTHING),
        "65535 rows": (dicom(RAMP, Rows=65_535), LARGE),
        "more rows than pixels": (
            dicom(RAMP, Rows=9000, Columns=9000),
            "the DICOM pixel data are shorter than rows × columns need",
        ),
        "3 frames": (dicom(RAMP, NumberOfFrames=3), SEVERAL),
        "0 frames": (dicom(RAMP, NumberOfFrames=0), "the DICOM file holds no frame"),
        "2 frames, uncounted": (file_of(two, uid.JPEGBaseline8Bit), SEVERAL),
        "1 bit": (dicom(RAMP, BitsAllocated=1, BitsStored=1, HighBit=0), DEPTH),
        "32 bit": (dicom(RAMP.astype(np.uint32)), DEPTH),
        "float": (file_of(floating), "the DICOM file holds floating-point pixels, not read here"),
        "16 bits in 8": (dicom(RAMP, BitsStored=16, HighBit=15), CONTRADICTION),
        "rgb of one sample": (dicom(RAMP, PhotometricInterpretation="RGB"), CONTRADICTION),
        "hsv": (
            dicom(RAMP, **other),
            "the photometric interpretation is not one that is read here",
        ),
        "palette without colours": (
            dicom(RAMP, **bare),
            "the DICOM file has no colour palette, or a segmented one",
        ),
        "table cut short": (
            dicom(RAMP, VOILUTSequence=jagged),
            "a look-up table of the DICOM file is cut short",
        ),
        "cubic window": (
            dicom(RAMP, WindowCenter=1, WindowWidth=2, VOILUTFunction="CUBIC"),
            "the VOI LUT function is not one that is read here",
        ),
        "slope of 0": (dicom(RAMP, RescaleSlope=0, RescaleIntercept=9), CONTRADICTION),
        "slope beyond reason": (
            dicom(RAMP, RescaleSlope="1E308", RescaleIntercept=0),
            NO_NUMBER,
        ),
        "mpeg": (file_of(film, uid.MPEG2MPML), SYNTAX),
        "unknown syntax": (unknown, SYNTAX),
        "jpeg of 12 bits": (
            file_of(deep, uid.JPEGExtended12Bit),
            "there is no free decoder for JPEG Extended of 12 bits",
        ),
        "jpeg of another size": (
            jpeg_dicom(RAMP, Rows=15),
            "the compressed pixels have another size than the DICOM header says",
        ),
        "compressed, not encapsulated": (run_lengths, DAMAGED),
        "a header of 17 megabytes": (
            whole[:image] + b"\x09\x00\x01\x10UN\0\0" + long + whole[image:],
            "the DICOM header is longer than is read here",
        ),
        "a length beyond the end": (
            whole[:image] + b"\x09\x00\x01\x10OB\0\0\xfe\xff\xff\xff" + whole[image:],
            EARLY,
        ),
        "endless sequences": (
            whole[:image] + b"\x09\x00\x01\x10SQ\0\0\xff\xff\xff\xff"
            + b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x09\x00\x01\x10SQ\0\0\xff\xff\xff\xff" * 20_000,
            EARLY,
        ),
        "deflated bomb": (
            deflated[:meta] + bomb,
            "the deflated data set is larger than is read here",
        ),
    }  # fmt: skip


# ---- the folder of classes ------------------------------------------------------------------


def all_films() -> Cases:
    """Every file of the folder, by its path below it."""
    groups = {
        "foreign": foreign, "cut": cut_or_lying, "bombs": bombs, "modes": modes, "turned": turned,
        "names": names, "dicom": odd_dicom, "bad dicom": bad_dicom,
    }  # fmt: skip
    cases: dict[str, tuple[bytes, str | Seen]] = {}
    for label, (folder, make) in enumerate(groups.items()):
        place = f"{('NORMAL', 'PNEUMONIA')[label % 2]}/{folder}"
        suffix = ".dcm" if "dicom" in folder else ""
        for name, case in make().items():
            cases[f"{place}/{name}{suffix}"] = case
    return cases


def good(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)


def lay_good(folder: Path, count: int = 12) -> dict[str, np.ndarray]:
    """Good films of both classes, and the pixels that they have."""
    films = {}
    for number in range(count):
        name = f"{('NORMAL', 'PNEUMONIA')[number % 2]}/good {number}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(good(number)))
        films[name] = good(number)
    return films


def lay_beside(folder: Path, secret: Path) -> tuple[dict[str, int], int]:
    """What is no film of this folder: how many are passed over by reason, and in all."""
    there = folder / "NORMAL"
    for name in (".hidden.png", "._good 0.png", "__MACOSX/good 0.png", "@eaDir/good 0.png"):
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_bytes(encode(RAMP))
    for name in ("Thumbs.db", "notes.txt", "film.gif", "labels.csv", "README", "film.png.part"):
        (there / name).write_bytes(b"x")
    os.mkfifo(there / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    place = Path.cwd()
    os.chdir(there)  # the path of a socket may be 108 bytes long
    listening.bind("socket.png")
    os.chdir(place)
    listening.close()
    for name, target in (
        ("out.png", secret), ("up.png", Path("../../secret.png")),
        ("device.png", Path("/dev/zero")), ("broken.png", there / "none.png"),
        ("itself.png", there / "itself.png"), ("folder.png", there),
    ):  # fmt: skip
        (there / name).symlink_to(target)
    counts = {HIDDEN: 4, KIND: 8, LINKS: 6}
    return counts, sum(counts.values())


def opened(path: Path, **said: object) -> Source:
    request = DataRequest(str(path), **said)  # type: ignore[arg-type]
    return open_source(request, path.parent / "downloads", Silent())


def prepared(source: Source, folder: Path) -> PreparedSet:
    return prepare(source, InputSpec(SIDE, SIDE), folder, keep_ids=True, most_bad=1.0)


def dropped(got: PreparedSet) -> dict[str, str]:
    """The reason for each film that was dropped, by its id."""
    rows = pd.read_csv(got.folder / "dropped.csv", keep_default_na=False, dtype=str)
    assert list(rows.columns) == ["image_id", "reason", "class"]
    assert set(rows["class"]) <= {"normal", "pneumonia", "unknown"}
    told = dict(zip(rows["image_id"], rows["reason"], strict=True))
    assert len(told) == len(rows)
    return told


def image_id(path: str) -> str:
    """As it stands in tables: bytes that are no text are written out, and told by a digest."""
    if "\udcff" not in path:
        return path
    raw = os.fsencode(path)
    digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return f"{raw.decode('utf-8', 'backslashreplace')} [{digest}]"


def peak() -> int:
    """The most memory since the last call, in MiB; 0 where the system does not tell."""
    try:
        most = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
        Path("/proc/self/clear_refs").write_text("5")
        return int(most.split()[0]) >> 10
    except OSError:
        return 0


@pytest.fixture(scope="module")
def films() -> Cases:
    return all_films()


def test_every_bad_film_has_its_reason_and_every_odd_one_its_pixels(
    films: Cases, tmp_path: Path
) -> None:
    root = tmp_path / "films"
    expected = lay_good(root)
    for name, (data, _) in films.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(encode(RAMP))
    passed, beside = lay_beside(root, tmp_path / "secret.png")
    (root / "NORMAL" / "link inside.png").symlink_to(root / "NORMAL" / "good 0.png")
    expected["NORMAL/link inside.png"] = expected["NORMAL/good 0.png"]
    sparse = {"NORMAL/300 megabytes.jpg": (encode(RAMP, "JPEG"), 300 << 20)}
    sparse["NORMAL/2 gigabytes.png"] = (encode(RAMP), 2 << 30)
    for name, (data, size) in sparse.items():
        (root / name).write_bytes(data)
        os.truncate(root / name, size)

    peak()
    before, start = peak(), time.monotonic()
    source = opened(root)
    got = prepared(source, tmp_path / "set")
    spent, taken = peak() - before, time.monotonic() - start

    lost = source.lost["links that lead out of the folder"]  # counted there, and only there
    assert lost == {"normal": 2} and source.form == "folder"
    assert Counter(source.passed_over) + Counter({LINKS: 2}) == passed
    assert source.count == len(films) + len(expected) + len(sparse)
    reasons = {name: said for name, (_, said) in films.items() if isinstance(said, str)}
    assert dropped(got) == reasons | dict.fromkeys(sparse, LONG)
    told = Counter({**reasons, **dict.fromkeys(sparse, LONG)}.values())
    assert {d["reason"]: d["count"] for d in got.about["flow"]["dropped"]} == told

    rows = {name: place for place, name in enumerate(got.table["image_id"])}
    odd = {name: said for name, (_, said) in films.items() if isinstance(said, Seen)}
    assert len(rows) == len(odd) + len(expected) == len(got.images)
    for name, pixels in expected.items():
        assert np.array_equal(got.images[rows[name]], pixels), name
    for name, seen in odd.items():
        check_seen(got, rows, name, seen)
    assert len(films) + len(sparse) + beside >= 180, "distinct inputs"
    # One deflated bomb is unpacked to 256 MiB before it is refused, one film has 64 MiB.
    assert spent < 600, f"{spent} MiB"
    assert taken < 30, f"{taken:.1f} s"


def check_seen(got: PreparedSet, rows: Mapping[str, int], name: str, seen: Seen) -> None:
    place = rows[image_id(name)]
    row = got.table.iloc[place]
    assert (row["height"], row["width"]) == seen.size, name
    assert row["fact_mode"] == seen.mode, (name, row["fact_mode"])
    assert row["label"] == int(name.startswith("PNEUMONIA"))
    apart = np.abs(got.images[place].astype(int) - seen.pixels).max()
    assert apart <= seen.off, (name, apart, got.images[place].tolist())


def test_no_id_of_a_dicom_film_is_kept_unless_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "films"
    lay_good(root)
    (root / "NORMAL" / "Doe^Jane.dcm").write_bytes(dicom(RAMP, PatientID="Doe-1950"))
    (root / "NORMAL" / "Doe^John").write_bytes(dicom(RAMP, PatientID="Doe-1950")[:-9])
    (root / "PNEUMONIA" / "renamed.jpg").write_bytes(dicom(RAMP, PatientID="Doe-1950"))
    got = prepare(opened(root), InputSpec(SIDE, SIDE), tmp_path / "set", most_bad=1.0)
    assert list(dropped(got).values()) == [EARLY]
    assert got.table["patient_id"].nunique() == 1 and got.table["patient_id"].count() == 2
    for file in got.folder.iterdir():
        assert b"Doe" not in file.read_bytes(), file.name


# ---- tables beside films --------------------------------------------------------------------


def outcome(got: PreparedSet) -> dict[str, str]:
    """The reason, or the label, of every film but those that are called good."""
    labels = dict(zip(got.table["image_id"], got.table["label"].map(str), strict=True))
    both = labels | dropped(got)
    return {name: said for name, said in both.items() if "good" not in name}


def lay_films(folder: Path, names: str, films: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        (folder / name).write_bytes(encode(RAMP))
    for name, data in films.items():
        (folder / name).write_bytes(data)


OUT = "the path in the table leads out of its folder"
TWO = "contradictory labels"
NO_LABEL = "no label"

ROWS = {
    # id in the table: (rows behind its path, what becomes of it)
    "repeated.png": (["1,a,train"] * 3, "1"),
    "word.png": (["Pneumonia,a,train"], "1"),
    "number.png": (["1.0,a,TRAINING"], "1"),
    "two labels.png": (["0,a,train", "1,a,train"], TWO),
    "two words.png": (["normal,a,train", "1,a,train"], TWO),
    "one label, once missing.png": (["0,a,train", ",a,train"], "0"),
    "two patients.png": (["0,a,train", "0,b,train"], "contradictory patient ids"),
    "two splits.png": (["0,a,train", "0,a,test"], "contradictory splits"),
    "no label.png": ([",a,train"], NO_LABEL),
    "label NaN.png": (["NaN,a,train"], NO_LABEL),
    "no patient.png": (["1,,train"], "1"),
    "no split.png": (["1,a,"], "1"),
    "none.png": (["1,a,train"], "there is no such file"),
    "NONE.PNG/": (["1,a,train"], "there is no such file"),
    "../secret.png": (["1,a,train"], OUT),
    "films/../../secret.png": (["1,a,train"], OUT),
    "..\\secret.png": (["1,a,train"], OUT),
    "/etc/hostname": (["1,a,train"], OUT),
    "link.png": (["1,a,train"], OUT),
    "loop.png": (["1,a,train"], "the path in the table cannot be followed"),
    "films": (["1,a,train"], "there is no such file"),
    "n" * 5000 + ".png": (["1,a,train"], "there is no such file"),
    "empty.png": (["1,a,train"], "the file is empty"),
    "text.png": (["1,a,train"], FOREIGN),
    "pipe.png": (["1,a,train"], "there is no such file"),
}


def test_every_row_of_a_table_has_its_outcome(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "films").mkdir(parents=True)
    there = [name for name, (_, said) in ROWS.items() if said != "there is no such file"]
    lay_films(root, "good1.png good2.png", {})
    for name in there:
        if "/" not in name and "\\" not in name and name not in ("link.png", "loop.png"):
            (root / name).write_bytes(encode(RAMP))
    lay_films(root, "", {"empty.png": b"", "text.png": b"no film"})
    lay_films(tmp_path, "secret.png", {})
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to("loop.png")
    os.mkfifo(root / "pipe.png")
    lines = [f'"{name}",{row}' for name, (rows, _) in ROWS.items() for row in rows]
    lines += ["good1.png,0,g1,train", "good2.png,1,g2,test", ",1,a,train", "nan,1,a,train"]
    (root / "t.csv").write_text("path,label,patient,split\n" + "\n".join(lines) + "\n", "utf-8")
    with pytest.raises(BadLabels) as asked:
        opened(root / "t.csv")
    # Each number once, however it is written: twice would be refused.
    assert asked.value.answer == ("--classes", "0=normal", "--classes", "1=pneumonia")
    said = {"0": "normal", "1": "pneumonia"}
    got = prepared(opened(root / "t.csv", classes=said), tmp_path / "out")
    places = [n for n, line in enumerate(dict.fromkeys(lines)) if line.startswith((",1", "nan"))]
    blank = {f"row {n} without a path": "the table gives no path" for n in places}
    expected = {name.replace("\\", "/"): said for name, (_, said) in ROWS.items()}
    assert outcome(got) == expected | blank
    assert sorted(n for n in got.table["image_id"] if "good" in n) == ["good1.png", "good2.png"]


RSNA = {
    # patientId: (rows of x, y, width, height, Target, what becomes of it)
    "two-boxes": (["1,1,4,4,1", "9,9,4,4,1", "9,9,4,4,1"], "1"),
    "to-the-edge": (["0,0,16,16,1"], "1"),
    "two-targets": (["1,1,4,4,1", ",,,,0"], TWO),
    "no-target": ([",,,,"], NO_LABEL),
    "no-box": ([",,,,1"], "label 1 without a box"),
    "boxed-normal": (["1,1,4,4,0"], "label 0 with a box"),
    # A box that is none costs no film.
    "half-a-box": (["1,1,,4,1"], "1"),
    "negative": (["-1,1,4,4,1"], "1"),
    "flat": (["1,1,0,4,1"], "1"),
    "endless": (["1,1,inf,4,1"], "1"),
    "outside": (["9,9,9,9,1"], "1"),
    "cut": (["1,1,4,4,1"], EARLY),
    "frames": ([",,,,0"], SEVERAL),
    "empty": ([",,,,0"], "the file is empty"),
}


def test_every_film_of_an_rsna_folder_has_its_outcome(tmp_path: Path) -> None:
    root, films = tmp_path / "rsna", tmp_path / "rsna" / "stage_2_train_images"
    names = ("good-1", "good-2", "no-row", *RSNA)
    whole = {f"{name}.dcm": dicom(RAMP, PatientID=name) for name in names}
    bad = {"cut.dcm": whole["cut.dcm"][:-99], "empty.dcm": b""}
    bad["frames.dcm"] = dicom(RAMP, NumberOfFrames=2)
    lay_films(films, "", whole | bad)
    lines = ["good-1,,,,,0", "good-2,1,1,5,5,1", "row-without-film,,,,,0"]
    lines += [f"{name},{row}" for name, (rows, _) in RSNA.items() for row in rows]
    text = "patientId,x,y,width,height,Target\n" + "\n".join(lines) + "\n"
    (root / "stage_2_train_labels.csv").write_text(text)
    source = opened(root)
    got = prepared(source, tmp_path / "out")
    expected = {name: said for name, (_, said) in RSNA.items()}
    assert outcome(got) == expected | {"no-row": "no row in the label table"}
    assert "1 ids of the label table have no film in the folder." in source.notes
    boxes = dict(zip(got.table["image_id"], got.table["boxes"], strict=True))
    assert len(boxes["two-boxes"]) == 2
    assert "4 boxes of the table are no rectangles and were dropped." in source.notes
    assert got.about["flow"]["boxes_lost"] == 1
    none = ("half-a-box", "negative", "flat", "endless", "outside")
    assert all(boxes[name] is None or not len(boxes[name]) for name in none)


NO_IMAGE = "the row holds no image"


def test_every_row_of_a_parquet_file_has_its_outcome(tmp_path: Path) -> None:
    root = tmp_path / "set"
    lay_films(tmp_path, "secret.png", {})
    lay_films(root, "beside.png", {})
    png, names = encode(RAMP), ["NORMAL", "PNEUMONIA"]
    cells: list[tuple[object, int | None, str]] = [
        ({"bytes": png, "path": None}, 0, "0"),
        ({"bytes": png, "path": "../secret.png"}, 1, "1"),
        ({"bytes": None, "path": "beside.png"}, 1, "1"),
        ({"bytes": encode(flat(9), "JPEG"), "path": "film.png"}, 0, "0"),
        (None, 1, NO_IMAGE),
        ({"bytes": None, "path": None}, 1, NO_IMAGE),
        ({"bytes": b"", "path": "beside.png"}, 1, NO_IMAGE),
        ({"bytes": png[:-20], "path": None}, 1, EARLY),
        ({"bytes": b"no film", "path": None}, 1, FOREIGN),
        ({"bytes": None, "path": "../secret.png"}, 1, OUT),
        ({"bytes": None, "path": "none.png"}, 1, "there is no such file"),
        ({"bytes": SIZED["PNG"](16_384, 16_384), "path": None}, 0, LARGE),
        ({"bytes": dicom(RAMP, NumberOfFrames=2), "path": None}, 0, SEVERAL),
        ({"bytes": png, "path": None}, -1, NO_LABEL),
        ({"bytes": png, "path": None}, None, NO_LABEL),
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array([cell for cell, _, _ in cells], kind),
        "label": pa.array([label for _, label, _ in cells], pa.int64()),
    }
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    told = json.dumps({"info": {"features": features}})
    table = pa.table(columns).replace_schema_metadata({"huggingface": told})
    pq.write_table(table, root / "data.parquet", row_group_size=4)
    got = prepared(opened(root / "data.parquet"), tmp_path / "out")
    assert outcome(got) == {f"all-{n:06d}": said for n, (_, _, said) in enumerate(cells)}


# ---- sets that are refused as a whole ---------------------------------------------------------


def npz(**changed: object) -> bytes:
    arrays: dict[str, object] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((4, 8, 8), np.uint8)
        arrays[f"{split}_labels"] = np.arange(4) % 2
    out = io.BytesIO()
    kept = {key: value for key, value in (arrays | changed).items() if value is not None}
    np.savez_compressed(out, **kept)
    return out.getvalue()


def npy(shape: str, data: int) -> bytes:
    """A zip whose first array says ``shape`` and holds ``data`` zeros."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    packed, out = zipfile.ZipFile(io.BytesIO(npz())), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in packed.namelist():
            member = packed.read(name)
            if name == "train_images.npy":
                member = b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
                member += bytes(data)
            archive.writestr(name, member)
    return out.getvalue()


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(npz())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark)
        data[at + flags] |= 1
    return bytes(data)


ARRAY, WHOLE = "the array 'train_images' ", "the file is not a whole .npz archive"
UTF_8 = "the table is no text in UTF-8"
REFUSED: dict[str, tuple[Callable[[], bytes], type[PneumoscopeError], str]] = {
    "empty.npz": (lambda: b"", UnreadableData, WHOLE),
    "text.npz": (lambda: b"404: not found", UnreadableData, WHOLE),
    "cut.npz": (lambda: npz()[:-30], UnreadableData, WHOLE),
    "pickle.npz": (
        lambda: npz(train_images=np.array([print] * 4, object)),
        UnreadableData,
        ARRAY + "holds pickled objects, which are never loaded",
    ),
    "missing.npz": (
        lambda: npz(val_labels=None),
        UnreadableData,
        "the archive has no array 'val_labels'",
    ),
    "float.npz": (
        lambda: npz(train_images=np.zeros((4, 8, 8))),
        UnreadableData,
        ARRAY + "has the wrong type or shape",
    ),
    "two sizes.npz": (
        lambda: npz(val_images=np.zeros((4, 9, 9), np.uint8)),
        UnreadableData,
        "the splits hold images of different shapes",
    ),
    "labels of 3.npz": (
        lambda: npz(val_labels=np.arange(4)),
        BadLabels,
        "the array 'val_labels' holds labels that are neither 0 nor 1",
    ),
    "too few labels.npz": (
        lambda: npz(val_labels=np.arange(3) % 2),
        BadLabels,
        "the array 'val_labels' does not fit its images",
    ),
    "one class.npz": (
        lambda: npz(test_labels=np.ones(4, int)),
        BadLabels,
        "the test split holds one class only",
    ),
    "claims exabytes.npz": (
        lambda: npy(f"({1 << 39}, {1 << 20}, 8)", 64),
        UnreadableData,
        ARRAY + "is not as long as its header says",
    ),
    "zip bomb.npz": (
        lambda: npy("(4, 8, 8)", 64 << 20),
        UnreadableData,
        ARRAY + "is not as long as its header says",
    ),
    "code in the header.npz": (
        lambda: npy("(__import__('os').abort(),)", 64),
        UnreadableData,
        ARRAY + "has no readable .npy header",
    ),
    "encrypted.npz": (
        encrypted,
        UnreadableData,
        ARRAY + "is packed in a way that is not read",
    ),
    "empty.csv": (lambda: b"", UnreadableData, "the table is empty"),
    "header only.csv": (
        lambda: b"path,label\n",
        UnreadableData,
        "the table has a header but no rows",
    ),
    "ragged.csv": (
        lambda: b"path,label\na.png,0\nb.png,1,2\n",
        UnreadableData,
        "the rows of the table are of different lengths",
    ),
    "binary.csv": (
        lambda: b"path,label\na.png,\0\n",
        UnreadableData,
        "the table is binary, not text",
    ),
    "no encoding.csv": (lambda: b"path,label\n\x81.png,normal\n", UnreadableData, UTF_8),
    "workbook.csv": (lambda: b"PK\x03\x04" + bytes(99), UnreadableData, UTF_8),
    "twice.csv": (
        lambda: b"path,label,label\na.png,0,1\n",
        UnreadableData,
        "a column name stands twice in the table",
    ),
    "wide.csv": (
        lambda: ",".join(f"c{n}" for n in range(1001)).encode() + b"\n",
        UnreadableData,
        "the table is too wide",
    ),
    "long cell.csv": (
        lambda: b"path,label\n" + b"a" * 40_000 + b",0\n",
        UnreadableData,
        "a cell of the column 'path' is too long",
    ),
    "open quote.csv": (
        lambda: b'path,label\n"a.png,0\n' + b"b.png,1\n" * 200_000,
        UnreadableData,
        "the rows of the table are of different lengths",
    ),
    "no labels.csv": (
        lambda: b"path,age\na.png,50\n",
        BadLabels,
        "no column of the table holds labels",
    ),
    "labels that differ.csv": (
        lambda: b"path,label,target\na.png,0,1\nb.png,1,0\n",
        BadLabels,
        "2 things have to be said of this data",
    ),
    "unknown class.csv": (
        lambda: b"path,label\na.png,gallstones\n",
        BadLabels,
        "class names are neither normal nor pneumonia",
    ),
    "kin of pneumonia.csv": (
        lambda: b"path,label\na.png,covid\n",
        BadLabels,
        "class names are near to pneumonia or normal, but not certain",
    ),
    "numbers without a name.csv": (
        lambda: b"path,label\na.png,0\nb.png,1\n",
        BadLabels,
        "numbers of a label do not say what they stand for",
    ),
    "positive for what.csv": (
        lambda: b"path,label\na.png,positive\nb.png,negative\n",
        BadLabels,
        "words of a label do not say what for",
    ),
    "unknown split.csv": (
        lambda: b"path,label,split\na.png,normal,train\nb.png,pneumonia,holdout\n",
        BadLabels,
        "the column 'split' holds what is no split",
    ),
    "all unlabelled.csv": (
        lambda: b"path,label\na.png,\nb.png,\n",
        BadLabels,
        "no row of the table has a path and a label",
    ),
    "no films.csv": (
        lambda: b"age,label\n50,0\n60,1\n",
        InputError,
        "no column of the table names the films",
    ),
    "cut.parquet": (
        lambda: parquet(path=["a.png"], label=[1])[:-9],
        UnreadableData,
        "the table cannot be read",
    ),
    "only its mark.parquet": (lambda: b"PAR1", UnreadableData, "the table cannot be read"),
    "text.parquet": (
        lambda: b"version https://git-lfs.github.com/spec/v1\n",
        UnreadableData,
        "the table has a header but no rows",
    ),
    "no rows.parquet": (
        lambda: parquet(path=pa.array([], pa.string()), label=pa.array([], pa.int64())),
        UnreadableData,
        "the table has a header but no rows",
    ),
    "lists.parquet": (
        lambda: parquet(path=[["a.png"]], label=[[1]]),
        UnreadableData,
        "the table has no column of text or numbers",
    ),
    "films.zip": (lambda: npz(), UnreadableData, "archives are not read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_set_that_cannot_be_read_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    make, kind, what = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    peak()
    before, start = peak(), time.monotonic()
    with pytest.raises(PneumoscopeError) as caught:
        opened(tmp_path / name)
    assert (type(caught.value), caught.value.what) == (kind, what)
    assert peak() - before < 100 and time.monotonic() - start < 5


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_tables_in_the_encodings_of_windows_are_read(encoding: str, tmp_path: Path) -> None:
    lay_films(tmp_path, "ä.png é.png", {})
    text = "path,label\nä.png,normal\né.png,pneumonia\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    got = prepared(opened(tmp_path / "t.csv"), tmp_path / "out")
    labels = dict(zip(got.table["image_id"], got.table["label"], strict=True))
    assert labels == {"ä.png": 0, "é.png": 1}


def class_folders(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(encode(RAMP))

    return make


FOLDERS: dict[str, tuple[Callable[[Path], None], dict[str, object], type, str]] = {
    "nothing": (lambda root: root.mkdir(), {}, UnreadableData, "there is no film in this folder"),
    "an unknown class": (
        class_folders("NORMAL/a.png", "PNEUMONIA/b.png", "GALLSTONES/c.png"),
        {},
        BadLabels,
        "class names are neither normal nor pneumonia",
    ),
    "only hidden films": (
        class_folders("NORMAL/.a.png", "PNEUMONIA/._b.png"),
        {"form": "folder"},
        UnreadableData,
        "there is no film in this folder",
    ),
    "no class folder": (
        class_folders("one/a.png", "two/b.png"),
        {"form": "folder"},
        UnreadableData,
        "no film lies in a folder of normal or pneumonia films",
    ),
    "no RSNA table": (
        class_folders("stage_2_train_images/a.dcm"),
        {"form": "rsna"},
        UnreadableData,
        "the folder has no label table of the RSNA challenge",
    ),
    "an unknown form": (
        class_folders("NORMAL/a.png"), {"form": "nifti"}, InputError, "there is no such form"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_read_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    make, said, kind, what = FOLDERS[name]
    make(tmp_path / "set")
    with pytest.raises(PneumoscopeError) as caught:
        opened(tmp_path / "set", **said)
    assert (type(caught.value), caught.value.what) == (kind, what)


def test_a_set_of_which_too_many_films_are_bad_is_refused_after_all_were_read(
    tmp_path: Path,
) -> None:
    root = tmp_path / "films"
    lay_good(root, 10)
    (root / "NORMAL" / "empty.png").touch()
    source = opened(root)
    with pytest.raises(UnreadableData) as caught:
        prepare(source, InputSpec(SIDE, SIDE), tmp_path / "set")
    assert caught.value.what == "1 of 11 films of films cannot be used"
    assert caught.value.got == "1 × the file is empty (1 normal)"


def test_there_are_many_kinds_of_bad_input(films: Cases) -> None:
    distinct = {data for data, _ in films.values()} | set(REFUSED) | {*FOLDERS}
    assert len(distinct) + len(ROWS) + len(RSNA) >= 240
    refused = [said for _, said in films.values() if isinstance(said, str)]
    assert len(refused) >= 85 and len(set(refused)) >= 25
