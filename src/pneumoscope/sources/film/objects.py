"""DICOM objects without pixels of a film: reports, presentation states, documents, waveforms. They
lie beside films in every export of an archive, and are no films that could not be read."""

from __future__ import annotations

import re
from pathlib import Path

_HEAD = 2048
_CLASS = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.(?:1\.1|34|38|39|43|44|45)\.[0-9.]+")
_KINDS = (
    ("1.1.88.59", "DICOM key object selections"),
    ("1.1.88.", "DICOM structured reports"),
    ("1.1.11.", "DICOM presentation states"),
    ("1.1.104.", "documents inside DICOM"),
    ("1.1.9.", "DICOM waveforms"),
    ("1.1.66", "DICOM raw data, registrations and segmentations"),
    ("1.1.67", "DICOM raw data, registrations and segmentations"),
    *((f"1.1.481.{n}", "DICOM objects of radiotherapy") for n in range(2, 10)),
    ("34.", "DICOM objects of radiotherapy"),
)
"""SOP classes (PS3.6, annex A) behind 1.2.840.10008.5.1.4 by how they begin."""


def object_kind(file: Path) -> str | None:
    """What a DICOM file without a film is, by the first SOP class that it names; None for a film,
    for any other file, and where it cannot be read."""
    try:
        with file.open("rb") as stream:
            found = _CLASS.search(stream.read(_HEAD))
    except OSError:
        return None
    if found is None:
        return None
    name = found[0].decode("ascii").removeprefix("1.2.840.10008.5.1.4.")
    return next((kind for start, kind in _KINDS if name.startswith(start)), None)
