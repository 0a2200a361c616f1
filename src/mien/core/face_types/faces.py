# SPDX-License-Identifier: Apache-2.0
"""`Faces`, the result type for 0, 1 or N faces of an image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import compress
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from mien.core.arrays import Bools, Float32, Floats, Image, Indices, Int64
from mien.core.errors import ConfigError, MissingExtraError
from mien.core.face_types.face import Face, NamedValues
from mien.core.face_types.face_arrays import FACE_ARRAYS, validated_array
from mien.core.face_types.face_uncertainty import uncertain_columns, uncertain_numbers
from mien.core.labels import ACTION_UNIT_SIDES, DEFAULT_THRESHOLD
from mien.core.text import html_table
from mien.core.uncertainty import ABSTAIN_REASONS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Index = int | slice | Bools | Indices | list[int]

_SHOWN_FACES = 6  # in a repr

_AFFECT = (
    *("expression", "valence", "arousal", "action_units", "action_unit_intensity", "action_unit_sides"),
    *("valence_interval", "arousal_interval", "action_unit_intervals"),
)

# Stands for "not given": replaced by a filled array of the right length before anyone can see it.
_FILL: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Faces:
    """The N >= 0 faces of one image and everything known about them, as read-only arrays.

    Arrays that are not given are filled with NaN (``track_ids`` with -1), so every field always has N rows.
    An index, a mask or a slice selects faces and gives `Faces` again, the name of a table column gives its values, and
    iteration gives every `Face` with plain numbers.

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
            image, lowered where the face is hidden (`mien.faces.QualityModel`); NaN for crops that are read whole and
            for bundles without a quality model.
        expression: (N, E) float32 probabilities that sum to 1 over ``expression_labels``.
        valence: (N,) float32 in [-1, 1], unpleasant to pleasant.
        arousal: (N,) float32 in [-1, 1], calm to excited.
        action_units: (N, A) float32 probabilities of ``action_unit_labels``, independent of each other.
        action_unit_intensity: (N, A) float32 intensities of the same units, 0 (absent) to 5 (maximum) as in FACS; NaN
            where the bundle gives none.
        action_unit_sides: (N, 24) float32 intensities of the person's own left and right side, 0 to 5, in the order of
            `mien.ACTION_UNIT_SIDES`; NaN where the bundle gives none.
        features: (N, D) float32 embedding of the affect model; D = 0 unless it was requested.
        numbers: (N,) int64, the number of each face in its image, counted from 1 at the left by the centres of the
            boxes; a selected face keeps its number.
        covered: (N,) float32 in [0, 1], estimated probability that something covers the face; NaN without a
            calibration in the bundle, as the fields that follow.
        unfamiliar: (N,) float32 in [0, 1], estimated probability that this is a drawing, a statue, an animal, a mask
            or a pattern.
        view_spread: (N,) float32 in [0, 1], mean distance of the expression probabilities of further views (mirrored,
            shifted, scaled) from these, as total variation; NaN unless views were requested.
        expression_sets: (N, E) bool, the expressions that stay possible at the coverage of the bundle's calibration.
        valence_interval: (N, 2) float32, lower and upper end in [-1, 1].
        arousal_interval: (N, 2) float32, lower and upper end in [-1, 1].
        action_unit_intervals: (N, A, 2) float32, lower and upper end in [0, 1].
        abstain: (N, 4) bool, which of `mien.core.ABSTAIN_REASONS` apply; the predictions are there all the same.
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
        >>> faces["expression_happiness"].tolist() == faces.expression[:, 1].tolist()
        True
        >>> [(face.number, face.expression) for face in faces]
        [(1, 'neutral'), (2, 'happiness')]
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
    action_unit_intensity: Float32 = _FILL
    action_unit_sides: Float32 = _FILL
    features: Float32 = _FILL
    numbers: Int64 = _FILL
    covered: Float32 = _FILL
    unfamiliar: Float32 = _FILL
    view_spread: Float32 = _FILL
    expression_sets: Bools = _FILL
    valence_interval: Float32 = _FILL
    arousal_interval: Float32 = _FILL
    action_unit_intervals: Float32 = _FILL
    abstain: Bools = _FILL
    expression_labels: tuple[str, ...] = ()
    action_unit_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_faces = len(self.boxes)
        if self.numbers is None:
            object.__setattr__(self, "numbers", numbers_from_left(np.asarray(self.boxes)))
        n_units = len(self.action_unit_labels)
        own_length = {
            "expression": len(self.expression_labels),
            "action_units": n_units,
            "action_unit_intensity": n_units,
            "expression_sets": len(self.expression_labels),
            "action_unit_intervals": n_units,
        }
        for name, (shape, dtype, fill) in FACE_ARRAYS.items():
            value = getattr(self, name)
            if value is None:
                lengths = [own_length.get(name, 0) if size is None else size for size in shape]
                value = np.full((n_faces, *lengths), fill, dtype=dtype)
            object.__setattr__(self, name, validated_array(name, value, n_faces, shape, dtype))
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

    @overload
    def __getitem__(self, index: Index) -> Faces: ...

    @overload
    def __getitem__(self, index: str) -> npt.NDArray[Any]: ...

    def __getitem__(self, index: Index | str) -> Faces | npt.NDArray[Any]:
        """The selected faces as a new `Faces` (an integer gives one of length 1), or a column as an (N,) array.

        Examples:
            >>> faces = Faces(boxes=np.zeros((3, 4)), track_ids=[4, 7, 9])
            >>> faces[[2, 0]].track_ids.tolist(), faces[-1].track_ids.tolist()
            ([9, 4], [9])
            >>> faces["track_id"].tolist()
            [4, 7, 9]
        """
        if isinstance(index, str):
            return np.asarray(NamedValues(self._columns())[index])
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"face {index} of {len(self)}")
            index = [int(index)]
        chosen: dict[str, Any] = {name: getattr(self, name)[index] for name in FACE_ARRAYS}
        return replace(self, **chosen)

    def __iter__(self) -> Iterator[Face]:
        tops = self.top_expressions()
        return (self._face(row, number, tops[row]) for row, number in enumerate(self.numbers.tolist()))

    def _face(self, row: int, number: int, expression: str | None) -> Face:
        pitch, yaw, roll = map(_known, self.pose_rad[row])
        left, top, right, bottom = map(float, self.boxes[row])
        track_id = int(self.track_ids[row])
        uncertain = {name: _known(values[row]) for name, values in uncertain_numbers(self).items()}
        possible, reasons = (
            tuple(compress(names, members[row]))
            for names, members in ((self.expression_labels, self.expression_sets), (ABSTAIN_REASONS, self.abstain))
        )
        return Face(
            number=number,
            box=(left, top, right, bottom),
            confidence=_known(self.confidence[row]),
            track_id=track_id if track_id >= 0 else None,
            pitch_rad=pitch,
            yaw_rad=yaw,
            roll_rad=roll,
            quality=_known(self.quality[row]),
            expression=expression,
            probabilities=_named(self.expression_labels, self.expression[row]),
            valence=_known(self.valence[row]),
            arousal=_known(self.arousal[row]),
            au=_named(self.action_unit_labels, self.action_units[row]),
            landmarks=self.landmarks[row],
            keypoints=self.keypoints[row],
            possible_expressions=possible,
            abstain=reasons,
            **uncertain,
        )

    def __repr__(self) -> str:
        shown = [top or "unknown" for top in self.top_expressions()[:_SHOWN_FACES]]
        more = ["..."] if len(self) > _SHOWN_FACES else []
        return f"Faces(n={len(self)}: {', '.join([*shown, *more])})" if len(self) else "Faces(n=0)"

    @classmethod
    def concatenate(cls, parts: Sequence[Faces]) -> Faces:
        """All faces of several `Faces` of one bundle, such as those of many photos, in order.

        Args:
            parts: `Faces` with the same labels, at least one.

        Raises:
            ConfigError: There are no parts, or their labels differ.

        Examples:
            >>> one, two = Faces(boxes=np.zeros((1, 4))), Faces(boxes=np.zeros((2, 4)))
            >>> len(Faces.concatenate([one, two]))
            3
        """
        if not parts:
            raise ConfigError("there are no faces to concatenate: give at least one Faces")
        for name in ("expression_labels", "action_unit_labels"):
            if len({getattr(part, name) for part in parts}) > 1:
                raise ConfigError(f"the faces differ in their {name}: they come from different bundles")
        joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in FACE_ARRAYS}
        return replace(parts[0], **joined)

    def au(self, name: str) -> Float32:
        """(N,) probabilities of one action unit, such as ``"AU12"``; `action_unit_labels` lists those of the bundle.

        Raises:
            KeyError: The bundle does not predict it.

        Examples:
            >>> faces = Faces(boxes=np.zeros((2, 4)), action_units=[[0.25], [0.75]], action_unit_labels=("AU12",))
            >>> faces.au("AU12").tolist()
            [0.25, 0.75]
            >>> faces.au("AU09")
            Traceback (most recent call last):
            KeyError: "no 'AU09' here; there are: AU12"
        """
        return np.asarray(NamedValues(zip(self.action_unit_labels, self.action_units.T, strict=True))[name])

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
        return replace(self, **kept, expression_sets=self.expression_sets & ~rows[:, None])

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
        return pandas.DataFrame(self._columns())

    def to_dict(self) -> dict[str, list[Any]]:
        """Column of the table contract -> one value per face; None where nothing is known.

        Examples:
            >>> Faces(boxes=[[0, 0, 8, 8]], valence=[0.5]).to_dict()["valence"]
            [0.5]
        """
        return {name: [_plain(value) for value in list(column)] for name, column in self._columns().items()}

    def to_arrow(self) -> pa.Table:
        """One row per face as a `pyarrow.Table` with the column names of the table contract; null where unknown."""
        import pyarrow

        return pyarrow.table(self.to_dict())

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"track_id": self.track_ids, "confidence": self.confidence}
        columns |= {name: self.boxes[:, i] for i, name in enumerate(("x0", "y0", "x1", "y1"))}
        columns |= {f"{name}_rad": self.pose_rad[:, i] for i, name in enumerate(("pitch", "yaw", "roll"))}
        columns |= {"quality": self.quality, "expression": self.top_expressions()}
        columns |= {f"expression_{name}": self.expression[:, i] for i, name in enumerate(self.expression_labels)}
        columns |= {"valence": self.valence, "arousal": self.arousal}
        columns |= {name: self.action_units[:, i] for i, name in enumerate(self.action_unit_labels)}
        known = [bool(column.any()) for column in np.isfinite(self.action_unit_intensity).T]  # of a bundle with them
        intensities = {
            f"{name}_intensity": self.action_unit_intensity[:, i]
            for i, name in enumerate(self.action_unit_labels)
            if known[i]
        }
        sides = {
            f"{name}_intensity": self.action_unit_sides[:, i]
            for i, name in enumerate(ACTION_UNIT_SIDES)
            if np.isfinite(self.action_unit_sides[:, i]).any()
        }
        return columns | {"face": self.numbers} | intensities | uncertain_columns(self) | sides

    def draw(self, image: Any, **options: Any) -> Image:
        """A copy of the image with boxes and predictions on it.

        Args:
            image: The image that was analysed: a path, an (H, W, 3) uint8 RGB array or a PIL image.
            **options: Options of `mien.draw_faces`.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            InputError: The image cannot be read.
        """
        drawn: Image = _view("mien.media", "draw_faces")(image, self, **options)
        return drawn

    def save(self, path: str | os.PathLike[str], image: Any, **options: Any) -> None:
        """Write the image with boxes and predictions on it to a file.

        Args:
            path: Image file to write; its ending decides the format.
            image: The image that was analysed, as for `draw`.
            **options: Options of `mien.draw_faces`.

        Raises:
            InputError: The image cannot be read.
            OutputError: The file cannot be written.
        """
        _view("mien.media", "save_image")(path, self.draw(image, **options))

    def plot(self, image: Any = None) -> Any:
        """A matplotlib plot with the probabilities of every face beside its pixels, see `mien.results.plot_faces`.

        Args:
            image: The image that was analysed, as for `draw`; None plots without pixels.

        Returns:
            The plot, a matplotlib object that notebooks show and `savefig` writes.

        Raises:
            MissingExtraError: The extra ``plot`` is not installed.
        """
        return _view("mien.results", "plot_faces")(self, image)

    def show(self, image: Any, **options: Any) -> None:
        """Show the image with boxes and predictions on it, in a notebook or a window.

        Args:
            image: The image that was analysed, as for `draw`.
            **options: Options of `mien.draw_faces`.

        Raises:
            MissingExtraError: The extra ``plot`` is not installed.
        """
        _view("mien.results", "show_image")(self.draw(image, **options))

    def _repr_html_(self) -> str:
        """One row per face, as notebooks show it."""
        names = ("face", "track_id", "expression", "probability", "valence", "arousal", "quality")
        rows = []
        for face in self:
            top = None if face.expression is None else face.probabilities[face.expression]
            values = (face.number, face.track_id, face.expression, top, face.valence, face.arousal, face.quality)
            rows.append((*values, *face.au.values()))
        return html_table((*names, *self.action_unit_labels), rows)


def numbers_from_left(boxes: Floats) -> Int64:
    """(N,) int64: the number of each box, counted from 1 at the left by the centres of the boxes.

    Args:
        boxes: (N, 4) xyxy in pixels.

    Examples:
        >>> numbers_from_left(np.array([[80, 0, 90, 9], [10, 0, 20, 9]])).tolist()
        [2, 1]
    """
    numbers = np.empty(len(boxes), np.int64)
    with np.errstate(invalid="ignore"):  # boxes may be unknown
        numbers[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")] = np.arange(1, len(boxes) + 1)
    return numbers


def _view(package: str, name: str) -> Any:
    """A function that draws or plots, found by name as pandas finds its plotting backend: core imports no pixels."""
    return getattr(import_module(package), name)


def _plain(value: Any) -> Any:
    """A value of a column as a number or text; None where nothing is known."""
    if value is None or isinstance(value, str):
        return value
    return _known(float(value)) if isinstance(value, np.floating) else int(value) if value >= 0 else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _named(labels: Sequence[str], values: Float32) -> NamedValues:
    return NamedValues(zip(labels, map(_known, values), strict=True))
