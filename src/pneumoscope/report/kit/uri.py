"""Data URIs of pictures, so that a page holds all it shows."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_uri(picture: Image.Image, *, lossless: bool = False, quality: int = 80) -> str:
    """The picture as JPEG, or as PNG where it must be exact or that is smaller."""
    out = io.BytesIO()
    if lossless:
        picture.save(out, "PNG", optimize=True)
    else:
        picture.save(out, "JPEG", quality=quality, optimize=True)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
