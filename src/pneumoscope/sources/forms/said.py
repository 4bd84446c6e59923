"""What the user said of the data beside its name, as part of a fingerprint."""

from __future__ import annotations

import json

from pneumoscope.records import DataRequest


def told(request: DataRequest) -> str:
    """What the user said of classes, columns, readers and links; the same as ever for the first
    two alone."""
    said: dict[str, object] = {
        "classes": dict(request.classes),
        "columns": dict(request.columns),
    }
    if request.readers != "majority":
        said["readers"] = request.readers
    if request.links:
        said["links"] = [str(link) for link in request.links]
    return json.dumps(said, sort_keys=True)
