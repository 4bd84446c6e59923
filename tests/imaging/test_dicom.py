"""DICOM pixels against values worked out by hand, pydicom's functions, and its own test files."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from tests.helpers.dicom import dataset, dicom, file_of, jpeg, jpeg_dicom, lut, rle_dicom

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.dicom.grey import Window
from pneumoscope.imaging.read import native_size, quiet_decoders, read_film

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
RSNA = Path(__file__).parents[2].parent / "shared" / "data" / "rsna" / "stage_2_train_images"
DAMAGED, EARLY = "the image is damaged", "the file ends too early"
SEVERAL = "the file holds several frames"
CONTRADICTION = "the DICOM header contradicts itself"
NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_decoders():
        yield


def grey_of(*values: int, kind: type = np.uint16, **more: Any) -> list[int]:
    return read_film(dicom(np.array([values], kind), **more)).pixels[0].tolist()


def reason(file: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_film(file)
    return caught.value.what


def smooth(height: int = 96, width: int = 128, low: int = 20, high: int = 235) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.3 * np.sin(x / 9) + 0.2 * np.cos(y / 7)
    return np.rint(low + (high - low) * wave)


# Depth, sign, photometric interpretation and coding, each with each


DEPTHS = [(8, 8), (8, 6), (16, 8), (16, 10), (16, 12), (16, 15), (16, 16)]


@pytest.mark.parametrize("syntax", [*NATIVE, uid.RLELossless])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("allocated", "stored"), DEPTHS)
def test_the_whole_range_of_the_bits_becomes_0_to_255(
    syntax: str, signed: bool, photometric: str, allocated: int, stored: int
) -> None:
    low = -(1 << stored - 1) if signed else 0
    top = (1 << stored) - 1
    values = np.array([[low, low + top // 5, low + top // 3], [low + top - 1, low + top, low]])
    values = np.repeat(values, 2, axis=1)
    unused = ((1 << allocated) - 1) ^ top  # garbage in the bits that hold nothing
    patterns = (values & top | unused & 0xA5A5).astype(f"<u{allocated // 8}")
    ds = dataset(patterns, stored, PhotometricInterpretation=photometric)
    ds.PixelRepresentation = int(signed)
    share = (values - low) / top
    share = 1 - share if photometric == "MONOCHROME1" else share
    film = read_film(rle_dicom(ds) if syntax == uid.RLELossless else file_of(ds, syntax))
    assert film.pixels.tolist() == np.floor(share * 255 + 0.5).astype(int).tolist()
    assert film.facts["mode"] == photometric


def test_the_stored_bits_may_lie_anywhere_below_the_high_bit() -> None:
    shifted = np.array([[0, 51, 255]], np.uint16) << 4 | 0xA00A
    assert read_film(dicom(shifted, stored=8, HighBit=11)).pixels.tolist() == [[0, 51, 255]]


def test_8_bit_pixels_written_as_big_endian_words_are_put_in_order() -> None:
    ds = dataset(np.array([[1, 2, 3]], np.uint8))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    ds.PixelData = bytes([2, 1, 0, 3])
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    assert read_film(out.getvalue()).pixels.tolist() == [[1, 2, 3]]


def test_8_bits_without_a_window_are_display_values_already() -> None:
    assert grey_of(40, 50, 60, kind=np.uint8) == [40, 50, 60]
    assert grey_of(40, 50, 60, kind=np.uint8, PhotometricInterpretation="MONOCHROME1") == [
        215,
        205,
        195,
    ]


def test_deeper_films_without_a_window_are_stretched_over_their_own_range() -> None:
    assert grey_of(1000, 1500, 2000, 3000) == [0, 64, 128, 255]
    assert grey_of(7, 7, 7) == [0, 0, 0]
    assert grey_of(7, 7, PhotometricInterpretation="MONOCHROME1") == [0, 0]


# Modality and VOI, worked out by hand from PS3.3 C.11


def windowed(centre: float, width: float, function: str | None, *values: int) -> list[int]:
    more = {} if function is None else {"VOILUTFunction": function}
    return grey_of(*values, kind=np.int16, WindowCenter=centre, WindowWidth=width, **more)


@pytest.mark.parametrize("function", [None, "LINEAR"])
def test_linear_windows(function: str | None) -> None:
    # The standard's own example: c 2048, w 4096 maps 0 to 0 and 4095 to the top;
    # ((2048 - 2047.5) / 4095 + .5) × 255 = 127.53.
    got = windowed(2048, 4096, function, -9, 0, 1024, 2048, 4095, 5000)
    assert got == [0, 0, 64, 128, 255, 255]
    # c 100, w 1 is a threshold: 0 up to 99.5, the top above it.
    values = np.array([98.0, 99, 100, 101])
    assert Window(100, 1)(values).tolist() == [0, 0, 1, 1]
    # c 100, w 2: 0 up to 99, the top above 100, ((x - 99.5) / 1 + .5) × 255 between.
    assert Window(100, 2)(values).tolist() == [0, 0, 1, 1]
    # c 0, w 100: ((-20 + .5) / 99 + .5) × 255 = 77.27
    assert windowed(0, 100, function, -50, -20, 49) == [0, 77, 255]


def test_linear_exact_windows() -> None:
    # (x - 100) / 200 + .5: 50 gives .25 × 255 = 63.75, 100 gives 127.5, 199 gives 253.7.
    got = windowed(100, 200, "LINEAR_EXACT", -1, 0, 50, 100, 199, 200, 201)
    assert got == [0, 0, 64, 128, 254, 255, 255]
    assert windowed(100, 0.5, "LINEAR_EXACT", 99, 100, 101) == [0, 128, 255]


def test_sigmoid_windows() -> None:
    # 255 / (1 + exp(-4 (x - 100) / 200)): e = 2.71828 at 50 and 150, so 68.58 and 186.42.
    assert windowed(100, 200, "SIGMOID", 50, 100, 150) == [69, 128, 186]
    assert windowed(0, 1, "SIGMOID", -32768, 0, 32767) == [0, 128, 255]


def test_inversion_comes_after_the_window() -> None:
    got = grey_of(
        0, 10, 20, WindowCenter=0, WindowWidth=40, VOILUTFunction="LINEAR_EXACT",
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    # 255 - .5 × 255, 255 - .75 × 255, and 0: were it before, the window would see other values.
    assert got == [128, 64, 0]


def test_presentation_lut_shape_does_not_invert_a_second_time() -> None:
    more = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
    assert grey_of(0, 4095, **more) == [255, 0]


def test_the_first_of_several_windows_counts() -> None:
    got = grey_of(
        0, 50, 100, WindowCenter=[50, 9], WindowWidth=[100, 1], VOILUTFunction="LINEAR_EXACT"
    )
    assert got == [0, 128, 255]


@pytest.mark.parametrize(("width", "function"), [(0, "LINEAR"), (0.5, "LINEAR"), (-5, "SIGMOID")])
def test_a_window_whose_width_cannot_be_is_passed_over(width: float, function: str) -> None:
    assert windowed(50, width, function, 0, 50, 100) == [0, 128, 255]


def test_rescale_comes_before_the_window() -> None:
    got = grey_of(
        0, 1024, 2048, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=1024,
        WindowWidth=4096, VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    # -1024, 1024, 3072
    assert got == [0, 128, 255]


def test_a_negative_slope_inverts() -> None:
    assert grey_of(0, 55, 255, kind=np.uint8, RescaleSlope=-1, RescaleIntercept=255) == [
        255,
        200,
        0,
    ]
    assert grey_of(0, 1000, 4000, RescaleSlope=-1, RescaleIntercept=0) == [255, 191, 0]


CODINGS = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian]


@pytest.mark.parametrize("syntax", CODINGS)
@pytest.mark.parametrize("undefined", [False, True])
def test_a_voi_lut_goes_before_a_window_and_over_its_own_bits(syntax: str, undefined: bool) -> None:
    ds = dataset(np.array([[0, 9, 10, 11, 12, 13, 99]], np.uint16), WindowCenter=5, WindowWidth=2)
    ds.VOILUTSequence = lut(10, [0, 511, 1023, 256], bits=10)
    ds["VOILUTSequence"].is_undefined_length = undefined
    ds.VOILUTSequence[0].is_undefined_length_sequence_item = undefined
    # Below the first input its entry, above the last input the last; 511 / 1023 × 255 = 127.4.
    assert read_film(file_of(ds, syntax)).pixels.tolist() == [[0, 0, 0, 127, 255, 64, 64]]


@pytest.mark.parametrize("syntax", CODINGS)
def test_a_modality_lut_goes_before_the_window(syntax: str) -> None:
    ds = dataset(np.array([[0, 1, 2, 3]], np.uint16), RescaleSlope=9, RescaleIntercept=9)
    ds.ModalityLUTSequence = lut(0, [0, 100, 300, 200])
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 150, 300, "LINEAR_EXACT"
    assert read_film(file_of(ds, syntax)).pixels.tolist() == [[0, 85, 255, 170]]


@pytest.mark.parametrize("syntax", CODINGS)
def test_the_first_input_of_a_table_may_be_negative(syntax: str) -> None:
    ds = dataset(np.array([[-5, -3, -2, -1, 5]], np.int16))
    ds.ModalityLUTSequence = lut(-3, [0, 50, 100], signed=True)
    assert read_film(file_of(ds, syntax)).pixels.tolist() == [[0, 0, 128, 255, 255]]


def test_0_entries_mean_65536() -> None:
    ds = dataset(np.array([[0, 32768, 65535]], np.uint16))
    ds.VOILUTSequence = lut(0, list(range(65_536)))
    assert ds.VOILUTSequence[0].LUTDescriptor[0] == 0
    assert read_film(file_of(ds)).pixels.tolist() == [[0, 128, 255]]


def test_8_bit_tables_may_be_packed_in_bytes() -> None:
    ds = dataset(np.array([[0, 1, 2, 3]], np.uint16))
    ds.VOILUTSequence = lut(0, [0, 0, 0, 0], bits=8)
    ds.VOILUTSequence[0].LUTData = bytes([0, 10, 200, 255])
    assert read_film(file_of(ds)).pixels.tolist() == [[0, 10, 200, 255]]


def test_padding_is_air_and_outside_the_range() -> None:
    assert grey_of(1000, 2000, 3000, 65_535, PixelPaddingValue=65_535) == [0, 128, 255, 0]
    more = {"PixelPaddingValue": 0, "PhotometricInterpretation": "MONOCHROME1"}
    assert grey_of(0, 1000, 2000, 3000, **more) == [0, 255, 128, 0]
    got = grey_of(100, 150, 200, 1000, 2000, PixelPaddingValue=200, PixelPaddingRangeLimit=100)
    assert got == [0, 0, 0, 0, 255]
    assert grey_of(-2000, 0, 100, kind=np.int16, PixelPaddingValue=-2000) == [0, 0, 255]
    assert grey_of(10, 255, kind=np.uint8, PixelPaddingValue=255) == [10, 0]
    assert grey_of(5, 5, PixelPaddingValue=5) == [0, 0]


# pydicom's own functions as the oracle


@given(
    seed=st.integers(0, 1 << 30),
    centre=st.integers(-3000, 6000),
    width=st.integers(2, 9000),
    slope=st.sampled_from([1.0, 0.5, 2.25]),
    intercept=st.integers(-1024, 1024),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    signed=st.booleans(),
)
def test_windows_agree_with_pydicom(
    seed: int, centre: int, width: int, slope: float, intercept: int, function: str, signed: bool
) -> None:
    low = -2048 if signed else 0
    rng = np.random.default_rng(seed)
    values = rng.integers(low, low + 4096, (9, 12)).astype(np.int16 if signed else np.uint16)
    ds = dataset(
        values, 12, RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter=centre,
        WindowWidth=width, VOILUTFunction=function,
    )  # fmt: skip
    film = read_film(file_of(ds))
    if film.facts.get("window"):  # one that shows almost nothing: see below
        shown = film_share(values * slope + intercept, centre, width)
        assert ((shown > 0) & (shown < 1)).mean() < 0.15 or np.ptp(shown) < 0.15
        return
    # pydicom's output has the range of the modality values of all stored values.
    ends = [low * slope + intercept, (low + 4095) * slope + intercept]
    shown = apply_voi_lut(apply_modality_lut(values, ds), ds)
    expected = (shown - ends[0]) / (ends[1] - ends[0]) * 255
    assert np.abs(film.pixels - expected).max() <= 0.501


def film_share(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Where modality values lie in a window, roughly: 0 below it, 1 above."""
    return np.clip((values - centre) / max(width, 1) + 0.5, 0, 1)


