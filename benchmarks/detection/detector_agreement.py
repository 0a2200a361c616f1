# SPDX-License-Identifier: Apache-2.0
"""What the analysis makes of the same faces with two detectors: whether constants fitted to one hold for the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.affect import Analyzer
from mien.core import Faces, Image
from mien.faces import FaceDetector

_ENOUGH_QUALITY = 0.5


def agreement(first: FaceDetector, second: FaceDetector, photos: Sequence[Image]) -> dict[str, float]:
    """Name -> value for the photos in which each detector finds one face.

    Args:
        first: Detector to which quality and abstaining were fitted.
        second: The other one.
        photos: Photos of one face each.
    """
    found = [Analyzer(threads=1, detector=detector).images(photos) for detector in (first, second)]
    pairs = [(one, other) for one, other in zip(*found, strict=True) if len(one) == len(other) == 1]
    quality = np.array([[float(faces.quality[0]) for faces in pair] for pair in pairs])
    enough = quality >= _ENOUGH_QUALITY
    top = np.array([[int(faces.expression[0].argmax()) for faces in pair] for pair in pairs])
    valence = np.array([[float(faces.valence[0]) for faces in pair] for pair in pairs])
    abstains = np.array([[_abstains(faces) for faces in pair] for pair in pairs])
    return {
        "photos with one face by both": float(len(pairs)),
        "mean quality, first": float(quality[:, 0].mean()),
        "mean quality, second": float(quality[:, 1].mean()),
        "mean difference of quality": float(np.abs(quality[:, 0] - quality[:, 1]).mean()),
        "correlation of quality": float(np.corrcoef(quality.T)[0, 1]),
        "on different sides of a quality of 0.5": float((enough[:, 0] != enough[:, 1]).mean()),
        "abstains, first": float(abstains[:, 0].mean()),
        "abstains, second": float(abstains[:, 1].mean()),
        "only one abstains": float((abstains[:, 0] != abstains[:, 1]).mean()),
        "same top expression": float((top[:, 0] == top[:, 1]).mean()),
        "mean difference of valence": float(np.abs(valence[:, 0] - valence[:, 1]).mean()),
    }


def _abstains(faces: Faces) -> bool:
    return bool(np.any(faces.abstain[0]))
