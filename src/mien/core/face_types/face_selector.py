# SPDX-License-Identifier: Apache-2.0
"""`FaceSelector`, the rule by which a user selects faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mien.core.arrays import Floats, Indices, Integers
from mien.core.errors import ConfigError, InputError
from mien.core.face_types.faces import Faces

_MAX_TRACK_DIGITS = 9  # below the limit of the table's 32 bits


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
            case "track" if value.isascii() and value.isdecimal() and len(value) <= _MAX_TRACK_DIGITS:
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
        rows = self.rows(faces.boxes, faces.track_ids)
        return faces if len(rows) == len(faces) else faces[rows]