RAMP = np.linspace(0, 4095, 4096).astype(np.uint16).reshape(64, 64)


@pytest.mark.parametrize(
    ("centre", "width", "passed"),
    [
        *((2048, 4096, False), (1000, 800, False), (1023, 2047, False), (3500, 1200, False)),
        *((127, 255, True), (32768, 65536, True), (0, 1, True), (-500, 100, True)),
        *((9000, 50, True), (2048, 2, True)),
    ],
)
def test_a_window_that_shows_almost_nothing_is_passed_over_and_said(
    centre: int, width: int, passed: bool
) -> None:
    film = read_film(dicom(RAMP, stored=12, WindowCenter=centre, WindowWidth=width))
    assert film.facts.get("window") == ("passed over" if passed else None)
    plain = read_film(dicom(RAMP, stored=12))
    assert np.array_equal(film.pixels, plain.pixels) == (passed or (centre, width) == (2048, 4096))


def test_a_table_that_shows_nothing_gives_way_to_the_window() -> None:
    white = lut(0, [65535] * 4096, 16)
    more = {"WindowCenter": 1000, "WindowWidth": 1600}
    film = read_film(dicom(RAMP, stored=12, VOILUTSequence=white, **more))
    windowed = read_film(dicom(RAMP, stored=12, **more))
    assert film.facts["window"] == "passed over" and "window" not in windowed.facts
    assert np.array_equal(film.pixels, windowed.pixels)


