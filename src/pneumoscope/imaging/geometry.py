"""From any film to the square that is stored: the only place that resizes before the network.

Training, evaluation and use all pass through ``fit_square``; the network's own first layer then
goes from the stored to the network size. So no two paths can disagree.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.records import Grey, InputSpec

BoxList = Iterable[tuple[float, float, float, float]]


def fit_square(image: Grey, spec: InputSpec) -> Grey:
    """Uint8 (H, W) to uint8 (stored, stored), 0–255, air dark; antialiased when shrinking.

    ``squash`` changes the aspect ratio, ``pad`` adds black (air) on both sides, ``crop`` keeps
    the centre. An image that already has the size is returned as it is.
    """
    side = spec.stored
    if image.shape == (side, side):
        return image
    if spec.fit == "pad":
        image = _pad_square(image)
    elif spec.fit == "crop":
        image = _crop_square(image)
    return _resize(image, side)


def fit_square_mask(mask: NDArray[np.bool_], spec: InputSpec) -> NDArray[np.bool_]:
    """Bool (H, W) to bool (stored, stored) by the same path as the image; true above half."""
    return fit_square(mask.astype(np.uint8) * np.uint8(255), spec) >= 128


def fit_boxes(
    boxes: BoxList, size: tuple[int, int], spec: InputSpec
) -> tuple[tuple[float, float, float, float], ...]:
    """Boxes (x, y, width, height), origin top left, from native pixels to those of the square
    that ``fit_square`` makes of a film of ``size`` (height, width).

    What ``crop`` cuts off is cut off the box; a box that lies outside is left out.
    """
    height, width = size
    down, right = spec.stored / height, spec.stored / width
    top = left = 0.0
    if spec.fit != "squash":
        side = max(size) if spec.fit == "pad" else min(size)
        down = right = spec.stored / side
        # Whole pixels, as _pad_square and _crop_square take them; negative where air is added.
        sign = -1 if spec.fit == "pad" else 1
        top, left = sign * (abs(side - height) // 2), sign * (abs(side - width) // 2)
    fitted = []
    for x, y, w, h in boxes:
        x0, x1 = (_held((at - left) * right, spec.stored) for at in (x, x + w))
        y0, y1 = (_held((at - top) * down, spec.stored) for at in (y, y + h))
        if x1 > x0 and y1 > y0:
            fitted.append((x0, y0, x1 - x0, y1 - y0))
    return tuple(fitted)


def _held(at: float, side: int) -> float:
    return min(max(at, 0.0), float(side))


def _resize(image: Grey, side: int) -> Grey:
    # Pillow's reducing filters widen with the scale, which is what antialiases the result.
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _pad_square(image: Grey) -> Grey:
    height, width = image.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(image, ((top, side - height - top), (left, side - width - left)))


def _crop_square(image: Grey) -> Grey:
    height, width = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def boxes_on(
    boxes: BoxList, size: tuple[int, int], drawn_on: int = 0
) -> tuple[tuple[float, float, float, float], ...]:
    """Boxes (x, y, width, height) in native pixels of a film of ``size`` (height, width), out of
    those of a square of side ``drawn_on`` that the whole film was drawn on; 0 where they are native
    already. One that lies outside the film by more than a pixel is left out."""
    height, width = size
    down, right = (height / drawn_on, width / drawn_on) if drawn_on else (1.0, 1.0)
    kept = []
    for x, y, w, h in boxes:
        box = (x * right, y * down, w * right, h * down)
        if box[0] + box[2] <= width + 1 and box[1] + box[3] <= height + 1:
            kept.append(box)
    return tuple(kept)
