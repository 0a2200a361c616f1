# SPDX-License-Identifier: Apache-2.0
"""`Faces` and `Frame`, the result types for 0, 1 or N faces, and `FaceSelector`, which selects faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mien.core.arrays import Bools, Float32, Floats, Image, Indices, Int64, Integers
from mien.core.errors import ConfigError, InputError, MissingExtraError
from mien.core.labels import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    import pandas as pd

Index = int | slice | Bools | Indices | list[int]

# Per-face arrays: name -> (shape after N, dtype, fill value where nothing is known).
# None in a shape is a length that the instance decides.
_COLUMNS: dict[str, tuple[tuple[int | None, ...], type, float]] = {
    "boxes": ((4,), np.float32, np.nan),
    "confidence": ((), np.float32, np.nan),
    "landmarks": ((68, 2), np.float32, np.nan),
    "keypoints": ((5, 2), np.float32, np.nan),
    "track_ids": ((), np.int64, -1),
    "pose_rad": ((3,), np.float32, np.nan),
    "eyes_open": ((2,), np.float32, np.nan),
    "quality": ((), np.float32, np.nan),
    "expression": ((None,), np.float32, np.nan),
    "valence": ((), np.float32, np.nan),
    "arousal": ((), np.float32, np.nan),
    "action_units": ((None,), np.float32, np.nan),
    "features": ((None,), np.float32, np.nan),
}

_AFFECT = ("expression", "valence", "arousal", "action_units")

# Stands for "not given": replaced by a filled array of the right length before anyone can see it.
_FILL: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Faces:
    """The N >= 0 faces of one image and everything known about them, as read-only arrays.

    Arrays that are not given are filled with NaN (``track_ids`` with -1), so every field always has N rows.
    An index, a mask or a slice selects faces and gives `Faces` again.

    Attributes:
        boxes: (N, 4) float32, xyxy in pixels of the upright image (after rotation); may leave the image.
        confidence: (N,) float32 in [0, 1], the detector's confidence; NaN for faces that were given as crops.
        landmarks: (N, 68, 2) float32 pixels in 300-W order; NaN without a landmark model.
        keypoints: (N, 5, 2) float32 pixels: centre of the eye at the image's left, of the eye at its right, nose tip,
            mouth corner at the image's left and at its right.
        track_ids: (N,) int64, the same number for the same face through a video; -1 where nothing is tracked.
        pose_rad: (N, 3) float32 pitch, yaw, roll in radians; NaN where no model gives them.
        eyes_open: (N, 2) float32 in [0, 1], 1 for wide open, of the eye at the image's left and the one at its right;
            NaN where no model gives it.
        quality: (N,) float32 in [0, 1], estimated probability that the expression is predicted correctly on such an
            image (`mien.faces.QualityModel`); NaN for crops that are read whole and for
            bundles without a quality model.
        expression: (N, E) float32 probabilities that sum to 1 over ``expression_labels``.
        valence: (N,) float32 in [-1, 1], unpleasant to pleasant.
        arousal: (N,) float32 in [-1, 1], calm to excited.
        action_units: (N, A) float32 probabilities of ``action_unit_labels``, independent of each other.
        features: (N, D) float32 embedding of the affect model; D = 0 unless it was requested.
        expression_labels: Names of the E expressions.
        action_unit_labels: Names of the A action units, such as ``"AU12"``.

    Examples:
        >>> faces = Faces(
        ...     boxes=[[10, 10, 50, 60], [80, 20, 120, 70]],
        ...     expression=[[0.9, 0.1], [0.3, 0.7]],
        ...     expression_labels=("neutral", "happiness"),
        ...     valence=[0.1, 0.6],
        ... )
        >>> len(faces), faces.top_expressions()
        (2, ['neutral', 'happiness'])
        >>> pleasant = faces[faces.valence > 0.5]
        >>> pleasant.boxes.tolist()
        [[80.0, 20.0, 120.0, 70.0]]
        >>> np.isnan(pleasant.arousal).all()
        np.True_
    """

    boxes: Float32
    confidence: Float32 = _FILL
    landmarks: Float32 = _FILL
    keypoints: Float32 = _FILL
    track_ids: Int64 = _FILL
    pose_rad: Float32 = _FILL
    eyes_open: Float32 = _FILL
    quality: Float32 = _FILL
    expression: Float32 = _FILL
    valence: Float32 = _FILL
    arousal: Float32 = _FILL
    action_units: Float32 = _FILL
    features: Float32 = _FILL
    expression_labels: tuple[str, ...] = ()
    action_unit_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_faces = len(self.boxes)
        own_length = {"expression": len(self.expression_labels), "action_units": len(self.action_unit_labels)}
        for name, (shape, dtype, fill) in _COLUMNS.items():
            value = getattr(self, name)
            if value is None:
                lengths = [own_length.get(name, 0) if size is None else size for size in shape]
                value = np.full((n_faces, *lengths), fill, dtype=dtype)
            object.__setattr__(self, name, _validated(name, value, n_faces, shape, dtype))
        for name, length in own_length.items():
            if getattr(self, name).shape[1] != length:
                raise ConfigError(f"{name} has {getattr(self, name).shape[1]} columns for {length} labels")

    @property
    def scores(self) -> Float32:
        """Alias of ``confidence``."""
        return self.confidence

    @classmethod
    def empty(cls, expression_labels: tuple[str, ...] = (), action_unit_labels: tuple[str, ...] = ()) -> Faces:
        """No face: every array has length 0.

        Examples:
            >>> Faces.empty(expression_labels=("neutral", "happiness")).expression.shape
            (0, 2)
        """
        return cls(
            boxes=np.empty((0, 4), np.float32),
            expression_labels=expression_labels,
            action_unit_labels=action_unit_labels,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> Faces:
        """The selected faces as a new `Faces` (an integer gives one of length 1).

        Examples:
            >>> faces = Faces(boxes=np.zeros((3, 4)), track_ids=[4, 7, 9])
            >>> faces[[2, 0]].track_ids.tolist(), faces[-1].track_ids.tolist()
            ([9, 4], [9])
        """
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"face {index} of {len(self)}")
            index = [int(index)]
        chosen: dict[str, Any] = {name: getattr(self, name)[index] for name in _COLUMNS}
        return replace(self, **chosen)

    def __iter__(self) -> Iterator[Faces]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"Faces(n={len(self)}, top={self.top_expressions()!r})"

    def without_affect(self, rows: Bools) -> Faces:
        """The same faces with all affect (expression, valence, arousal, action units) of some set to NaN.

        Args:
            rows: (N,) mask of the faces that lose their affect.

        Examples:
            >>> faces = Faces(boxes=np.zeros((2, 4)), valence=[0.5, 0.25])
            >>> faces.without_affect(np.array([True, False])).valence.tolist()
            [nan, 0.25]
        """
        if not rows.any():
            return self
        kept = {name: getattr(self, name).copy() for name in _AFFECT}
        for values in kept.values():
            values[rows] = np.nan
        return replace(self, **kept)

    def top_expressions(self) -> list[str | None]:
        """The most probable expression of each face; None where the bundle gave none."""
        if not self.expression_labels:
            return [None] * len(self)
        return [
            None if np.isnan(row).all() else self.expression_labels[int(np.nanargmax(row))] for row in self.expression
        ]

    def present_action_units(self, thresholds: Mapping[str, float]) -> list[tuple[str, ...]]:
        """The action units that count as present in each face.

        Args:
            thresholds: Action unit -> probability from which it counts as present, such as
                `mien.core.ModelSpec.action_unit_thresholds`; `DEFAULT_THRESHOLD` for units that are not named.
        """
        limits = [thresholds.get(label, DEFAULT_THRESHOLD) for label in self.action_unit_labels]
        present = self.action_units.astype(np.float64) >= np.array(limits, np.float64)  # NaN is not present
        return [tuple(compress(self.action_unit_labels, row)) for row in present]

    def to_pandas(self) -> pd.DataFrame:
        """One row per face with the column names of the table contract.

        Raises:
            MissingExtraError: The package pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error
        columns: dict[str, Any] = {"track_id": self.track_ids, "confidence": self.confidence}
        columns |= {name: self.boxes[:, i] for i, name in enumerate(("x0", "y0", "x1", "y1"))}
        columns |= {f"{name}_rad": self.pose_rad[:, i] for i, name in enumerate(("pitch", "yaw", "roll"))}
        columns |= {"quality": self.quality, "expression": self.top_expressions()}
        columns |= {f"expression_{name}": self.expression[:, i] for i, name in enumerate(self.expression_labels)}
        columns |= {"valence": self.valence, "arousal": self.arousal}
        columns |= {name: self.action_units[:, i] for i, name in enumerate(self.action_unit_labels)}
        return pandas.DataFrame(columns)


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """One frame of a video and its faces.

    Attributes:
        index: Position in the stream, from 0, counting frames that were skipped or lost.
        time_s: Presentation time in seconds since the start of the stream, from the file's timestamps.
        faces: Faces found, possibly none.
        image: (H, W, 3) uint8 RGB if it was requested, else None.
        dark: Whether no face was found in it and it is so dark that one may have been missed.
    """

    index: int
    time_s: float
    faces: Faces
    image: Image | None = None
    dark: bool = False