def test_a_film_of_one_value_keeps_its_window() -> None:
    flat = np.full((8, 8), 900, np.uint16)
    film = read_film(dicom(flat, stored=12, WindowCenter=900, WindowWidth=200))
    assert "window" not in film.facts and film.pixels[0, 0] == 128


def test_a_marker_far_above_the_film_does_not_squeeze_it() -> None:
    values = (RAMP // 2).astype(np.uint16)
    values[:3, :20] = 65535
    for film in (read_film(dicom(values)), read_film(png16(values))):
        assert len(np.unique(film.pixels)) > 200 and film.pixels[0, 0] == 255
    # Without one, a film is stretched over its whole range as ever.
    whole = read_film(png16(RAMP)).pixels
    assert (whole.min(), whole.max()) == (0, 255)


def png16(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("implicit", [True, False])
def test_a_file_without_preamble_is_read(implicit: bool) -> None:
    ds = dataset(RAMP, 12, PatientID="P7", ViewPosition="LL", BodyPartExamined="CHEST")
    ds.file_meta = FileMetaDataset()
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=False, implicit_vr=implicit, little_endian=True)
    bare = out.getvalue()
    assert b"DICM" not in bare[:200]
    film = read_film(bare)
    assert np.array_equal(film.pixels, read_film(file_of(dataset(RAMP, 12))).pixels)
    assert (film.patient_id, film.facts["view"], film.facts["body_part"]) == ("P7", "LL", "CHEST")
    assert native_size(bare) == (64, 64)


@given(st.binary(max_size=300), st.sampled_from([b"\x08\x00", b"\x02\x00"]))
def test_bytes_that_begin_like_a_data_set_are_refused_for_a_reason(
    rest: bytes, group: bytes
) -> None:
    with pytest.raises(UnreadableImage):
        read_film(group + rest)


@given(
    seed=st.integers(0, 1 << 30),
    first=st.integers(-50, 300),
    entries=st.integers(1, 400),
    bits=st.integers(10, 16),
    modality=st.booleans(),
)
def test_look_up_tables_agree_with_pydicom(
    seed: int, first: int, entries: int, bits: int, modality: bool
) -> None:
    bits = 16 if modality else bits  # the only ones of C.11.1.1.1 and of C.11.2.1.1
    rng = np.random.default_rng(seed)
    values = rng.integers(-100, 400, (9, 12)).astype(np.int16)
    table = lut(first, rng.integers(0, 1 << bits, entries).tolist(), bits, signed=True)
    if modality:
        # A window over all outputs, so that the range is known.
        ds = dataset(values, ModalityLUTSequence=table)
        file_of(ds)
        expected = apply_modality_lut(values, ds) / ((1 << bits) - 1) * 255
        ds.VOILUTFunction = "LINEAR_EXACT"
        ds.WindowCenter, ds.WindowWidth = ((1 << bits) - 1) / 2, (1 << bits) - 1
    else:
        ds = dataset(values, VOILUTSequence=table)
        file_of(ds)
        expected = apply_voi_lut(values, ds) / ((1 << bits) - 1) * 255
    film = read_film(file_of(ds))
    if film.facts.get("window"):
        inside = (expected > 0) & (expected < 255)
        spread = np.diff(np.quantile(expected, (0.01, 0.99), method="inverted_cdf"))
        assert inside.mean() < 0.15 or spread < 0.15 * 255
        return
    assert np.abs(film.pixels - expected).max() <= 0.501


# Colour


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)


