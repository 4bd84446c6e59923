"""JPEG, reduced while it is decoded where the result is to be small anyway.

A plain one takes the short way through TurboJPEG, one call without the interpreter's lock: half
the time of Pillow's, whose reader of headers is Python, and two threads are twice as fast. The
library below is the same and so are the pixels, to the bit. Whatever TurboJPEG objects to, and
whatever is not plain, is left to Pillow, whose word on it is the one that counts."""

from __future__ import annotations

import io

import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from pneumoscope.imaging.headers import FrameHeader, check_jpeg, decoding
from pneumoscope.records import Grey

_FINER = 2
"""A reduced film keeps this many times the side it is wanted at. Measured on 1,500×1,100 films
fitted to 224 px: mean difference from full decoding .17 grey levels and at most 2 with twice
the side, .33 and 9 with just the side, which is only 15 % faster."""


def open_jpeg(data: bytes) -> JpegImageFile:
    """The header of a JPEG, within the limits. Raises UnreadableImage."""
    check_jpeg(data)
    with decoding():
        return JpegImageFile(io.BytesIO(data))


def decode_plain(data: bytes, side: int) -> tuple[Grey, FrameHeader] | None:
    """The pixels and the header of a plain JPEG, reduced as ``load_grey`` does; None where it is
    for Pillow. Raises UnreadableImage."""
    header = check_jpeg(data)
    if header is None:
        return None
    scale = _scale(header, side)
    least = (-(-header.height // scale), -(-header.width // scale))
    try:
        pixels: Grey = simplejpeg.decode_jpeg(
            data, "GRAY", min_height=least[0], min_width=least[1]
        )[..., 0]
    except ValueError:
        return None
    return (pixels, header) if pixels.shape == least else None


def _scale(header: FrameHeader, side: int) -> int:
    """By how much Pillow's draft would reduce it: 1, 2, 4 or 8."""
    wanted = min(_FINER * side, header.height, header.width)
    factor = min(header.height, header.width) // wanted if side > 0 else 1
    return next(scale for scale in (8, 4, 2, 1) if factor >= scale)


def load_grey(image: JpegImageFile, side: int) -> None:
    """Decode, colour to luma, in the inverse DCT to 1/2, 1/4 or 1/8 when ``side`` allows it.

    A CMYK film keeps its mode. Raises UnreadableImage.
    """
    wanted = min(_FINER * side, *image.size)
    with decoding():
        image.draft("L", (wanted, wanted) if side > 0 else None)
        image.load()
