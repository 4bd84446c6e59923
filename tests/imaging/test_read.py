"""The door for pixels: forms, modes, limits and refusals of everything that is not DICOM."""

import contextlib
import io
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from tests.helpers.images import (
    SIZED,
    bmp_of_size,
    encode,
    grey,
    ihdr,
    jpeg_of_size,
    oriented,
    png_chunks,
    tiff_of,
)
from tests.helpers.processes import python

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.headers import j2k_header
from pneumoscope.imaging.read import native_size, quiet_decoders, read_film
from pneumoscope.records import InputSpec

DAMAGED, EARLY = "the image is damaged", "the file ends too early"
LARGE = "the image is larger than is read here"
SEVERAL = "the file holds several frames"
METADATA = "the image has more metadata than is read here"
FOREIGN = "the file is no image that is read here"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_decoders():
        yield


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.uint8(127.5 + 80 * np.sin(x / 37) + 40 * np.cos(y / 23))


def reason(file: Path | bytes, read: Callable[[Path | bytes], object] = read_film) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read(file)
    return caught.value.what


# What is read


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_lossless_8_bit_grey_comes_out_as_it_is(form: str) -> None:
    film = read_film(encode(grey(), form))
    assert np.array_equal(film.pixels, grey())
    assert (film.height, film.width, film.patient_id) == (40, 60, None)
    assert film.pixels.dtype == np.uint8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_form_is_told_by_content_and_said_in_the_facts(form: str, tmp_path: Path) -> None:
    path = tmp_path / "Röntgen .txt"
    path.write_bytes(encode(grey(), form))
    film = read_film(path)
    mode = "RGB" if form == "WEBP" else "L"
    assert film.facts == {"mode": mode, "format": form, "bytes": path.stat().st_size}
    assert native_size(path) == (40, 60) == film.pixels.shape


@pytest.mark.parametrize("name", ["film.jpg", "f" * 251 + ".png", "胸部\n\x1b[31m.dcm"])
def test_the_name_does_not_matter(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(encode(grey()))
    assert np.array_equal(read_film(tmp_path / name).pixels, grey())


def test_a_file_too_large_to_hold_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "film.bmp"
    path.write_bytes(encode(grey(), "BMP"))
    with path.open("r+b") as file:
        file.truncate(40 << 20)
    film = read_film(path)
    assert np.array_equal(film.pixels, grey()) and film.facts["bytes"] == 40 << 20


def test_a_grey_jpeg_is_what_pillow_decodes() -> None:
    data = encode(grey(), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(read_film(data).pixels, np.asarray(image))


@pytest.mark.parametrize("progressive", [False, True])
def test_an_rgb_jpeg_of_equal_channels_is_its_grey(progressive: bool) -> None:
    data = encode(np.dstack([smooth(60, 90)] * 3), "JPEG", quality=95, progressive=progressive)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("L"))
    film = read_film(data)
    assert np.array_equal(film.pixels, expected)
    assert film.facts["mode"] == "RGB"


def test_colour_becomes_rec_601_luma() -> None:
    red_green_blue_white = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3]], np.uint8)
    # 0.299, 0.587 and 0.114 of 255
    assert read_film(encode(red_green_blue_white)).pixels.tolist() == [[76, 150, 29, 255]]


def test_a_palette_is_read_through_its_colours() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([0, 0, 255, 10, 10, 10, 255, 255, 255])
    film = read_film(encode(image))
    assert film.pixels.tolist() == [[29, 10, 255]] and film.facts["mode"] == "P"


def test_what_is_transparent_lies_on_air() -> None:
    rgba = np.array([[[200, 200, 200, 0], [200, 200, 200, 255], [200, 200, 200, 51]]], np.uint8)
    assert read_film(encode(rgba)).pixels.tolist() == [[0, 200, 40]]
    assert read_film(encode(Image.fromarray(rgba).convert("LA"))).pixels.tolist() == [[0, 200, 40]]


