"""The only door for pixels: any film file becomes uint8 grey, air dark."""

from __future__ import annotations

import ctypes
import io
import logging
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageChops, _imaging
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pneumoscope.errors import Unreachable, UnreadableImage
from pneumoscope.imaging.dicom.decode import dicom_size, read_dicom
from pneumoscope.imaging.dicom.grey import stretch
from pneumoscope.imaging.dicom.header import begins_data_set
from pneumoscope.imaging.headers import (
    SEVERAL_FRAMES,
    check_exif,
    check_png,
    check_size,
    check_tiff,
    decoding,
    webp_size,
)
from pneumoscope.imaging.jpeg import decode_plain, load_grey, open_jpeg
from pneumoscope.records import Film, Grey

FORMATS = "JPEG, PNG, TIFF, BMP, WebP or DICOM"
_MOST_BYTES = 1 << 30
_HELD_WHOLE = 32 << 20
_MOST_AT_ONCE = 256 << 20
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_PLUGINS: dict[str, Callable[[BinaryIO], ImageFile]] = {
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "WEBP": WebPImageFile,
}
_DEEP = frozenset(("I;16", "I;16B", "I;16L", "I;16N", "I", "F"))
_AT_ONCE = frozenset(("JPEG", "WEBP"))  # which their decoders take in one piece
_FLAT = frozenset(("1", "L", "P", "RGB", "RGBX", "YCbCr"))
_CLEAR = frozenset(("LA", "La", "PA", "RGBA", "RGBa"))
_ORIENTATION, _INTENT = 0x0112, 0x0106  # photometric interpretation: 0 is white is zero
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset((5, 6, 7, 8))


def read_film(file: Path | bytes, side: int = 0) -> Film:
    """Read one radiograph, as uint8 (H, W), 0–255, air dark: a path, or the bytes of a file.

    The form is told by the content, not by the name: JPEG, PNG, TIFF, BMP, WebP or DICOM. 8 bits
    stay as they are, colour becomes Rec. 601 luma, what is transparent lies on air; deeper grey
    is stretched over the film's own range, without a marker far above it (DICOM: as its header
    says). EXIF orientation is
    applied. ``side`` is that of the square that will be made of the film, 0 to keep its native
    size; a JPEG is then reduced while it is decoded, to no less than twice that.

    Facts: mode, format, bytes; from DICOM also view, age (years), sex, modality and body_part, and
    window where that of the header was passed over.
    Raises UnreadableImage, for a file with several frames too. May be called from several
    threads; see ``quiet_decoders``.
    """
    with _opened(file) as (stream, form, size):
        film = read_dicom(stream, side) if form == "DICOM" else _read_picture(stream, form, side)
    return replace(film, facts={**film.facts, "bytes": size})


def native_size(file: Path | bytes) -> tuple[int, int]:
    """(height, width) in pixels, upright, from the header alone. Raises UnreadableImage."""
    with _opened(file) as (stream, form, _):
        if form == "DICOM":
            return dicom_size(stream)
        image = _open_picture(stream, form)
        turned = form != "TIFF" and _orientation(image) in _SIDEWAYS
        return image.size if turned else (image.height, image.width)


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence the decoders' warnings and loggers; to be entered once, around a pool of threads.

    What they have to say of a file is in the UnreadableImage, or changes nothing. Python's
    warning filters belong to the whole process, so no thread may do this on its own.
    """
    loggers = [logging.getLogger(name) for name in ("PIL", "pydicom", "pylibjpeg", "openjpeg")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), _quiet_libtiff():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _quiet_libtiff() -> Iterator[None]:
    """Keep libtiff from writing to stderr, where its two handlers can be reached."""
    try:
        library = ctypes.CDLL(_imaging.__file__)
        setters = [library.TIFFSetErrorHandler, library.TIFFSetWarningHandler]
    except (OSError, AttributeError):  # a Pillow built without it, or with it hidden inside
        setters = []
    for setter in setters:
        setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    handlers = [setter(None) for setter in setters]
    try:
        yield
    finally:
        for setter, handler in zip(setters, handlers, strict=True):
            setter(handler)


@contextmanager
def _opened(file: Path | bytes) -> Iterator[tuple[BinaryIO, str, int]]:
    """The file at its beginning, its form, and its size in bytes."""
    if isinstance(file, bytes):
        _check_length(len(file))
        stream: BinaryIO = io.BytesIO(file)
        size = len(file)
    else:
        stream, size = _open(file)
    with stream:
        form = form_of(stream.read(132))
        if form in _AT_ONCE:
            _check_length(size, _MOST_AT_ONCE)
        stream.seek(0)
        yield stream, form, size


def _open(path: Path) -> tuple[BinaryIO, int]:
    """A small file in memory, a large one on disk, so that a large one costs no memory."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever, a device never end
            raise UnreadableImage("this is not a regular file")
        _check_length(about.st_size)
        if about.st_size > _HELD_WHOLE:
            return path.open("rb"), about.st_size
        with path.open("rb", buffering=0) as raw:
            return io.BytesIO(raw.read(about.st_size)), about.st_size
    except FileNotFoundError:
        raise Unreachable("there is no such file") from None
    except PermissionError:
        raise Unreachable("the file may not be read") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Unreachable("the file cannot be opened", got=why) from None