@pytest.mark.parametrize("syntax", [*NATIVE, uid.RLELossless])
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_luma(syntax: str, planar: int) -> None:
    pixels = COLOURS.transpose(2, 0, 1).copy() if planar else COLOURS
    ds = dataset(COLOURS, PlanarConfiguration=planar, PixelData=pixels.tobytes())
    film = read_film(rle_dicom(ds) if syntax == uid.RLELossless else file_of(ds, syntax))
    assert film.pixels.tolist() == [[76, 150], [29, 255]] and film.facts["mode"] == "RGB"


def test_16_bit_rgb_keeps_the_whole_range_of_its_bits() -> None:
    deep = COLOURS.astype(np.uint16) * 257
    assert read_film(dicom(deep)).pixels.tolist() == [[76, 150], [29, 255]]


def test_ybr_full_has_its_luma_as_it_is() -> None:
    ybr = np.array([[[76, 85, 255], [150, 44, 21]]], np.uint8)
    got = read_film(dicom(ybr, PhotometricInterpretation="YBR_FULL")).pixels
    assert np.abs(got.astype(int) - [[76, 150]]).max() <= 1
    # Y1 Y2 Cb Cr: two pixels share one colour (C.7.6.3.1.2).
    ds = dataset(
        ybr, PhotometricInterpretation="YBR_FULL_422", PixelData=bytes([90, 200, 128, 128])
    )
    assert read_film(file_of(ds)).pixels.tolist() == [[90, 200]]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_agrees_with_pydicom(bits: int) -> None:
    rng = np.random.default_rng(3)
    ds = dataset(
        rng.integers(0, 256, (8, 8), dtype=np.uint8), PhotometricInterpretation="PALETTE COLOR"
    )
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [200, 10, bits])
        entries = rng.integers(0, 1 << bits, 200).astype(f"<u{bits // 8}")
        setattr(ds, f"{name}PaletteColorLookupTableData", entries.tobytes())
    data = file_of(ds)
    rgb = apply_color_lut(pydicom.dcmread(io.BytesIO(data)).pixel_array, ds)
    luma = rgb.astype(float) @ [0.299, 0.587, 0.114] / ((1 << bits) - 1) * 255
    assert np.abs(read_film(data).pixels - luma).max() <= 0.501


# Compressed


