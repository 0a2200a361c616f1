# SPDX-License-Identifier: Apache-2.0
"""Detects, aligns and tracks faces."""

from mien.core import DEFAULT_LANDMARK_MODEL, NO_LANDMARK_MODEL
from mien.faces.alignment import (
    align_faces,
    keypoints_of,
    points_in_pixels,
    resize_face,
    similarity_transform,
    to_colour,
    warp_face,
)
from mien.faces.boxes import areas, iou, sides
from mien.faces.detector import (
    DETECTORS,
    N_KEYPOINTS,
    N_LANDMARKS,
    Detections,
    DetectorInfo,
    FaceDetector,
    LandmarkModel,
    ProposingDetector,
    RefiningDetector,
    SearchingDetector,
    SecondLookDetector,
    create_detector,
    parse_detector,
)
from mien.faces.follower import FaceFollower
from mien.faces.grid_detector import GridDetector, decode_cells, distinct_faces
from mien.faces.landmark_model import (
    LandmarkNet,
    create_landmark_model,
    load_landmark_net,
    read_given_face,
    read_new_faces,
    refine_landmarks,
)
from mien.faces.landmark_shape import (
    FACE_PARTS,
    Shapes,
    distance_pairs,
    frontal_shapes,
    normalized_shapes,
    shape_distances,
)
from mien.faces.quality import (
    SIGNALS,
    SURENESS,
    QualityModel,
    face_quality,
    quality_signals,
    share_inside,
    sureness,
)
from mien.faces.scene_changes import CutDetector
from mien.faces.second_search import doubt_evidence, is_dark, quadratic_terms, search_photo
from mien.faces.tracker import MAX_LOST_S, Tracker
from mien.faces.unit_geometry import unit_geometry

__all__ = [
    "DEFAULT_LANDMARK_MODEL",
    "DETECTORS",
    "FACE_PARTS",
    "MAX_LOST_S",
    "NO_LANDMARK_MODEL",
    "N_KEYPOINTS",
    "N_LANDMARKS",
    "SIGNALS",
    "SURENESS",
    "CutDetector",
    "Detections",
    "DetectorInfo",
    "FaceDetector",
    "FaceFollower",
    "GridDetector",
    "LandmarkModel",
    "LandmarkNet",
    "ProposingDetector",
    "QualityModel",
    "RefiningDetector",
    "SearchingDetector",
    "SecondLookDetector",
    "Shapes",
    "Tracker",
    "align_faces",
    "areas",
    "create_detector",
    "create_landmark_model",
    "decode_cells",
    "distance_pairs",
    "distinct_faces",
    "doubt_evidence",
    "face_quality",
    "frontal_shapes",
    "iou",
    "is_dark",
    "keypoints_of",
    "load_landmark_net",
    "normalized_shapes",
    "parse_detector",
    "points_in_pixels",
    "quadratic_terms",
    "quality_signals",
    "read_given_face",
    "read_new_faces",
    "refine_landmarks",
    "resize_face",
    "search_photo",
    "shape_distances",
    "share_inside",
    "sides",
    "similarity_transform",
    "sureness",
    "to_colour",
    "unit_geometry",
    "warp_face",
]
