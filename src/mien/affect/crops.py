# SPDX-License-Identifier: Apache-2.0
"""Faces as a bundle wants them: cut out of a picture by their points, or fitted as they stand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import ModelSpec
from mien.faces import Detections, align_faces, resize_face, to_colour

Image = npt.NDArray[np.uint8]


def fit_crop(image: Image, spec: ModelSpec) -> Image:
    """An image that is one face as a bundle wants it: (S, S) for gray input, else (S, S, 3), uint8."""
    return to_colour(resize_face(image, spec.input.size_px, spec.crop.shrink), spec.input.colour)


def cut_faces(image: Image, detections: Detections, spec: ModelSpec) -> Image:
    """The crops of found faces as a bundle wants them.

    Args:
        image: (H, W, 3) RGB, or (H, W) for a bundle that reads gray.
        detections: N >= 0 faces of the image.
        spec: of the bundle.

    Returns:
        (N, S, S) for gray input, else (N, S, S, 3), uint8.
    """
    crops = align_faces(image, detections.landmarks, spec.crop.template, spec.input.size_px)
    return crops if image.ndim == 2 else to_colour(crops, spec.input.colour)
