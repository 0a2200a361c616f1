# SPDX-License-Identifier: Apache-2.0
"""`ColourOrderCheck`, which warns of arrays whose colours are in BGR order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mien.core import Image
from mien.faces import Detections, FaceDetector
from mien.media import cut_box

_N_IMAGES = 20  # arrays of a program come from one place: the first ones tell
_BLUISH = 5.0  # mean of blue above that of red in a face; skin of any tone reflects more red than blue
_BLUE_LIGHT = 1.5  # mean of blue over that of red in the brightest pixels: white things are not blue in BGR order
_BRIGHTEST = 0.02
_CONFIDENCE = 0.9
_ADVICE = (
    "the image seems to be in BGR order, as OpenCV reads files: its faces look like faces with red and blue swapped; "
    "mien takes RGB, so give image[..., ::-1], or the path of the file"
)


class ColourOrderCheck:
    """Warns once if an (H, W, 3) array seems to be in BGR order, in which faces get lost without a word.

    An array is suspicious if no face was found in it, or if a face is bluish in light that is not; the detector then
    decides by the faces that it finds with red and blue swapped. Only the first colour arrays are checked.

    Examples:
        >>> check = ColourOrderCheck()
        >>> check.applies_to(np.zeros((8, 8, 3), np.uint8)), check.applies_to("photo.jpg")
        (True, False)
    """

    def __init__(self) -> None:
        self._n_left = _N_IMAGES

    def applies_to(self, given: Any) -> bool:
        """Whether an image as the caller gave it is to be checked: an array with three colours."""
        return self._n_left > 0 and isinstance(given, np.ndarray) and given.ndim == 3 and given.shape[2] == 3

    def check(self, image: Image, found: Detections, detector: FaceDetector) -> None:
        """Compares the faces of an array with those of the same array with red and blue swapped.

        Args:
            image: (H, W, 3) uint8 as given.
            found: Faces that were found in it.
            detector: Detector of photos.

        Warns:
            UserWarning: The array seems to be in BGR order.
        """
        self._n_left -= 1
        if not (len(found) == 0 or _is_bluish(image, found)) or _is_gray(image) or _is_in_blue_light(image):
            return
        swapped = np.ascontiguousarray(image[..., ::-1])
        seen = detector.detect(swapped)
        sure = seen[seen.confidence >= _CONFIDENCE]
        if len(sure) == 0 or _is_bluish(swapped, sure):
            return
        best = float(found.confidence.max(initial=0.0))
        if len(sure) > len(found) or float(sure.confidence.max()) >= best - 0.02:
            self._n_left = 0
            warnings.warn(_ADVICE, UserWarning, stacklevel=4)


def _is_gray(image: Image) -> bool:
    return np.array_equal(image[..., 0], image[..., 2])


def _is_in_blue_light(image: Image) -> bool:
    """Whether the brightest pixels, where white things and reflections are, are blue."""
    green = image[..., 1]
    red, _, blue = image[green >= np.quantile(green, 1 - _BRIGHTEST)].mean(axis=0)
    return float(blue) > _BLUE_LIGHT * float(red)


def _is_bluish(image: Image, found: Detections) -> bool:
    """Whether most of the faces have more blue than red."""
    means = [cut_box(image, box).reshape(-1, 3).mean(axis=0) for box in found.boxes]
    return float(np.median([mean[2] - mean[0] for mean in means])) > _BLUISH
