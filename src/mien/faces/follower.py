# SPDX-License-Identifier: Apache-2.0
"""`FaceFollower`: faces and their track numbers through a video, with the detector at rest where that is safe."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.faces.boxes import Boxes
from mien.faces.detector import (
    Detections,
    FaceDetector,
    Image,
    LandmarkModel,
    RefiningDetector,
    SearchingDetector,
    require_rgb,
)
from mien.faces.landmark_model import MIN_CONFIDENCE
from mien.faces.scene_changes import CutDetector, StaticScene, Thumbnail, thumbnail_of
from mien.faces.tracker import Tracker
from mien.media import VideoFrame

# While a face is lost, or none is known, scans come this often: a scan of each frame would halve the speed of a video
# for a face that is seen a tenth of a second earlier.
_SEARCH_EVERY_S = 0.1
# A detector that can search makes only one of so many scans a full detection, while nobody is missing.
_SCANS_A_DETECTION = 4
# Before a camera that stands still, where nothing but known faces moves, so many scans are one.
_STILL_SCANS = 8


class FaceFollower:
    """Follows the faces of one video; make a new one for the next.

    A detector that can look again cheaply (`mien.faces.RefiningDetector`) searches the whole frame only on the first
    frame of a shot, on the frame after a new face, when a face is lost and every ``scan_every_s``; in between it looks
    again at each followed face. Any other detector runs on every frame.

    With one that can also search cheaply (`mien.faces.SearchingDetector`), small new faces are looked for more seldom:
    three of four of these scans are searches, and so are those for a lost face within ``scan_every_s`` of the last full
    detection.

    Where nothing has changed since the last of these scans but what is at the known faces, none is made, for up to
    eight of them: a face that comes changes the picture.

    With a reader, faces are followed by their points instead: it reads each face where it should be now, and the
    detector only searches.

    Args:
        detector: what finds the faces.
        reader: what reads followed and found faces; None leaves that to the detector.
        scan_every_s: longest time in seconds of the video between two scans of the whole frame.
        max_lost_s: how long a face may be unseen and still keep its number, in seconds of the video.

    Raises:
        ConfigError: a time is negative.
    """

    def __init__(
        self,
        detector: FaceDetector,
        reader: LandmarkModel | None = None,
        *,
        scan_every_s: float = 0.5,
        max_lost_s: float = 1.0,
    ) -> None:
        if not scan_every_s >= 0:
            raise ConfigError(f"scan_every_s must be at least 0, got {scan_every_s}")
        self._detector = detector
        self._refiner = detector if isinstance(detector, RefiningDetector) else None
        self._searcher = detector if isinstance(detector, SearchingDetector) else None
        self._reader = reader
        self._scan_every_s = scan_every_s
        self._cuts, self._static_scene = CutDetector(), StaticScene()
        self._tracker = Tracker(max_lost_s=max_lost_s)
        self._scanned_s = self._detected_s = self._checked_s = self._time_s = -math.inf

    def update(self, image: Image, time_s: float) -> tuple[Detections, npt.NDArray[np.int64]]:
        """The faces of the next picture; see `follow`.

        Args:
            image: (H, W, 3) uint8 RGB.
            time_s: presentation time of the frame in seconds; one before the last frame's counts as the last frame's.

        Raises:
            ConfigError: the time is not a number.
            InputError: the array is not an image.
        """
        require_rgb(image)
        return self.follow(VideoFrame(index=0, time_s=time_s, image=image))

    def follow(self, frame: VideoFrame) -> tuple[Detections, npt.NDArray[np.int64]]:
        """The faces of the next frame. With a reader, its colours are made only where the detector searches.

        Args:
            frame: with its time; one before the last frame's counts as the last frame's.

        Returns:
            The faces that are seen in this frame, and (N,) their track numbers: ascending, from 0 on in the order in
            which faces appear, never used for a second face. A cut ends all tracks.

        Raises:
            ConfigError: the time is not a number.
        """
        time_s = frame.time_s
        if math.isnan(time_s):
            raise ConfigError("a frame's time must be a number of seconds, got nan")
        time_s = self._time_s = max(time_s, self._time_s)
        picture = frame.image if self._reader is None else frame.gray
        thumbnail = thumbnail_of(picture)
        if self._cuts.take(thumbnail):
            self._tracker.end_shot()
            self._static_scene.reset()
            self._scanned_s = self._detected_s = self._checked_s = -math.inf
        expected = self._tracker.begin(time_s)
        if self._reader is None and self._refiner is None:
            self._tracker.scan(self._detector.detect(frame.image))
            return self._tracker.faces()
        unsettled = self._tracker.any_unsettled
        face_gone = len(expected) > 0 and self._tracker.refine(self._look(frame, expected))
        width_height = np.array(picture.shape[1::-1] * 2, np.float32)
        if unsettled or face_gone or self._scan_is_due(time_s, thumbnail, width_height):
            self._tracker.scan(self._scan(frame, expected, whole=unsettled or face_gone))
            self._scanned_s = self._checked_s = time_s
            self._read_found(frame)
            self._static_scene.remember(thumbnail, self._tracker.seen_boxes() / width_height)
        return self._tracker.faces()

    def _look(self, frame: VideoFrame, expected: Boxes) -> Detections:
        """What is where each living track should be now."""
        if self._reader is not None:
            return self._reader.read(frame.gray, self._tracker.expected_keypoints())
        if self._refiner is not None:
            return self._refiner.refine(frame.image, expected)
        return Detections.empty()

    def _scan(self, frame: VideoFrame, expected: Boxes, *, whole: bool) -> Detections:
        """The faces of the whole frame, or without small new ones where that is soon enough."""
        detections_apart = 1 if self._searching else _SCANS_A_DETECTION
        wait_s = detections_apart * self._scan_every_s
        if whole or self._searcher is None or self._time_s - self._detected_s >= wait_s:
            self._detected_s = self._time_s
            return self._detector.detect(frame.image)
        return self._searcher.search(frame.image, expected)

    @property
    def _searching(self) -> bool:
        """Whether no face is known, or one is missing."""
        return len(self._tracker) == 0 or self._tracker.any_lost

    def _read_found(self, frame: VideoFrame) -> None:
        """Read the faces that only the detector has seen, so that every face of a frame is measured alike."""
        unread = self._tracker.without_landmarks()
        if self._reader is None or not len(unread):
            return
        seen = self._tracker.expected_keypoints()[unread]
        faces = self._reader.read(frame.gray, seen)
        believed = faces.confidence >= MIN_CONFIDENCE
        self._tracker.set_landmarks(unread[believed], faces[believed])

    def _scan_is_due(self, time_s: float, thumbnail: Thumbnail, width_height: npt.NDArray[np.float32]) -> bool:
        """Whether the last scan is too long ago for what is known of this frame."""
        every_s = min(_SEARCH_EVERY_S, self._scan_every_s) if self._searching else self._scan_every_s
        if time_s - self._checked_s < every_s:
            return False
        self._checked_s = time_s
        if time_s - self._scanned_s >= _STILL_SCANS * every_s:
            return True
        if self._tracker.any_lost:  # it may come out from behind a known face
            return True
        return not self._static_scene.unchanged(thumbnail, self._tracker.seen_boxes() / width_height)
