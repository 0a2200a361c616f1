# SPDX-License-Identifier: Apache-2.0
"""The faces of an image or a frame: one, several, and the rule that selects some."""

from mien.core.face_types.face import Face
from mien.core.face_types.face_selector import FaceSelector
from mien.core.face_types.face_uncertainty import (
    NAME_SEPARATOR,
    UNCERTAIN_NUMBERS,
    joined_names,
    uncertain_columns,
    uncertain_numbers,
    with_uncertainty,
)
from mien.core.face_types.faces import Faces, numbers_from_left
from mien.core.face_types.frame import Frame, FrameGap

__all__ = [
    "NAME_SEPARATOR",
    "UNCERTAIN_NUMBERS",
    "Face",
    "FaceSelector",
    "Faces",
    "Frame",
    "FrameGap",
    "joined_names",
    "numbers_from_left",
    "uncertain_columns",
    "uncertain_numbers",
    "with_uncertainty",
]