def _check_length(size: int, most: int = _MOST_BYTES) -> None:
    if size == 0:
        raise UnreadableImage("the file is empty")
    if size > most:
        raise UnreadableImage(
            "the file is larger than is read here", expected=f"at most {most >> 20} MiB"
        )


def form_of(head: bytes) -> str:
    """The form of a file by its first 132 bytes, one of FORMATS in capitals. Raises
    UnreadableImage."""
    if head[128:132] == b"DICM":  # first, for its preamble may be the head of a TIFF
        return "DICOM"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, form in _MAGIC:
        if head.startswith(magic):
            return form
    if begins_data_set(head):
        return "DICOM"
    raise UnreadableImage("the file is no image that is read here", expected=FORMATS)


def _open_picture(stream: BinaryIO, form: str) -> ImageFile:
    """The header, within the limits; nothing is decoded yet."""
    if form == "JPEG":
        return open_jpeg(stream.read())
    if form == "WEBP":
        check_size(*webp_size(stream.read(30)))
        stream.seek(0)
    elif form == "TIFF":
        check_tiff(stream)
    elif form == "PNG":
        check_png(stream)
    with decoding():
        image = _PLUGINS[form](stream)
        several = bool(getattr(image, "is_animated", False))
    check_size(image.height, image.width)
    if several:
        raise UnreadableImage(SEVERAL_FRAMES)
    return image


def _read_picture(stream: BinaryIO, form: str, side: int) -> Film:
    if form == "JPEG":
        plain = decode_plain(stream.read(), side)
        if plain is not None:
            pixels, header = plain
            mode = "L" if header.components == 1 else "RGB"
            return Film(pixels, header.height, header.width, facts={"mode": mode, "format": form})
        stream.seek(0)
    image = _open_picture(stream, form)
    mode, (width, height) = image.mode, image.size
    if isinstance(image, JpegImageFile):
        load_grey(image, side)
    else:
        with decoding():
            image.load()
    # Pillow turns a TIFF while it loads it; a PNG may name its orientation after its pixels.
    turn = 1 if form == "TIFF" else _orientation(image)
    upright: Image.Image = image
    if turn in _TURNS:
        with decoding():
            upright = image.transpose(_TURNS[turn])
        height, width = (width, height) if turn in _SIDEWAYS else (height, width)
    pixels = _grey(upright)
    if mode in _DEEP and isinstance(image, TiffImageFile) and image.tag_v2.get(_INTENT) == 0:
        pixels = np.invert(pixels)  # which Pillow does for 8 bits only
    return Film(pixels, height, width, facts={"mode": mode, "format": form})


def _orientation(image: ImageFile) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    exif = image.info.get("exif", b"")
    if not exif and "xmp" not in image.info and "XML:com.adobe.xmp" not in image.info:
        return 1
    try:
        check_exif(exif[6:] if exif[:6] == b"Exif\0\0" else exif)
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata are no reason to refuse the pixels
        return 1
    return turn if turn in _TURNS else 1


def _grey(image: Image.Image) -> Grey:
    """Any mode of Pillow to uint8 (H, W)."""
    mode = image.mode
    if mode in _DEEP:
        return stretch(np.asarray(image))
    with decoding():
        if mode in _CLEAR or "transparency" in image.info:
            solid = image.convert("RGBA")
            return np.asarray(ImageChops.multiply(solid.convert("L"), solid.getchannel("A")))
        if mode in _FLAT:
            return np.asarray(image.convert("L") if mode != "L" else image)
        if mode == "CMYK":
            return np.asarray(image.convert("RGB").convert("L"))
    raise UnreadableImage("the colour mode is not one that is read here", got=mode)