@dataclass(frozen=True)
class FrameGap:
    """A span of a video whose frames are lost.

    Attributes:
        from_s: Time at which the first lost frame was due, in seconds since the start of the stream.
        to_s: Time of the next intact frame, or of the end of the video.
        n_frames: Number of lost frames; estimated from the span where their data are gone as well.
    """

    from_s: float
    to_s: float
    n_frames: int


def _validated(
    name: str, value: npt.ArrayLike, n_faces: int, shape: tuple[int | None, ...], dtype: type
) -> npt.NDArray[Any]:
    """A read-only view of the right dtype and shape."""
    array: npt.NDArray[Any] = np.asarray(value, dtype=dtype)
    expected = (n_faces, *shape)
    fits = array.ndim == len(expected) and all(
        want is None or want == got for want, got in zip(expected, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("?" if size is None else str(size) for size in expected)
        raise ConfigError(f"{name} must have shape ({wanted}), got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, kw_only=True)
class FaceSelector:
    """Rule that selects faces.

    Attributes:
        rule: ``"all"``; ``"largest"``, the largest box of each frame, whichever face that is; ``"track"``, one track;
            or ``"person"``, a person named in a table.
        track_id: Number of the track, None under the other rules.
        person: Name of the person, None under the other rules.

    Examples:
        >>> faces = Faces(boxes=[[0, 0, 9, 9], [0, 0, 20, 20]], track_ids=[3, 8])
        >>> FaceSelector.parse("largest").of(faces).track_ids.tolist()
        [8]
        >>> FaceSelector.parse("track=3").of(faces).track_ids.tolist()
        [3]
    """

    rule: Literal["all", "largest", "track", "person"] = "all"
    track_id: int | None = None
    person: str | None = None

    @classmethod
    def parse(cls, text: str) -> FaceSelector:
        """A selector from ``all``, ``largest``, ``track=3`` or ``person=patient``.

        Raises:
            ConfigError: The text is none of these.

        Examples:
            >>> FaceSelector.parse("track=3")
            FaceSelector(rule='track', track_id=3, person=None)
        """
        rule, _, value = text.partition("=")
        match rule:
            case "all" | "largest" if text == rule:
                return cls(rule=rule)
            case "track" if value.isascii() and value.isdecimal():
                return cls(rule=rule, track_id=int(value))
            case "person" if value:
                return cls(rule=rule, person=value)
        raise ConfigError(f"faces must be all, largest, track=ID or person=NAME, got {text!r}")

    @classmethod
    def for_media(cls, text: str) -> FaceSelector:
        """Like `parse`, for photos and videos, in which no person has a name yet.

        Raises:
            ConfigError: The text is no selector, or names a person.
        """
        if text.startswith("person="):
            raise ConfigError(f"{text}: persons are named in a table, by mien tracks; choose all, largest or track=ID")
        return cls.parse(text)

    def check_photo(self, name: str) -> None:
        """Refuse to select a track in a photo.

        Raises:
            InputError: The rule is a track.
        """
        if self.rule == "track":
            raise InputError(f"{name}: a photo has no tracks; choose all or largest for photos")

    def rows(self, boxes: Floats, track_ids: Integers) -> Indices:
        """Indices of the selected faces of one frame, ascending.

        Args:
            boxes: (N, 4) xyxy in pixels.
            track_ids: (N,) track numbers.
        """
        if self.rule == "largest" and len(boxes) > 1:
            extent = boxes[:, 2:] - boxes[:, :2]
            return np.array([extent.prod(axis=1).argmax()])
        if self.rule == "track":
            return np.flatnonzero(track_ids == self.track_id)
        return np.arange(len(boxes))

    def of(self, faces: Faces) -> Faces:
        """The selected faces of one frame."""
        return faces[self.rows(faces.boxes, faces.track_ids)]
