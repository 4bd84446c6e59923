"""Image files made by hand: encoded pixels, headers that claim any size, drawn phantoms."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from pneumoscope.imaging.phantom import draw_phantom


def film(index: int) -> np.ndarray:
    """A phantom of 90 px; odd ones are sick."""
    return draw_phantom(4, index, label=index % 2, size=90).image


def encode(pixels: np.ndarray | Image.Image, form: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def grey(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def oriented(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        crc = struct.pack(">I", zlib.crc32(name + data))
        parts.append(struct.pack(">I", len(data)) + name + data + crc)
    return b"".join(parts)


def ihdr(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def jpeg_of_size(width: int, height: int) -> bytes:
    data = bytearray(encode(grey(16, 16), "JPEG"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, height, width)
    return bytes(data)


def tiff_of(*entries: tuple[int, int, int, int], big: bool = False) -> bytes:
    """A little-endian TIFF of one directory: (tag, type, count, value)."""
    if big:
        rows = b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, len(entries)) + rows + bytes(8)
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4)


def webp_of_size(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + canvas


def bmp_of_size(width: int, height: int) -> bytes:
    data = bytearray(encode(grey(4, 4), "BMP"))
    struct.pack_into("<ii", data, 18, width, height)
    return bytes(data)


SIZED = {
    "JPEG": jpeg_of_size,
    "PNG": lambda w, h: png_chunks(ihdr(w, h), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")),
    "BMP": bmp_of_size,
    "WEBP": webp_of_size,
    "TIFF": lambda w, h: tiff_of(
        (256, 4, 1, w), (257, 4, 1, h), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, h), (279, 4, 1, 9),
    ),
}  # fmt: skip