@pytest.mark.parametrize(("stored", "signed"), [(8, False), (12, False), (16, False), (16, True)])
def test_jpeg_2000_lossless_is_exact(stored: int, signed: bool) -> None:
    kind = np.dtype(f"{'i' if signed else 'u'}{1 if stored == 8 else 2}")
    low = -(1 << stored - 1) if signed else 0
    values = np.random.default_rng(0).integers(low, low + (1 << stored), (48, 40)).astype(kind)
    native = read_film(dicom(values, stored=stored))
    ds = dataset(values, stored)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.compress(uid.JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    assert np.array_equal(read_film(file_of(ds, uid.JPEG2000Lossless)).pixels, native.pixels)


def packed(native: bytes, syntax: uid.UID, folder: Path) -> bytes:
    """The file in another transfer syntax, by GDCM's own encoders."""
    gdcm = pytest.importorskip("gdcm")
    (folder / "native.dcm").write_bytes(native)
    reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
    reader.SetFileName(str(folder / "native.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(folder / "packed.dcm"))
    assert writer.Write()
    data = (folder / "packed.dcm").read_bytes()
    assert pydicom.dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID == syntax
    return data


@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless])
@pytest.mark.parametrize(("stored", "signed"), [(8, False), (12, False), (16, False), (16, True)])
def test_lossless_jpeg_and_jpeg_ls_are_exact(
    syntax: uid.UID, stored: int, signed: bool, tmp_path: Path
) -> None:
    kind = np.dtype(f"{'i' if signed else 'u'}{1 if stored == 8 else 2}")
    low = -(1 << stored - 1) if signed else 0
    values = np.random.default_rng(0).integers(low, low + (1 << stored), (48, 40)).astype(kind)
    native = dicom(values, stored=stored)
    data = packed(native, syntax, tmp_path)
    assert np.array_equal(read_film(data).pixels, read_film(native).pixels)


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_a_lossless_jpeg_whose_header_would_end_the_process_is_refused(
    depth: int, tmp_path: Path
) -> None:
    kind = np.uint8 if depth == 8 else np.uint16
    native = dicom(smooth().astype(kind), stored=depth)
    whole = packed(native, uid.JPEGLosslessSV1, tmp_path)
    table = whole.rindex(b"\xff\xc4")
    for at, value in ((table, 0), (table + 3, whole[table + 3] - 3), (table + 1, 0xD7)):
        broken = bytearray(whole)
        broken[at] = value
        assert reason(bytes(broken)) == DAMAGED
    start = whole.rindex(b"\xff\xd8\xff\xc3") + 2
    for segment in (
        b"\xff\xe0\0\x10JFIF\0\7" + bytes(8),
        b"\xff\xee\0\x0eAdobe" + bytes(6) + b"\2",
    ):
        odd = bytearray(whole[:start] + segment + whole[start:])
        # The fragment has grown by the segment.
        length = whole.rindex(b"\xfe\xff\x00\xe0", 0, start) + 4
        size = struct.unpack_from("<I", odd, length)[0]
        struct.pack_into("<I", odd, length, size + len(segment))
        assert reason(bytes(odd)) == DAMAGED


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_jpeg_baseline_without_a_window_is_reduced_while_it_is_decoded(photometric: str) -> None:
    pixels = smooth(400, 600).astype(np.uint8)
    data = jpeg_dicom(pixels, PhotometricInterpretation=photometric)
    with Image.open(io.BytesIO(jpeg(pixels))) as image:
        expected = np.asarray(image) if photometric == "MONOCHROME2" else 255 - np.asarray(image)
    assert np.array_equal(read_film(data).pixels, expected)
    film = read_film(data, 50)
    assert film.pixels.shape == (100, 150) and (film.height, film.width) == (400, 600)
    blocks = expected.reshape(100, 4, 150, 4).mean(axis=(1, 3))
    assert np.abs(film.pixels - blocks).mean() < 1


def test_jpeg_baseline_with_a_window_that_clips_is_decoded_in_full() -> None:
    data = jpeg_dicom(smooth(400, 600).astype(np.uint8), WindowCenter=128, WindowWidth=60)
    assert read_film(data, 50).pixels.shape == (400, 600)


def test_jpeg_baseline_agrees_with_its_table_on_the_slow_path() -> None:
    pixels = smooth().astype(np.uint8)
    fast = read_film(jpeg_dicom(pixels)).pixels
    # The identity as a window, which takes the table's way through all values.
    same = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    assert np.array_equal(read_film(jpeg_dicom(pixels, **same)).pixels, fast)
    slow = read_film(jpeg_dicom(pixels, WindowCenter=128, WindowWidth=256, RescaleSlope=1.0001))
    assert np.abs(slow.pixels.astype(int) - fast).max() <= 1


def test_a_frame_in_several_fragments_is_put_together() -> None:
    pixels = smooth().astype(np.uint8)
    ds = dataset(pixels)
    ds.PixelData = encapsulate([jpeg(pixels)], fragments_per_frame=4)
    assert np.array_equal(
        read_film(file_of(ds, uid.JPEGBaseline8Bit)).pixels, read_film(jpeg_dicom(pixels)).pixels
    )


# pydicom's own files

READ = {
    "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "MR_small.dcm", "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    "examples_overlay.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm", "GDCMJ2K_TextGBR.dcm",
    "SC_jpeg_no_color_transform.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_gdcm_KY.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_jpeg2k.dcm",
    "examples_rgb_color.dcm",
}  # fmt: skip
REFUSED = {
    "JPEG-lossy.dcm": "there is no free decoder for JPEG Extended of 12 bits",
    "JPGExtended.dcm": "there is no free decoder for JPEG Extended of 12 bits",
    "JPEG2000-embedded-sequence-delimiter.dcm": DAMAGED,
    "MR_truncated.dcm": EARLY,
    "SC_rgb_rle_2frame.dcm": SEVERAL,
    "SC_rgb_rle_32bit.dcm": "the DICOM pixels have a depth that is not read here",
    "UN_sequence.dcm": "the DICOM file holds no pixel data",
    "badVR.dcm": "a number of the DICOM header is none",
    "examples_ybr_color.dcm": SEVERAL,
    "liver_1frame.dcm": "the DICOM pixels have a depth that is not read here",
    "meta_missing_tsyntax.dcm": "the DICOM file names no transfer syntax",
    "no_meta.dcm": "the file is no image that is read here",
    "priv_SQ.dcm": "the DICOM file holds no pixel data",
    "reportsi.dcm": "the DICOM file holds no pixel data",
    "rtdose.dcm": SEVERAL,
    "rtplan_truncated.dcm": EARLY,
    "test-SR.dcm": "the DICOM file holds no pixel data",
    "waveform_ecg.dcm": "the DICOM file holds no pixel data",
}


@pytest.mark.parametrize("name", sorted(READ))
def test_pydicoms_files_come_out_as_by_pydicom(name: str) -> None:
    path = FILES / name
    if not path.is_file():
        pytest.skip("not among the files that this pydicom ships")
    film, ds = read_film(path), pydicom.dcmread(path)
    pixels, top = ds.pixel_array, (1 << ds.BitsStored) - 1
    assert native_size(path) == film.pixels.shape == (ds.Rows, ds.Columns)
    if ds.SamplesPerPixel == 3:
        expected = pixels.astype(float) @ [0.299, 0.587, 0.114] / top * 255
    else:
        slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
        values = apply_voi_lut(apply_modality_lut(pixels, ds), ds).astype(float)
        ends = (float(values.min()), float(values.max()))
        if "WindowWidth" in ds:
            low = -(top + 1) / 2 if ds.PixelRepresentation else 0
            ends = (low * slope + intercept, (low + top) * slope + intercept)
        elif ds.BitsStored <= 8:
            ends = (0.0, float(top))
        expected = (values - ends[0]) / (ends[1] - ends[0]) * 255
    assert np.abs(film.pixels - expected).max() <= 0.51


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_pydicoms_files_that_are_no_single_film_are_refused_for_a_reason(name: str) -> None:
    if not (FILES / name).is_file():
        pytest.skip("not among the files that this pydicom ships")
    assert reason((FILES / name).read_bytes()) == REFUSED[name]


@pytest.mark.skipif(not RSNA.is_dir(), reason="no ../shared/data/rsna beside the checkout")
def test_a_real_rsna_file_is_its_pixel_array() -> None:
    path = next(RSNA.glob("*.dcm"))
    film, ds = read_film(path), pydicom.dcmread(path)
    assert np.array_equal(film.pixels, ds.pixel_array)
    assert film.patient_id == path.stem
    assert film.facts == {
        "mode": "MONOCHROME2", "format": "DICOM", "view": "PA", "sex": "M", "modality": "CR",
        "body_part": "CHEST", "age": 62.0, "bytes": path.stat().st_size,
    }  # fmt: skip
    assert read_film(path, 224).pixels.shape == (512, 512)


# Facts


PLAIN = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    ("age", "years"),
    [("045Y", 45.0), ("006M", 0.5), ("012W", 0.23), ("003D", 0.008), ("62", 62.0), ("151", None),
     ("", None), ("old", None), ("999Y", None)],
)  # fmt: skip
def test_age_is_in_years_and_only_where_sane(age: str, years: float | None) -> None:
    assert read_film(dicom(PLAIN, PatientAge=age)).facts.get("age") == years


