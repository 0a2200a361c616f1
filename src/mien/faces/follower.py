# SPDX-License-Identifier: Apache-2.0
"""`FaceFollower`: tracks the faces of a video and runs the detector only where it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mien.core import ConfigError, Float32, Image, Int64
from mien.faces.boxes import Boxes
from mien.faces.detector import (
    Detections,
    FaceDetector,
    GrayDetector,
    LandmarkModel,
    RefiningDetector,
    SearchingDetector,
    require_rgb,
)
from mien.faces.landmark_model import MIN_CONFIDENCE, read_new_faces
from mien.faces.scene_changes import CutDetector, StaticScene, Thumbnail, same_scene, thumbnail_of
from mien.faces.second_search import confirmed_search, search_lightened
from mien.faces.tracker import MAX_LOST_S, Shot, Tracker
from mien.media import VideoFrame

# While a face is lost, or none is known, frames are scanned this often: scanning each frame would halve the speed to
# find a face a tenth of a second earlier.
_SEARCH_EVERY_S = 0.1
# With a detector that can search, one of so many scans is a full detection, while no face is missing.
_SCANS_PER_DETECTION = 4
# In a static scene, where nothing but known faces moves, one of so many scans takes place.
_STATIC_SCANS = 8


# A gap in the times of frames ends all tracks if it is longer than this and than so many of the usual steps. Where no
# step is known, it must be longer, since frames may be sampled sparsely.
_PAUSE_S, _PAUSE_STEPS = 10.0, 4.0
_FIRST_PAUSE_S = 60.0


@dataclass(frozen=True)
class _InterruptedShot:
    """The last frame before a cut, in case it was a flash, after which the same scene continues."""

    thumbnail: Thumbnail
    time_s: float
    shot: Shot


class FaceFollower:
    """Tracks the faces of one video; use a new one for each video.

    A detector that can refine boxes (`mien.faces.RefiningDetector`) scans the whole frame only on the first frame of a
    shot, on the frame after a new face, when a face is lost and every ``scan_every_s``; in between it refines the box
    of each tracked face. Any other detector runs on every frame.

    With a detector that can also search (`mien.faces.SearchingDetector`), three of four of these scans are searches,
    and so are those for a lost face within ``scan_every_s`` of the last full detection; small new faces are then found
    later.

    Where nothing outside the known faces has changed since the last scan, up to eight scans are left out, since a new
    face would change the image.

    A landmark model takes the place of the refinement: it predicts the landmarks of each face at its expected place,
    and the detector only scans.

    Args:
        detector: Face detector.
        landmark_model: Landmark model for tracked and new faces; None leaves them to the detector.
        scan_every_s: Longest time in seconds of the video between two scans of the whole frame.
        max_lost_s: Longest time in seconds of the video that a face may be lost and keep its track number.

    Raises:
        ConfigError: A time is negative.

    Examples:
        >>> from mien.faces.detector import FakeDetector, faces_at
        >>> follower = FaceFollower(FakeDetector(lambda image: faces_at([[10, 10, 30, 30]])))
        >>> for time_s in (0.0, 0.04):
        ...     found, track_ids = follower.update(np.zeros((72, 128, 3), np.uint8), time_s)
        ...     print(len(found), track_ids.tolist())
        1 [0]
        1 [0]
    """

    def __init__(
        self,
        detector: FaceDetector,
        landmark_model: LandmarkModel | None = None,
        *,
        scan_every_s: float = 0.5,
        max_lost_s: float = MAX_LOST_S,
    ) -> None:
        if not scan_every_s >= 0:
            raise ConfigError(f"scan_every_s must be at least 0, got {scan_every_s}")
        self._detector = detector
        self._refiner = detector if isinstance(detector, RefiningDetector) else None
        self._searcher = detector if isinstance(detector, SearchingDetector) else None
        self._landmark_model = landmark_model
        self._scan_every_s = scan_every_s
        self._cuts, self._static_scene = CutDetector(), StaticScene()
        self._tracker = Tracker(max_lost_s=max_lost_s)
        self._max_lost_s = max_lost_s
        self._thumbnail: Thumbnail | None = None
        self._interrupted: _InterruptedShot | None = None
        self._usual_step_s = 0.0
        self._scanned_s = self._detected_s = self._checked_s = self._time_s = -math.inf

    def update(self, image: Image, time_s: float) -> tuple[Detections, Int64]:
        """The faces of the next image; see `follow`.

        Args:
            image: (H, W, 3) uint8 RGB.
            time_s: Presentation time of the frame in seconds; an earlier time than the last frame's counts as that.

        Raises:
            ConfigError: The time is not a number.
            InputError: The array is not an image.
        """
        require_rgb(image)
        return self.follow(VideoFrame(index=0, time_s=time_s, image=image))

    def follow(self, frame: VideoFrame) -> tuple[Detections, Int64]:
        """The faces of the next frame. With a landmark model, colours are decoded only for the detector's scans.

        Args:
            frame: Next frame; an earlier time than the last frame's counts as that.

        Returns:
            The faces in this frame, and (N,) their track numbers: ascending, from 0 on in the order in which faces
            appear, never used for a second face. A cut ends all tracks, unless the scene before it comes back within
            the time that a face may be lost, as after a flash. So does a gap in the times of more than 10 s, if it is
            not usual in this video.

        Raises:
            ConfigError: The time is not a number.
        """
        time_s = frame.time_s
        if math.isnan(time_s):
            raise ConfigError("a frame's time must be a number of seconds, got nan")
        before_s, time_s = self._time_s, max(time_s, self._time_s)
        self._time_s = time_s
        image = frame.image if self._landmark_model is None else frame.gray
        thumbnail = thumbnail_of(image)
        self._begin_or_resume_shot(thumbnail, before_s)
        expected = self._tracker.begin(time_s)
        if self._landmark_model is None and self._refiner is None:
            self._tracker.scan(self._detector.detect(self._searched(frame)))
            return self._tracker.faces()
        unconfirmed = self._tracker.any_unconfirmed
        face_gone = len(expected) > 0 and self._tracker.refine(self._refine(frame, expected))
        width_height = np.array(image.shape[1::-1] * 2, np.float32)
        if unconfirmed or face_gone or self._scan_is_due(time_s, thumbnail, width_height):
            self._tracker.scan(self._scan(frame, expected, whole=unconfirmed or face_gone))
            self._scanned_s = self._checked_s = time_s
            self._add_landmarks(frame)
            self._static_scene.remember(thumbnail, self._tracker.seen_boxes() / width_height)
        return self._tracker.faces()

    def _begin_or_resume_shot(self, thumbnail: Thumbnail, before_s: float) -> None:
        """End all tracks at a cut and after a pause; take them up again after a flash.

        Args:
            thumbnail: Thumbnail of this frame.
            before_s: Time in seconds of the frame before it.
        """
        paused, cut = self._is_pause(self._time_s - before_s), self._cuts.take(thumbnail)
        last, self._thumbnail = self._thumbnail, thumbnail
        waiting = self._interrupted
        if waiting is not None and (paused or self._time_s - waiting.time_s > self._max_lost_s):
            waiting = self._interrupted = None
        if waiting is not None and same_scene(thumbnail, waiting.thumbnail):
            self._tracker.resume_shot(waiting.shot)
            self._interrupted = None
        elif paused or cut:
            shot = self._tracker.end_shot()
            if cut and not paused and waiting is None and last is not None:
                self._interrupted = _InterruptedShot(thumbnail=last, time_s=before_s, shot=shot)
            self._static_scene.reset()
            self._scanned_s = self._detected_s = self._checked_s = -math.inf

    def _is_pause(self, step_s: float) -> bool:
        """Whether nothing was recorded for so long that another person may be there; sparse frames are no pause."""
        if not math.isfinite(step_s):  # the first frame
            return False
        limit_s = _FIRST_PAUSE_S if self._usual_step_s == 0 else max(_PAUSE_S, _PAUSE_STEPS * self._usual_step_s)
        if step_s > max(limit_s, self._max_lost_s):
            return True
        self._usual_step_s = max(self._usual_step_s, step_s)
        return False

    def _refine(self, frame: VideoFrame, expected: Boxes) -> Detections:
        """The face at the expected place of each live track."""
        if self._landmark_model is not None:
            return self._landmark_model.read(frame.gray, self._tracker.expected_keypoints())
        if self._refiner is not None:
            return self._refiner.refine(frame.image, expected)
        return Detections.empty()

    def _scan(self, frame: VideoFrame, expected: Boxes, *, whole: bool) -> Detections:
        """The faces of the whole frame; without small new ones where a search is enough."""
        scans = 1 if self._searching else _SCANS_PER_DETECTION
        wait_s = scans * self._scan_every_s
        if whole or self._searcher is None or self._time_s - self._detected_s >= wait_s:
            self._detected_s = self._time_s
            search = confirmed_search(self._detector, self._landmark_model, self._tracker.confirmed_boxes())
            found = search_lightened(search, self._searched(frame), self._landmark_model)
            # Without landmarks of the search: a new face is read once more, and then has the box of its landmarks.
            return Detections(found.boxes, found.confidence, found.keypoints, pose_rad=found.pose_rad)
        return self._searcher.search(frame.image, expected)

    def _searched(self, frame: VideoFrame) -> Image:
        """The pixels that the detector searches: gray ones where it sees no colours, which need no conversion."""
        return frame.gray if isinstance(self._detector, GrayDetector) else frame.image

    @property
    def _searching(self) -> bool:
        """Whether no face is known, or one is missing."""
        return len(self._tracker) == 0 or self._tracker.any_lost

    def _add_landmarks(self, frame: VideoFrame) -> None:
        """Predict the landmarks of the faces that only the detector has seen."""
        tracks = self._tracker.without_landmarks()
        if self._landmark_model is None or not len(tracks):
            return
        faces = read_new_faces(self._landmark_model, frame.gray, self._tracker.expected_keypoints()[tracks])
        accepted = faces.confidence >= MIN_CONFIDENCE
        self._tracker.set_landmarks(tracks[accepted], faces[accepted])

    def _scan_is_due(self, time_s: float, thumbnail: Thumbnail, width_height: Float32) -> bool:
        """Whether the last scan is too long ago, given what is known of this frame."""
        every_s = min(_SEARCH_EVERY_S, self._scan_every_s) if self._searching else self._scan_every_s
        if time_s - self._checked_s < every_s:
            return False
        self._checked_s = time_s
        if time_s - self._scanned_s >= _STATIC_SCANS * every_s:
            return True
        if self._tracker.any_lost:  # the lost face may reappear from behind a known one
            return True
        return not self._static_scene.unchanged(thumbnail, self._tracker.seen_boxes() / width_height)
