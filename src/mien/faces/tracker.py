# SPDX-License-Identifier: Apache-2.0
"""`Tracker`: track numbers for the faces of one video, from motion alone (no identity embedding)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mien.core import ConfigError, Float32, Indices, Int64
from mien.faces import boxes as geometry
from mien.faces.boxes import Boxes, assign
from mien.faces.detector import N_KEYPOINTS, Detections

# A refinement keeps a track at modest confidence while a scan has confirmed the track lately, since a face was there a
# moment ago; later it needs the confidence of a new face.
_KEEP_CONFIDENCE = 0.6
_NEW_CONFIDENCE = 0.85
_TRUST_S = 2.0
# A refined box must overlap the expected one by this much.
_KEEP_IOU = 0.3
# Two tracks that overlap by more are on the same face.
_SAME_FACE_IOU = 0.5
# A scan's box replaces the refined one only below this overlap: the refined one is steadier from frame to frame.
_AGREE_IOU = 0.6

# A new face of at least this confidence is confirmed at once, any other by a second detection.
_SURE_CONFIDENCE = 0.95

# Velocity is averaged over the first time. A lost face is assumed to slow down within the second one: boxes jitter, and
# an estimate that runs away from the face is worse than one that stays behind.
_VELOCITY_MEMORY_S = 0.25
_SLOW_DOWN_S = 0.25

# Largest distance of a detection from the expected place of a track, in sides of the face; grows while it is lost.
_REACH, _REACH_PER_S, _REACH_MAX = 0.6, 1.5, 1.2
_MAX_SIZE_RATIO = 2.0

NO_TRACK = -1

MAX_LOST_S = 1.0
"""Longest time in seconds of the video that a face may be lost and keep its track number."""


@dataclass
class _Track:
    """One face as last seen (one row); ``track_id`` is `NO_TRACK` until the track is certain enough to be shown."""

    face: Detections
    seen_s: float
    last_detected_s: float
    track_id: int = NO_TRACK
    confirmed: bool = False
    seen: bool = True
    was_visible: bool = False
    velocity: Float32 = field(default_factory=lambda: np.zeros(2, np.float32))
    anchor: tuple[Float32, float] | None = None

    @property
    def box(self) -> Boxes:
        """(4,) box in which the face was last seen."""
        box: Boxes = self.face.boxes[0]
        return box

    def update(self, face: Detections, time_s: float) -> None:
        """Set the face of the current frame."""
        self.face = face
        self.seen, self.seen_s = True, time_s

    def update_velocity(self) -> None:
        """Include the motion since the last time the face was seen in the average velocity."""
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

    def offset(self, time_s: float) -> Float32:
        """(2,) expected shift in pixels since the face was last seen; its motion slows down."""
        moving_s = _SLOW_DOWN_S * -math.expm1(-(time_s - self.seen_s) / _SLOW_DOWN_S)
        return self.velocity * np.float32(moving_s)


@dataclass(frozen=True)
class Shot:
    """The tracks of a shot that has ended."""

    tracks: list[_Track]


class Tracker:
    """Tracks faces through the shots of one video.

    Per frame, in this order: `begin`; `refine` with the faces at the expected places, if a model gives them; `scan`
    with a full detection, if there was one; `faces`.

    Args:
        max_lost_s: Longest time in seconds of the video that a face may be lost and keep its track number.

    Raises:
        ConfigError: ``max_lost_s`` is negative.

    Examples:
        >>> from mien.faces.detector import faces_at
        >>> tracker = Tracker()
        >>> for time_s, left in [(0.0, 10), (0.04, 12), (0.08, 14)]:
        ...     expected = tracker.begin(time_s)
        ...     tracker.scan(faces_at([[left, 10, left + 20, 30]]))
        ...     print(tracker.faces()[1].tolist())
        [0]
        [0]
        [0]
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
        """Number of live tracks, seen or lost."""
        return len(self._tracks)

    @property
    def any_lost(self) -> bool:
        """Whether a live track is not seen in this frame."""
        return any(not track.seen for track in self._tracks)

    @property
    def any_unconfirmed(self) -> bool:
        """Whether a track still needs the next scan to confirm it."""
        return not all(track.confirmed for track in self._tracks)

    def end_shot(self) -> Shot:
        """End every track; track numbers are not used again.

        Returns:
            The ended tracks, for `resume_shot`.
        """
        ended, self._tracks = self._tracks, []
        self._shot_begins = True
        return Shot(ended)

    def resume_shot(self, shot: Shot) -> None:
        """Take up the tracks of a shot in place of those that have begun since its end."""
        self._tracks = list(shot.tracks)
        self._shot_begins = False

    def begin(self, time_s: float) -> Boxes:
        """Start a frame.

        Args:
            time_s: Time of the frame in seconds, not before the last frame's.

        Returns:
            (M, 4) expected box of each live track.
        """
        self._time_s = time_s
        # A face of the last frame stays alive, however long ago that was: frames may be sampled sparsely.
        alive = [track for track in self._tracks if track.seen or time_s - track.seen_s <= self._max_lost_s]
        for track in alive:
            track.update_velocity()
            track.was_visible, track.seen = track.seen, False
        self._tracks = alive
        return self._expected()

    def refine(self, refined: Detections) -> bool:
        """Keep the tracks whose face is still at its expected place.

        Args:
            refined: Row i is the face in box i of `begin`.

        Returns:
            Whether a face of the last frame is gone.
        """
        expected = self._expected()
        on_face = np.diagonal(geometry.iou(expected, refined.boxes)) if len(refined) else np.empty(0, np.float32)
        kept = (refined.confidence >= self._needed_confidence()) & (on_face >= _KEEP_IOU)
        for index in self._without_doubles(np.flatnonzero(kept), refined.boxes, on_face):
            self._take(index, refined, index)
        return any(track.was_visible and not track.seen for track in self._tracks)

    def scan(self, found: Detections) -> None:
        """Confirm, recover, begin and drop tracks by a full detection of this frame."""
        pairs = assign(self._costs(found))
        for index, row in pairs:
            track = self._tracks[index]
            track.confirmed, track.last_detected_s = True, self._time_s
            if not track.seen or geometry.iou(track.box[None], found.boxes[row][None])[0, 0] < _AGREE_IOU:
                self._take(index, found, row)
            self._number(track)
        supported = {index for index, _ in pairs}
        # A face that only one of two successive scans has seen was none.
        self._tracks = [track for index, track in enumerate(self._tracks) if index in supported or track.confirmed]
        taken = {row for _, row in pairs}
        self._begin_tracks(found[[row for row in range(len(found)) if row not in taken]])
        self._shot_begins = False

    def faces(self) -> tuple[Detections, Int64]:
        """The faces of this frame that are certain enough, and their track numbers (N,), in ascending order."""
        shown = sorted(
            (track for track in self._tracks if track.seen and track.track_id != NO_TRACK),
            key=lambda track: track.track_id,
        )
        detections = Detections.concatenated([track.face for track in shown])
        return detections, np.array([track.track_id for track in shown], np.int64)

    def seen_boxes(self) -> Boxes:
        """(M, 4) boxes of the faces that are seen in this frame, shown or not."""
        return np.array([track.box for track in self._tracks if track.seen], np.float32).reshape(-1, 4)

    def confirmed_boxes(self) -> Boxes:
        """(M, 4) boxes of the confirmed faces that are seen in this frame."""
        seen = [track.box for track in self._tracks if track.seen and track.confirmed]
        return np.array(seen, np.float32).reshape(-1, 4)

    def expected_keypoints(self) -> Float32:
        """(M, 5, 2) expected keypoints of each live track."""
        now = [track.face.keypoints[0] + track.offset(self._time_s) for track in self._tracks]
        return np.array(now, np.float32).reshape(-1, N_KEYPOINTS, 2)

    def without_landmarks(self) -> Indices:
        """Tracks whose face in this frame has no landmarks, because it comes from the detector."""
        return np.flatnonzero([track.seen and bool(np.isnan(track.face.landmarks).any()) for track in self._tracks])

    def set_landmarks(self, tracks: Indices, faces: Detections) -> None:
        """Replace the detector's faces of these tracks by those of the landmark model."""
        for row, index in enumerate(tracks):
            self._tracks[index].face = faces[[row]]

    def _expected(self) -> Boxes:
        """(M, 4) box of tracks seen in this frame, expected box of the others."""
        now = [
            track.box if track.seen else track.box + np.tile(track.offset(self._time_s), 2) for track in self._tracks
        ]
        return np.array(now, np.float32).reshape(-1, 4)

    def _needed_confidence(self) -> Float32:
        """(M,) confidence that keeps each track."""
        trusted = [self._time_s - track.last_detected_s <= _TRUST_S for track in self._tracks]
        return np.where(trusted, np.float32(_KEEP_CONFIDENCE), np.float32(_NEW_CONFIDENCE))

    def _without_doubles(self, kept: Indices, seen: Boxes, on_face: Float32) -> list[int]:
        """The kept tracks that have a face of their own.

        Where two share one (they cross, and one is hidden), it belongs to the one that was visible in the last frame
        and whose expected box fits better.
        """
        order = sorted(kept.tolist(), key=lambda index: (not self._tracks[index].was_visible, -on_face[index]))
        overlaps = geometry.iou(seen, seen)
        single: list[int] = []
        for index in order:
            if not (overlaps[index, single] > _SAME_FACE_IOU).any():
                single.append(index)
        return single

    def _costs(self, found: Detections) -> Float32:
        """(M, N) cost of assigning each detection to each track; inf where it is out of reach."""
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
        """Begin a track for each new face."""
        known = self._expected()[[track.seen for track in self._tracks]]
        for row in range(len(found)):
            # A second box on a tracked face is no second face.
            if len(known) and geometry.iou(found.boxes[row][None], known).max() > _SAME_FACE_IOU:
                continue
            track = _Track(
                face=found[[row]],
                seen_s=self._time_s,
                last_detected_s=self._time_s,
                confirmed=bool(found.confidence[row] >= _SURE_CONFIDENCE),
            )
            self._tracks.append(track)
            # No detection precedes the first frame of a shot, and its faces must not be missing.
            if self._shot_begins or track.confirmed:
                self._number(track)

    def _take(self, index: int, source: Detections, row: int) -> None:
        """Set the face of a track in this frame."""
        self._tracks[index].update(source[[row]], self._time_s)

    def _number(self, track: _Track) -> None:
        """Show a track from now on, with the next free number unless it has one."""
        if track.track_id == NO_TRACK:
            track.track_id = self._next_id
            self._next_id += 1