def test_a_transparent_palette_entry_and_a_transparent_grey_level_are_air() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([90, 90, 90, 80, 80, 80])
    assert read_film(encode(image, transparency=0)).pixels.tolist() == [[0, 80]]
    level = Image.fromarray(np.array([[90, 80]], np.uint8))
    assert read_film(encode(level, transparency=90)).pixels.tolist() == [[0, 80]]


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    for form in ("PNG", "TIFF", "BMP"):
        assert read_film(encode(image, form)).pixels.tolist() == [[0, 255, 255]]


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_is_read_with_ink_dark(form: str) -> None:
    ink = np.zeros((16, 32, 4), np.uint8)
    ink[:, 16:, 3] = 255
    film = read_film(encode(Image.fromarray(ink, "CMYK"), form))
    assert film.facts["mode"] == "CMYK"
    assert film.pixels[8, 4] >= 250 and film.pixels[8, 28] <= 5


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_stretched_over_its_own_range(form: str) -> None:
    deep = np.array([[1000, 1500, 2000, 3000]], np.uint16)
    film = read_film(encode(deep, form))
    # (1500 - 1000) / 2000 × 255 = 63.75, (2000 - 1000) / 2000 × 255 = 127.5
    assert film.pixels.tolist() == [[0, 64, 128, 255]]
    assert film.facts["mode"] == "I;16"


def test_32_bit_and_float_grey_are_stretched_and_what_is_not_finite_is_not_counted() -> None:
    whole = np.array([[-100_000, 0, 100_000]], np.int32)
    assert read_film(encode(whole, "TIFF")).pixels.tolist() == [[0, 128, 255]]
    real = np.array([[np.nan, -np.inf, np.inf, -1.0, 0.0, 1.0]], np.float32)
    assert read_film(encode(real, "TIFF")).pixels.tolist() == [[0, 0, 255, 0, 128, 255]]
    huge = np.array([[-3e38, 0, 3e38]], np.float32)
    assert read_film(encode(huge, "TIFF")).pixels.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_a_deep_film_of_one_value_is_all_air(kind: type) -> None:
    assert read_film(encode(np.full((4, 5), 700, kind), "TIFF")).pixels.max() == 0


def test_a_deep_tiff_whose_zero_is_white_is_inverted() -> None:
    data = bytearray(encode(np.array([[1000, 1500, 3000]], np.uint16), "TIFF"))
    entry = data.index(struct.pack("<HHIH", 262, 3, 1, 1))
    data[entry + 8] = 0
    assert read_film(bytes(data)).pixels.tolist() == [[255, 191, 0]]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied(form: str, turn: int) -> None:
    film = np.zeros((32, 48), np.uint8)
    film[:16, :16] = 255  # bright top left in the stored picture
    data = encode(film, form, exif=oriented(turn), **({"quality": 95} if form == "JPEG" else {}))
    got = read_film(data)
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1)}
    corner |= {7: (-1, -1), 8: (-1, 0)}
    rows, cols = (48, 32) if turn > 4 else (32, 48)
    assert got.pixels.shape == (got.height, got.width) == native_size(data) == (rows, cols)
    bright = {at for at in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if got.pixels[at] > 200}
    assert bright == {corner[turn]}


def test_a_reduced_and_turned_jpeg_keeps_its_native_size() -> None:
    data = encode(smooth(800, 640), "JPEG", exif=oriented(6))
    film = read_film(data, 64)
    assert (film.height, film.width) == (640, 800) and film.pixels.shape == (160, 200)


