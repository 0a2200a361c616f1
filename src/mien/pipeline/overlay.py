# SPDX-License-Identifier: Apache-2.0
"""The picture or video with everything drawn on it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from mien.core import Frame, OutputError
from mien.media import SAVE_SUFFIXES, VideoInfo, VideoWriter, draw_faces, save_image


class Overlay(Protocol):
    """Takes analysed frames with their images, in order."""

    def write(self, frame: Frame) -> None:
        """Draw one."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NoOverlay:
    """Draws nothing."""

    def write(self, frame: Frame) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class ImageOverlay(NoOverlay):
    """One drawn picture.

    Raises:
        OutputError: the ending is not that of an image, or (later) the file cannot be written.
    """

    def __init__(self, path: Path, *, anonymous: bool) -> None:
        if path.suffix.lower() not in SAVE_SUFFIXES:
            raise OutputError(f"{path}: the overlay of an image must be an image, for example .png")
        self._path = path
        self._anonymous = anonymous

    def write(self, frame: Frame) -> None:
        """Draw the faces and save the picture."""
        if frame.image is not None:
            save_image(self._path, draw_faces(frame.image, frame.faces, anonymous=self._anonymous))


class VideoOverlay:
    """A drawn video with the timestamps of its source."""

    def __init__(self, path: Path, info: VideoInfo, *, every: int, anonymous: bool) -> None:
        fps = (info.average_fps or 30.0) / every
        self._writer = VideoWriter(path, info.width, info.height, fps=fps)
        self._anonymous = anonymous

    def write(self, frame: Frame) -> None:
        """Draw the faces and append the picture at its time."""
        if frame.image is not None:
            self._writer.write(draw_faces(frame.image, frame.faces, anonymous=self._anonymous), frame.time_s)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)
