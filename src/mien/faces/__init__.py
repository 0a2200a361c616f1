# SPDX-License-Identifier: Apache-2.0
"""Finds, aligns and follows faces."""

from mien.faces.detector import (
    DETECTORS,
    Detections,
    DetectorInfo,
    FaceDetector,
    RefiningDetector,
    create_detector,
)

__all__ = ["DETECTORS", "Detections", "DetectorInfo", "FaceDetector", "RefiningDetector", "create_detector"]