def test_broken_exif_is_no_reason_to_refuse_the_pixels() -> None:
    data = encode(grey(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage")
    assert read_film(data).pixels.shape == (40, 60)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_tiny_films_are_read(size: tuple[int, int]) -> None:
    for form in ("PNG", "TIFF", "BMP", "JPEG"):
        assert read_film(encode(np.full(size, 9, np.uint8), form), 224).pixels.shape == size


# Reduced decoding


@pytest.mark.parametrize(
    ("side", "shape"),
    [
        (0, (600, 900)),
        (299, (600, 900)),
        (300, (600, 900)),
        (150, (300, 450)),
        (75, (150, 225)),
        (37, (75, 113)),
        (1, (75, 113)),
    ],
)
def test_a_jpeg_is_reduced_to_no_less_than_twice_the_side(side: int, shape: tuple) -> None:
    film = read_film(encode(smooth(600, 900), "JPEG"), side)
    assert film.pixels.shape == shape and (film.height, film.width) == (600, 900)


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_reduced_decoding_is_not_seen_in_the_stored_square(fit: str) -> None:
    rough = smooth(1100, 1500).astype(float)
    rough += np.random.default_rng(1).normal(0, 6, rough.shape)
    data = encode(np.clip(rough, 0, 255).astype(np.uint8), "JPEG", quality=90)
    spec = InputSpec(224, 224, fit)
    full, reduced = (fit_square(read_film(data, side).pixels, spec) for side in (0, 224))
    apart = np.abs(full.astype(int) - reduced)
    assert read_film(data, 224).pixels.shape == (550, 750)
    assert apart.mean() < 0.5 and apart.max() <= 4


# What is refused, each with its reason


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    assert reason(b"") == "the file is empty"
    assert reason(b"x") == FOREIGN
    assert reason(b"patient,label\n1,0\n" * 40) == FOREIGN
    assert reason(b"\0" * 5000) == FOREIGN
    text = tmp_path / "film.png"
    text.write_text("this is no image")
    assert reason(text) == FOREIGN
    assert reason(encode(grey(), "GIF")) == FOREIGN
    assert reason(tmp_path) == "this is not a regular file"
    assert reason(tmp_path / "none.png") == "there is no such file"
    assert reason(Path("a\0b.png")) == "the file cannot be opened"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.png")
    assert reason(tmp_path / "film.png") == "this is not a regular file"


def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert reason(path) == "the file is larger than is read here"


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_what_is_decoded_in_one_piece_is_refused_unread_where_it_is_hundreds_of_megabytes(
    form: str, tmp_path: Path
) -> None:
    path = tmp_path / "film"
    path.write_bytes(encode(grey(), form))
    os.truncate(path, (256 << 20) + 1)
    assert reason(path) == reason(path, native_size) == "the file is larger than is read here"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_a_file_cut_short_anywhere_is_refused(form: str) -> None:
    whole = encode(grey(24, 32), form)
    # The last four bytes of a PNG are the checksum of a chunk that holds nothing.
    last = len(whole) - (4 if form == "PNG" else 1)
    for length in (*range(1, min(40, last)), *np.linspace(40, last - 1, 40, dtype=int).tolist()):
        said = reason(whole[:length])
        assert said in (EARLY, DAMAGED, FOREIGN), (length, said)


@pytest.mark.parametrize(("form", "said"), [("JPEG", EARLY), ("PNG", EARLY), ("BMP", EARLY)])
def test_a_file_cut_in_its_pixels_is_said_to_end_too_early(form: str, said: str) -> None:
    whole = encode(grey(200, 300), form)
    assert reason(whole[: len(whole) * 2 // 3]) == said


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "jpeg"])
def test_a_tiff_cut_in_its_strips_is_refused(compression: str | None) -> None:
    whole = bytearray(encode(grey(64, 64), "TIFF", compression=compression))
    head = struct.unpack_from("<I", whole, 4)[0]
    if head > 100:  # the directory lies behind the strips: the strips are overwritten instead
        whole[8:head] = bytes(head - 8)
        if compression is None:
            pytest.skip("raw strips of zeros are a film")
    else:
        whole = whole[: len(whole) // 2]
    assert reason(bytes(whole)) in (EARLY, DAMAGED)


@pytest.mark.parametrize("form", SIZED)
@pytest.mark.parametrize("size", [(16_385, 8), (8, 16_385), (16_384, 16_384), (10_001, 10_000)])
def test_huge_dimensions_are_refused_by_the_header_alone(form: str, size: tuple[int, int]) -> None:
    for read in (read_film, native_size):
        assert reason(SIZED[form](*size), read) == LARGE


@pytest.mark.parametrize("form", SIZED)
def test_a_header_that_claims_more_pixels_than_there_are_is_refused(form: str) -> None:
    assert reason(SIZED[form](9_000, 9_000)) in (EARLY, DAMAGED)


def test_a_jpeg_too_short_for_its_pixels_is_refused_and_the_flattest_is_read() -> None:
    assert reason(jpeg_of_size(2000, 2000)) == EARLY
    flat = encode(np.zeros((3000, 3000), np.uint8), "JPEG", optimize=True, quality=1)
    assert len(flat) < 40_000
    assert read_film(flat).pixels.max() <= 1
    progressive = encode(np.zeros((3000, 3000), np.uint8), "JPEG", progressive=True, quality=1)
    assert read_film(progressive).pixels.max() <= 1


def test_no_pixels_are_refused() -> None:
    assert reason(SIZED["PNG"](0, 5)) in (DAMAGED, "the image has no pixels")
    assert reason(jpeg_of_size(5, 0)) in (DAMAGED, "the image has no pixels")
    assert reason(bmp_of_size(0, 5)) in (DAMAGED, "the image has no pixels")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(form: str) -> None:
    frames = [Image.fromarray(grey(seed=n)) for n in range(3)]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:])
    assert reason(data) == SEVERAL == reason(data, native_size)


def test_a_colour_mode_without_grey_is_refused() -> None:
    lab = Image.fromarray(np.zeros((4, 4, 3), np.uint8), "LAB")
    assert reason(encode(lab, "TIFF")) == "the colour mode is not one that is read here"


def test_metadata_bombs_are_refused() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    profile = png_chunks(ihdr(4, 4), (b"iCCP", b"x\0\0" + bomb), (b"IEND", b""))
    assert reason(profile) == DAMAGED
    text = png_chunks(ihdr(4, 4), (b"zTXt", b"x\0\0" + bomb), (b"IEND", b""))
    assert reason(text) == DAMAGED
    many = tiff_of(*((tag, 1, 1 << 20, 8) for tag in range(1000, 1400)))
    assert reason(many + bytes(1 << 20)) == METADATA
    assert reason(tiff_of((700, 1, 1 << 40, 8), big=True) + bytes(64)) == METADATA
    below = tiff_of((34665, 4, 1, 26)) + tiff_of((1000, 1, 1 << 30, 8))[8:]
    assert reason(below) == METADATA
    exif = b"Exif\0\0" + tiff_of(*((tag, 1, 60_000, 8) for tag in range(1000, 2000)))
    assert reason(encode(grey(), "JPEG", exif=exif)) == METADATA


def test_a_png_of_endless_chunks_is_refused() -> None:
    chunk = (b"tEXt", b"")
    assert reason(png_chunks(ihdr(4, 4), *[chunk] * 200_001, (b"IEND", b""))) == METADATA


def test_joined_exif_segments_are_refused() -> None:
    plain = encode(grey(), "JPEG")
    block = b"Exif\0\0" + tiff_of((0x0112, 3, 1, 1))
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    assert read_film(plain[:2] + segment + plain[2:]).pixels.shape == (40, 60)
    assert reason(plain[:2] + segment * 2 + plain[2:]) == METADATA


def test_a_progressive_jpeg_of_endless_scans_is_refused() -> None:
    data = encode(grey(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scans = data[:last] + data[last:-2] * 300 + data[-2:]
    assert reason(scans) == "the JPEG has more scans than is read here"


def test_the_scans_of_a_large_jpeg_are_fewer() -> None:
    data = encode(np.zeros((8192, 8192), np.uint8), "JPEG", progressive=True, quality=1)
    last = data.rindex(b"\xff\xda")
    scans = data[:last] + data[last:-2] * 30 + data[-2:]
    assert reason(scans) == "the JPEG has more scans than is read here"


def test_tiles_larger_than_any_film_are_refused() -> None:
    tiles = tiff_of(
        (256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (277, 3, 1, 1), (322, 4, 1, 1 << 15), (323, 4, 1, 1 << 15), (324, 4, 1, 8), (325, 4, 1, 8),
    )  # fmt: skip
    with pytest.raises(UnreadableImage, match="TIFF tiles of 32768×32768 px"):
        read_film(tiles)


def test_jpeg_2000_of_tiny_tiles_or_precincts_is_refused() -> None:
    def codestream(tile: int, precinct: int) -> bytes:
        size = struct.pack(
            ">HHH8IHBBB", 0xFF51, 41, 0, 9000, 9000, 0, 0, tile, tile, 0, 0, 1, 7, 1, 1
        )
        style = struct.pack(">HHBBHBBBBBB", 0xFF52, 14, 1, 0, 1, 0, 1, 4, 4, 0, 1)
        return b"\xff\x4f" + size + style + bytes([precinct, precinct]) + b"\xff\x90"

    assert j2k_header(codestream(9000, 0x88)).height == 9000
    for tile, precinct in ((9000, 0x00), (1, 0x88)):
        with pytest.raises(UnreadableImage):
            j2k_header(codestream(tile, precinct))


def test_reasons_hold_nothing_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Jane Doe 1950.png"
    path.write_bytes(b"Jane Doe")
    with pytest.raises(UnreadableImage) as caught:
        read_film(path)
    assert "Jane" not in str(caught.value)


BOMBS = """
import resource, sys, zlib
sys.path.insert(0, {root!r})
from tests.imaging import test_read as t
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in ("test_metadata_bombs_are_refused", "test_tiles_larger_than_any_film_are_refused"):
    getattr(t, name)()
for form, make in t.SIZED.items():
    t.reason(make(16_384, 16_384))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) >> 10)
"""


def test_bombs_cost_no_memory() -> None:
    code = BOMBS.format(root=str(Path(__file__).parents[2]))
    done = python(code)
    assert done.returncode == 0, done.stderr
    # The tests themselves make 64 MB of zeros.
    assert int(done.stdout) < 120, done.stdout


# Properties


SEEDS = {
    "jpeg": encode(grey(), "JPEG", exif=oriented(6)),
    "progressive": encode(np.dstack([grey()] * 3), "JPEG", progressive=True),
    "png": encode(grey()),
    "alpha": encode(Image.fromarray(grey()).convert("RGBA"), exif=oriented(3)),
    "deep": encode(grey().astype(np.uint16) * 200),
    "tiff": encode(grey(), "TIFF", exif=oriented(8)),
    "lzw": encode(grey(), "TIFF", compression="tiff_lzw"),
    "bmp": encode(grey(), "BMP"),
    "webp": encode(grey(), "WEBP"),
}


@given(
    name=st.sampled_from(sorted(SEEDS)),
    cut=st.none() | st.integers(1, 4000),
    flips=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=6),
    early=st.booleans(),
)
def test_damage_of_any_kind_ends_in_a_film_or_in_unreadable_image(
    name: str, cut: int | None, flips: list[tuple[int, int]], early: bool
) -> None:
    data = bytearray(SEEDS[name])
    for at, value in flips:
        data[at % (min(len(data), 200) if early else len(data))] = value
    for read in (read_film, native_size):
        try:
            read(bytes(data[:cut]))
        except UnreadableImage as error:
            assert error.what


@given(
    values=st.lists(st.integers(0, 65_535), min_size=2, max_size=12),
)
def test_16_bit_stretching_is_the_formula_in_whole_numbers(values: list[int]) -> None:
    low, high = min(values), max(values)
    got = read_film(encode(np.array([values], np.uint16))).pixels[0].tolist()
    span = max(high - low, 1)
    exact = [(510 * (value - low) + span) // (2 * span) if high > low else 0 for value in values]
    assert got == exact


def test_a_png_with_its_orientation_behind_its_pixels_is_turned() -> None:
    whole = encode(grey(20, 30))
    exif = oriented(6).tobytes()[6:]
    late = struct.pack(">I", len(exif)) + b"eXIf" + exif
    late += struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    film = read_film(whole[:-12] + late + whole[-12:])
    assert (film.height, film.width) == film.pixels.shape == (30, 20)


def test_quiet_decoders_silences_and_puts_everything_back(capfd: pytest.CaptureFixture) -> None:
    before = logging.getLogger("pydicom").level
    with quiet_decoders():
        assert logging.getLogger("pydicom").level > logging.CRITICAL
        fax = bytearray(encode(Image.fromarray(grey()).convert("1"), "TIFF", compression="group4"))
        start = struct.unpack_from("<I", fax, 4)[0]
        fax[8 : min(start, len(fax))] = b"\x55" * (min(start, len(fax)) - 8)
        with contextlib.suppress(UnreadableImage):
            read_film(bytes(fax))
    assert logging.getLogger("pydicom").level == before
    assert capfd.readouterr().err == ""


def test_threads_read_what_one_alone_reads() -> None:
    files = [data for name, data in sorted(SEEDS.items())] * 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read_film, files))
    for film, data in zip(together, files, strict=True):
        alone = read_film(data)
        assert np.array_equal(film.pixels, alone.pixels) and film.facts == alone.facts


def test_text_chunks_do_no_harm() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a" * 5000, zip=True)
    assert np.array_equal(read_film(encode(grey(), pnginfo=info)).pixels, grey())
