# SPDX-License-Identifier: Apache-2.0
"""The faces of an image or a frame: one, several, and the rule that selects some."""

from mien.core.face_types.face import Face
from mien.core.face_types.face_selector import FaceSelector
from mien.core.face_types.faces import Faces, numbers_from_left
from mien.core.face_types.frame import Frame, FrameGap

__all__ = ["Face", "FaceSelector", "Faces", "Frame", "FrameGap", "numbers_from_left"]
