# SPDX-License-Identifier: Apache-2.0
"""`Tracker`: the same number for the same face through one video, from motion alone (no identity embedding)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.faces import boxes as geometry
from mien.faces.boxes import Boxes, assign
from mien.faces.detector import N_KEYPOINTS, Detections

# A second look holds a track by a modest score while the full detector has confirmed it lately, since a face was there
# a moment ago; later it needs the score that a new face would need.
_HOLD_SCORE = 0.6
_NEW_SCORE = 0.85
_TRUST_S = 2.0
# A second look must stay on the face that it was sent to.
_HOLD_IOU = 0.3
# Two tracks that overlap by more are on the same face.
_SAME_FACE_IOU = 0.5
# A scan's box replaces the held one only when they disagree by more: the second look is steadier from frame to frame.
_AGREE_IOU = 0.6

# A new face of at least this score is confirmed at once, any other by a second detection.
_SURE_SCORE = 0.95

# Velocity is averaged over the first time. An unseen face is thought to slow down within the second: boxes jitter, and
# a guess that runs away from the face is worse than one that stays behind.
_VELOCITY_MEMORY_S = 0.25
_SLOW_DOWN_S = 0.25

# How far a detection may be from where a track should be, in sides of the face: grows while the track is unseen.
_REACH, _REACH_PER_S, _REACH_MAX = 0.6, 1.5, 1.2
_MAX_SIZE_RATIO = 2.0

NO_TRACK = -1

MAX_LOST_S = 1.0
"""How long a face may be unseen and still keep its number, in seconds of the video."""


@dataclass
class _Track:
    """One face, as it was last seen (one row); ``track_id`` is `NO_TRACK` until it is sure enough to be shown."""

    face: Detections
    seen_s: float
    last_detected_s: float
    track_id: int = NO_TRACK
    confirmed: bool = False
    seen: bool = True
    was_visible: bool = False
    velocity: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    anchor: tuple[npt.NDArray[np.float32], float] | None = None

    @property
    def box(self) -> Boxes:
        """(4,) where the face was last seen."""
        box: Boxes = self.face.boxes[0]
        return box

    def take(self, face: Detections, time_s: float) -> None:
        """The face as it is now."""
        self.face = face
        self.seen, self.seen_s = True, time_s

    def learn_velocity(self) -> None:
        """Average in the motion since the last time the face was seen."""
        if not self.seen:
            return
        centre = (self.box[:2] + self.box[2:]) * np.float32(0.5)
        if self.anchor is not None:
            before, before_s = self.anchor
            elapsed = self.seen_s - before_s
            if elapsed <= 0:
                return
            weight = -math.expm1(-elapsed / _VELOCITY_MEMORY_S)
            self.velocity += np.float32(weight) * ((centre - before) / np.float32(elapsed) - self.velocity)
        self.anchor = (centre, self.seen_s)

    def offset(self, time_s: float) -> npt.NDArray[np.float32]:
        """(2,) pixels that the face should be from where it was last seen: it went on moving, slower and slower."""
        moving_s = _SLOW_DOWN_S * -math.expm1(-(time_s - self.seen_s) / _SLOW_DOWN_S)
        return self.velocity * np.float32(moving_s)


class Tracker:
    """Follows faces through one shot after the other.

    Per frame, in this order: `begin`; `refine` with a second look at each expected box, if the detector can do that;
    `scan` with a full detection, if there was one; `faces`.

    Args:
        max_lost_s: how long a face may be unseen and still keep its number, in seconds of the video.

    Raises:
        ConfigError: ``max_lost_s`` is negative.
    """

    def __init__(self, *, max_lost_s: float = MAX_LOST_S) -> None:
        if not max_lost_s >= 0:
            raise ConfigError(f"max_lost_s must be at least 0, got {max_lost_s}")
        self._max_lost_s = max_lost_s
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._time_s = 0.0
        self._shot_begins = True

    def __len__(self) -> int:
        """Tracks that live, seen or not."""
        return len(self._tracks)

    @property
    def any_lost(self) -> bool:
        """Whether a track lives that is not seen in this frame."""
        return any(not track.seen for track in self._tracks)

    @property
    def any_unsettled(self) -> bool:
        """Whether a track waits for the next scan to confirm it."""
        return not all(track.confirmed for track in self._tracks)

    def end_shot(self) -> None:
        """End every track; numbers are not used again."""
        self._tracks = []
        self._shot_begins = True

    def begin(self, time_s: float) -> Boxes:
        """Start a frame.

        Args:
            time_s: the frame's time, not before the last frame's.

        Returns:
            (M, 4) boxes, where the face of each living track should be now.
        """
        self._time_s = time_s
        # A face of the last frame lives, however long ago that was: frames may be sampled sparsely.
        alive = [track for track in self._tracks if track.seen or time_s - track.seen_s <= self._max_lost_s]
        for track in alive:
            track.learn_velocity()
            track.was_visible, track.seen = track.seen, False
        self._tracks = alive
        return self._expected()

    def refine(self, looked: Detections) -> bool:
        """Hold the tracks whose face is still where it was expected.

        Args:
            looked: row i is what the detector saw in box i of `begin`.

        Returns:
            Whether a face that was seen in the last frame is gone.
        """
        expected = self._expected()
        on_face = np.diagonal(geometry.iou(expected, looked.boxes)) if len(looked) else np.empty(0, np.float32)
        held = (looked.confidence >= self._needed_scores()) & (on_face >= _HOLD_IOU)
        for index in self._without_doubles(np.flatnonzero(held), looked.boxes, on_face):
            self._take(index, looked, index)
        return any(track.was_visible and not track.seen for track in self._tracks)

    def scan(self, found: Detections) -> None:
        """Confirm, regain, begin and drop tracks by a full detection of this frame."""
        pairs = assign(self._costs(found))
        for index, row in pairs:
            track = self._tracks[index]
            track.confirmed, track.last_detected_s = True, self._time_s
            if not track.seen or geometry.iou(track.box[None], found.boxes[row][None])[0, 0] < _AGREE_IOU:
                self._take(index, found, row)
            self._number(track)
        supported = {index for index, _ in pairs}
        # What only one of two scans running has seen was no face.
        self._tracks = [track for index, track in enumerate(self._tracks) if index in supported or track.confirmed]
        taken = {row for _, row in pairs}
        self._begin_tracks(found[[row for row in range(len(found)) if row not in taken]])
        self._shot_begins = False

    def faces(self) -> tuple[Detections, npt.NDArray[np.int64]]:
        """The faces of this frame that are sure enough, and their numbers (N,), in ascending order."""
        shown = sorted(
            (track for track in self._tracks if track.seen and track.track_id != NO_TRACK),
            key=lambda track: track.track_id,
        )
        detections = Detections.concatenated([track.face for track in shown])
        return detections, np.array([track.track_id for track in shown], np.int64)

    def seen_boxes(self) -> Boxes:
        """(M, 4): of the faces that are seen in this frame, also of those that are not sure enough to be shown."""
        return np.array([track.box for track in self._tracks if track.seen], np.float32).reshape(-1, 4)

    def expected_keypoints(self) -> npt.NDArray[np.float32]:
        """(M, 5, 2): where the five points of each living track should be now."""
        now = [track.face.keypoints[0] + track.offset(self._time_s) for track in self._tracks]
        return np.array(now, np.float32).reshape(-1, N_KEYPOINTS, 2)

    def without_landmarks(self) -> npt.NDArray[np.intp]:
        """Tracks whose face of this frame comes from a detector that gives no 68 points."""
        return np.flatnonzero([track.seen and bool(np.isnan(track.face.landmarks).any()) for track in self._tracks])

    def set_landmarks(self, tracks: npt.NDArray[np.intp], faces: Detections) -> None:
        """Put what was read of these tracks' faces in the place of what the detector saw."""
        for row, index in enumerate(tracks):
            self._tracks[index].face = faces[[row]]

    def _expected(self) -> Boxes:
        """(M, 4): the box of tracks seen in this frame, else where it should be."""
        now = [
            track.box if track.seen else track.box + np.tile(track.offset(self._time_s), 2) for track in self._tracks
        ]
        return np.array(now, np.float32).reshape(-1, 4)

    def _needed_scores(self) -> npt.NDArray[np.float32]:
        """(M,) scores that hold each track."""
        trusted = [self._time_s - track.last_detected_s <= _TRUST_S for track in self._tracks]
        return np.where(trusted, np.float32(_HOLD_SCORE), np.float32(_NEW_SCORE))

    def _without_doubles(self, held: npt.NDArray[np.intp], seen: Boxes, on_face: npt.NDArray[np.float32]) -> list[int]:
        """Those of the held tracks that have a face for themselves.

        Where two share one (they cross, and one is hidden), it belongs to the one that was not lost before and whose
        expectation fits better.
        """
        order = sorted(held.tolist(), key=lambda index: (not self._tracks[index].was_visible, -on_face[index]))
        overlaps = geometry.iou(seen, seen)
        kept: list[int] = []
        for index in order:
            if not (overlaps[index, kept] > _SAME_FACE_IOU).any():
                kept.append(index)
        return kept

    def _costs(self, found: Detections) -> npt.NDArray[np.float32]:
        """(M, N) how badly each detection fits each track; inf where it is out of reach."""
        expected = self._expected()
        side, found_side = geometry.sides(expected)[:, None], geometry.sides(found.boxes)[None, :]
        away = np.linalg.norm(geometry.centres(expected)[:, None] - geometry.centres(found.boxes)[None], axis=2)
        away = away / np.maximum((side + found_side) / 2, 1)
        size_step = np.abs(np.log(np.maximum(found_side, 1) / np.maximum(side, 1)))
        unseen_s = np.array([self._time_s - track.seen_s for track in self._tracks], np.float32)[:, None]
        reach = np.minimum(_REACH + _REACH_PER_S * unseen_s, _REACH_MAX)
        cost = away + size_step
        return np.asarray(np.where((away > reach) | (size_step > math.log(_MAX_SIZE_RATIO)), np.inf, cost), np.float32)

    def _begin_tracks(self, found: Detections) -> None:
        """A track for each new face."""
        known = self._expected()[[track.seen for track in self._tracks]]
        for row in range(len(found)):
            # A second box on a followed face is no second face.
            if len(known) and geometry.iou(found.boxes[row][None], known).max() > _SAME_FACE_IOU:
                continue
            track = _Track(
                face=found[[row]],
                seen_s=self._time_s,
                last_detected_s=self._time_s,
                confirmed=bool(found.confidence[row] >= _SURE_SCORE),
            )
            self._tracks.append(track)
            # The first frame of a shot has no detection before it, and its faces must not be missing.
            if self._shot_begins or track.confirmed:
                self._number(track)

    def _take(self, index: int, source: Detections, row: int) -> None:
        """Give a track its face of this frame."""
        self._tracks[index].take(source[[row]], self._time_s)

    def _number(self, track: _Track) -> None:
        """Show a track from now on, under the next free number unless it has one."""
        if track.track_id == NO_TRACK:
            track.track_id = self._next_id
            self._next_id += 1