def test_facts_and_patient_and_nothing_else_that_identifies() -> None:
    film = read_film(
        dicom(
            PLAIN, PatientID=" A-17 ", PatientBirthDate="19500102", StudyDate="20200304",
            InstitutionName="St Mary", PatientSex="f", ViewPosition="ap", Modality="DX",
        )
    )  # fmt: skip
    facts = dict(film.facts)
    del facts["bytes"]
    assert facts == {
        "mode": "MONOCHROME2", "format": "DICOM", "view": "AP", "sex": "F", "modality": "DX"
    }  # fmt: skip
    assert film.patient_id == "A-17"
    for private in ("Doe", "1950", "2020", "Mary"):
        assert private not in repr(film)


def test_what_is_not_sane_is_left_out() -> None:
    film = read_film(dicom(PLAIN, PatientID="", PatientSex="?", ViewPosition="a;b", Modality=""))
    assert film.patient_id is None
    assert set(film.facts) == {"mode", "format", "bytes"}


@pytest.mark.parametrize("word", ["ANONYMOUS", "Anonymized", "unknown", "0000", "N/A", "No ID"])
def test_a_word_for_nobody_is_no_patient(word: str) -> None:
    assert read_film(dicom(PLAIN, PatientID=word)).patient_id is None
    assert read_film(dicom(PLAIN, PatientID=f"{word}-7")).patient_id == f"{word}-7"


