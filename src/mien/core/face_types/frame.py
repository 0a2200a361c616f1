# SPDX-License-Identifier: Apache-2.0
"""`Frame`, one frame of a video with its faces, and `FrameGap`, a span whose frames are lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from mien.core.arrays import Image
from mien.core.errors import InputError
from mien.core.face_types.faces import Faces


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """One frame of a video and its faces.

    Attributes:
        index: Position in the stream, from 0, counting frames that were skipped or lost.
        time_s: Presentation time in seconds since the start of the stream, from the file's timestamps.
        faces: Faces found, possibly none.
        image: (H, W, 3) uint8 RGB if it was requested, else None.
        dark: Whether no face was found in it and it is so dark that one may have been missed.

    Examples:
        >>> frame = Frame(index=3, time_s=0.12, faces=Faces(boxes=[[0, 0, 9, 9]]))
        >>> frame.index, frame.time_s, len(frame.faces)
        (3, 0.12, 1)
    """

    index: int
    time_s: float
    faces: Faces
    image: Image | None = None
    dark: bool = False

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, time_s={self.time_s:.3f}, faces={self.faces!r})"

    def _own_image(self) -> Image:
        if self.image is None:
            raise InputError("the frame holds no pixels; ask for them with analyzer.video(path, images=True)")
        return self.image

    def draw(self, **options: Any) -> Image:
        """A copy of the frame's pixels with boxes and predictions on it, see `Faces.draw`.

        Raises:
            InputError: The frame holds no pixels.
        """
        return self.faces.draw(self._own_image(), **options)

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the frame with boxes and predictions on it to an image file, see `Faces.save`.

        Raises:
            InputError: The frame holds no pixels.
            OutputError: The file cannot be written.
        """
        self.faces.save(path, self._own_image(), **options)

    def plot(self) -> Any:
        """A matplotlib plot of every face, with its pixels where the frame holds them, see `Faces.plot`."""
        return self.faces.plot(self.image)

    def show(self, **options: Any) -> None:
        """Show the frame with boxes and predictions on it, see `Faces.show`.

        Raises:
            InputError: The frame holds no pixels.
        """
        self.faces.show(self._own_image(), **options)

    def _repr_html_(self) -> str:
        """The faces as a table, as notebooks show it."""
        return f"<p>frame {self.index}, {self.time_s:.3f} s</p>{self.faces._repr_html_()}"


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
