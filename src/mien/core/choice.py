# SPDX-License-Identifier: Apache-2.0
"""`FaceChoice`: which faces of a picture or a table are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.core.errors import ConfigError, InputError
from mien.core.faces import Faces


@dataclass(frozen=True, kw_only=True)
class FaceChoice:
    """Which faces are wanted.

    Attributes:
        rule: ``"all"``; ``"largest"``, the largest box of each frame, whoever that is; ``"track"``, one track; or
            ``"person"``, whom a user has named in a table.
        track_id: of the track, None under the other rules.
        person: the name, None under the other rules.
    """

    rule: Literal["all", "largest", "track", "person"] = "all"
    track_id: int | None = None
    person: str | None = None

    @classmethod
    def parse(cls, text: str) -> FaceChoice:
        """A choice from ``all``, ``largest``, ``track=3`` or ``person=patient``.

        Raises:
            ConfigError: it is none of these.
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
    def of_pixels(cls, text: str) -> FaceChoice:
        """Like `parse`, where nobody has been named yet.

        Raises:
            ConfigError: it is no choice, or a person.
        """
        if text.startswith("person="):
            raise ConfigError(f"{text}: persons are named in a table, by mien tracks; choose all, largest or track=ID")
        return cls.parse(text)

    def check_photo(self, name: str) -> None:
        """Refuse to look for a track in a photo.

        Raises:
            InputError: a track is wanted.
        """
        if self.rule == "track":
            raise InputError(f"{name}: a photo has no tracks; choose all or largest for photos")

    def rows(self, boxes: npt.NDArray[np.floating], track_ids: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
        """Indices of the wanted faces of one frame, ascending.

        Args:
            boxes: (N, 4) xyxy.
            track_ids: (N,).
        """
        if self.rule == "largest" and len(boxes) > 1:
            extent = boxes[:, 2:] - boxes[:, :2]
            return np.array([extent.prod(axis=1).argmax()])
        if self.rule == "track":
            return np.flatnonzero(track_ids == self.track_id)
        return np.arange(len(boxes))

    def of(self, faces: Faces) -> Faces:
        """The wanted ones of the faces of one frame."""
        return faces[self.rows(faces.boxes, faces.track_ids)]
