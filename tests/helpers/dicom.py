"""DICOM files made by hand: data sets, transfer syntaxes, look-up tables."""

import io
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

NAME, PATIENT, BIRTH = "Doe^Jane", "MRN-4711", "19991231"


def dataset(pixels: np.ndarray, stored: int = 0, **attributes: Any) -> Dataset:
    """A data set with the array's values as native pixels; attributes given replace or add."""
    ds = Dataset()
    ds.SOPClassUID = uid.SecondaryCaptureImageStorage
    ds.SOPInstanceUID = "1.2.3"
    ds.PatientName = "Doe^Jane"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    ds.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    ds["PixelData"].VR = "OW"
    for name, value in attributes.items():
        if value is None:
            del ds[name]
        else:
            setattr(ds, name, value)
    return ds


def file_of(ds: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    out = io.BytesIO()
    if syntax == uid.ExplicitVRBigEndian and ds.BitsAllocated == 16:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
    elif syntax == uid.ExplicitVRBigEndian:
        ds["PixelData"].VR = "OB"
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def dicom(pixels: np.ndarray, syntax: str = uid.ExplicitVRLittleEndian, **more: Any) -> bytes:
    return file_of(dataset(pixels, **more), syntax)


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **({"quality": 95} | options))
    return out.getvalue()


def jpeg_dicom(pixels: np.ndarray, **more: Any) -> bytes:
    ds = dataset(pixels, **more)
    ds.PixelData = encapsulate([jpeg(pixels)])
    ds["PixelData"].VR = "OB"
    return file_of(ds, uid.JPEGBaseline8Bit)


def rle_dicom(ds: Dataset) -> bytes:
    """The data set in RLE Lossless: a segment for each byte of each sample, runs of literals."""
    width = ds.BitsAllocated // 8
    shape = (ds.Rows * ds.Columns, ds.SamplesPerPixel, width)
    data = np.frombuffer(ds.PixelData, np.uint8)[: np.prod(shape)]
    if ds.get("PlanarConfiguration"):
        data = data.reshape(shape[1], shape[0], width).transpose(1, 0, 2)
    segments = []
    for sample, byte in itertools.product(range(shape[1]), reversed(range(width))):
        plane = data.reshape(shape)[:, sample, byte].tobytes()
        runs = (plane[at : at + 128] for at in range(0, len(plane), 128))
        segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
        segments.append(segment + bytes(len(segment) % 2))
    starts = itertools.accumulate((len(segment) for segment in segments), initial=64)
    head = [len(segments), *list(starts)[:-1]]
    head += [0] * (16 - len(head))
    ds.PixelData = encapsulate([struct.pack("<16I", *head) + b"".join(segments)])
    return file_of(ds, uid.RLELossless)


def lut(first: int, data: list[int], bits: int = 16, signed: bool = False, **more: Any) -> Sequence:
    item = Dataset()
    vr = "SS" if signed else "US"
    item.add_new(0x00283002, vr, [len(data) & 0xFFFF if not signed else len(data), first, bits])
    item.add_new(0x00283006, "OW", np.array(data, "<u2").tobytes())
    for name, value in more.items():
        setattr(item, name, value)
    return Sequence([item])


def save_dicom(path: Path, pixels: np.ndarray, **attributes: object) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, "1.2.3"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, PATIENT, BIRTH
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = pixels.tobytes() + bytes(pixels.size % 2)
    ds["PixelData"].VR = "OB"
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
