"""Bad and odd films made by hand, by what is wrong with them, each with what becomes of it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from tests.helpers.dicom import dataset, dicom, file_of, jpeg, jpeg_dicom, lut, rle_dicom
from tests.helpers.images import SIZED, encode, ihdr, oriented, png_chunks, tiff_of

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