def test_a_patient_id_in_another_alphabet_is_decoded() -> None:
    data = dicom(PLAIN, SpecificCharacterSet="ISO_IR 192", PatientID="胸-1")
    assert read_film(data).patient_id == "胸-1"


# What is refused, each with its reason


def without(name: str) -> bytes:
    return dicom(PLAIN, **{name: None})


WRONG = {
    "no pixel data": (lambda: without("PixelData"), "the DICOM file holds no pixel data"),
    "no rows": (lambda: without("Rows"), "the DICOM header lacks what its pixels need"),
    "no columns": (lambda: without("Columns"), "the DICOM header lacks what its pixels need"),
    "no bits": (lambda: without("BitsAllocated"), "the DICOM header lacks what its pixels need"),
    "zero rows": (lambda: dicom(PLAIN, Rows=0), "the image has no pixels"),
    "too wide": (lambda: dicom(PLAIN, Columns=16_385), "the image is larger than is read here"),
    "too many": (
        lambda: dicom(PLAIN, Rows=16_000, Columns=16_000),
        "the image is larger than is read here",
    ),
    "more rows than pixels": (
        lambda: dicom(PLAIN, Rows=9000, Columns=9000),
        "the DICOM pixel data are shorter than rows × columns need",
    ),
    "frames": (lambda: dicom(PLAIN, NumberOfFrames=2), SEVERAL),
    "no frames": (lambda: dicom(PLAIN, NumberOfFrames=0), "the DICOM file holds no frame"),
    "2 samples": (lambda: dicom(PLAIN, SamplesPerPixel=2), CONTRADICTION),
    "grey RGB": (lambda: dicom(PLAIN, PhotometricInterpretation="RGB"), CONTRADICTION),
    "1 bit": (
        lambda: dicom(PLAIN, BitsAllocated=1, BitsStored=1, HighBit=0),
        "the DICOM pixels have a depth that is not read here",
    ),
    "12 bits": (
        lambda: dicom(PLAIN, BitsAllocated=12, BitsStored=12, HighBit=11),
        "the DICOM pixels have a depth that is not read here",
    ),
    "32 bits": (
        lambda: dicom(np.zeros((4, 4), np.uint32)),
        "the DICOM pixels have a depth that is not read here",
    ),
    "stored beyond allocated": (lambda: dicom(PLAIN, BitsStored=12), CONTRADICTION),
    "high bit below": (lambda: dicom(PLAIN, HighBit=3), CONTRADICTION),
    "unknown photometric": (
        lambda: dicom(PLAIN, PhotometricInterpretation="HSV"),
        "the photometric interpretation is not one that is read here",
    ),
    "unknown function": (
        lambda: dicom(PLAIN, WindowCenter=1, WindowWidth=2, VOILUTFunction="CUBIC"),
        "the VOI LUT function is not one that is read here",
    ),
    "slope of 0": (lambda: dicom(PLAIN, RescaleSlope=0, RescaleIntercept=5), CONTRADICTION),
    "boundless slope": (
        lambda: dicom(PLAIN, RescaleSlope="1E308", RescaleIntercept=0),
        "a number of the DICOM header is none",
    ),
    "boundless window": (
        lambda: dicom(PLAIN, WindowCenter="1E308", WindowWidth=9),
        "a number of the DICOM header is none",
    ),
    "no palette": (
        lambda: dicom(PLAIN, PhotometricInterpretation="PALETTE COLOR"),
        "the DICOM file has no colour palette, or a segmented one",
    ),
    "short table": (
        lambda: dicom(PLAIN, VOILUTSequence=lut(0, [1, 2, 3], LUTData=b"\0\0")),
        "a look-up table of the DICOM file is cut short",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_for_its_reason(name: str) -> None:
    make, said = WRONG[name]
    assert reason(make()) == said


def test_float_pixels_are_refused() -> None:
    ds = dataset(np.zeros((4, 4), np.uint16), PixelData=None)
    ds.FloatPixelData = bytes(64)
    assert reason(file_of(ds)) == "the DICOM file holds floating-point pixels, not read here"


def test_a_syntax_without_a_decoder_is_refused_by_name() -> None:
    ds = dataset(PLAIN)
    ds.PixelData = encapsulate([b"\0\0\1\xb3" * 4])
    with pytest.raises(UnreadableImage) as caught:
        read_film(file_of(ds, uid.MPEG2MPML))
    assert caught.value.what == "the DICOM transfer syntax is not one that is read here"
    assert caught.value.got == uid.MPEG2MPML.name


def test_a_frame_of_another_size_than_the_header_says_is_refused() -> None:
    pixels = smooth().astype(np.uint8)
    said = "the compressed pixels have another size than the DICOM header says"
    assert reason(jpeg_dicom(pixels, Rows=95)) == said
    ds = dataset(pixels)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.compress(uid.JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    ds.Columns = 127
    assert reason(file_of(ds, uid.JPEG2000Lossless)) == said


def test_frames_that_the_header_does_not_count_are_refused() -> None:
    pixels = smooth().astype(np.uint8)
    for offsets in (False, True):
        ds = dataset(pixels)
        ds.PixelData = encapsulate([jpeg(pixels)] * 2, has_bot=offsets)
        assert reason(file_of(ds, uid.JPEGBaseline8Bit)) == SEVERAL
    ds.PixelData = encapsulate([jpeg(pixels), b"a frame of another kind "])
    assert reason(file_of(ds, uid.JPEGBaseline8Bit)) == SEVERAL


def test_broken_encapsulation_is_refused() -> None:
    ds = dataset(smooth().astype(np.uint8))
    ds.PixelData = encapsulate([jpeg(smooth().astype(np.uint8))], has_bot=False)
    ds["PixelData"].VR = "OB"
    whole = file_of(ds, uid.JPEGBaseline8Bit)
    start = whole.index(b"\xfe\xff\x00\xe0", whole.index(b"\xe0\x7f\x10\x00OB"))
    assert reason(whole[:start] + b"\x12" + whole[start + 1 :]) == DAMAGED
    for length, said in (
        (0x7FFFFFFF, "the compressed pixels are larger than uncompressed ones"),
        (len(whole), EARLY),
        (0xFFFFFFFF, DAMAGED),
    ):
        lying = whole[: start + 12] + struct.pack("<I", length) + whole[start + 16 :]
        assert reason(lying) == said
    empty = whole[:start] + struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0)
    assert reason(empty) == "the DICOM file holds no pixel data"


def test_a_deflated_bomb_is_refused() -> None:
    head = dicom(PLAIN, uid.DeflatedExplicitVRLittleEndian)
    meta = 132 + 12 + struct.unpack_from("<I", head, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(bytes(1 << 24)) for _ in range(20)]
    bomb = head[:meta] + b"".join(parts) + packer.flush()
    assert len(bomb) < 1 << 20
    assert reason(bomb) == "the deflated data set is larger than is read here"


@pytest.mark.parametrize("depth", [200, 20_000])
def test_deeply_nested_sequences_are_gone_round(depth: int) -> None:
    # A private sequence of undefined length whose items hold another, and so on.
    whole = dicom(PLAIN)
    at = whole.index(b"\x28\x00\x02\x00US")
    opened = b"\x09\x00\x01\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth
    assert read_film(whole[:at] + opened + closed + whole[at:]).pixels.shape == (8, 8)
    assert reason(whole[:at] + opened + whole[at:]) in (EARLY, DAMAGED)


def test_a_header_of_megabytes_is_refused() -> None:
    whole = dicom(PLAIN)
    at = whole.index(b"\x28\x00\x02\x00US")
    private = b"\x09\x00\x01\x10UN\0\0" + struct.pack("<I", 17 << 20) + bytes(17 << 20)
    said = "the DICOM header is longer than is read here"
    assert reason(whole[:at] + private + whole[at:]) == said


def test_lying_lengths_end_the_reading() -> None:
    whole = dicom(PLAIN)
    at = whole.index(b"\x28\x00\x02\x00US")
    for length in (0x7FFFFFFF, 0xFFFFFFFE):
        lie = b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", length)
        assert reason(whole[:at] + lie + whole[at:]) == EARLY


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("MR_small_RLE.dcm", 146),
        ("MR_small_jpeg_ls_lossless.dcm", 146),
        ("MR_small_jp2klossless.dcm", 146),
        ("image_dfl.dcm", 8),
        ("MR_small_implicit.dcm", 138),
        ("SC_rgb_jpeg_gdcm.dcm", 8),
    ],
)
def test_a_file_cut_short_is_refused(name: str, behind: int) -> None:
    whole = (FILES / name).read_bytes()
    # Behind its pixels a file may have padding, and a delimiter that nothing follows.
    for length in np.linspace(1, len(whole) - behind - 1, 60, dtype=int).tolist():
        assert reason(whole[:length])


SEEDS = [
    (FILES / name).read_bytes()
    for name in (
        "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm",
        "MR_small_bigendian.dcm", "examples_palette.dcm", "image_dfl.dcm", "SC_rgb_jpeg_dcmtk.dcm",
    )
    if (FILES / name).is_file()
]  # fmt: skip


@given(
    seed=st.sampled_from(range(len(SEEDS))),
    cut=st.none() | st.integers(1, 9000),
    flips=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=6),
)
def test_damage_of_any_kind_ends_in_a_film_or_in_unreadable_image(
    seed: int, cut: int | None, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(SEEDS[seed])
    for at, value in flips:
        data[at % min(len(data), 3000)] = value
    for read, side in itertools.product((read_film,), (0, 16)):
        try:
            read(bytes(data[:cut]), side)
        except UnreadableImage as error:
            assert error.what
