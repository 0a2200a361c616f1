# SPDX-License-Identifier: Apache-2.0
"""What every source of frames gives, whether a file or a camera: `FrameSource` and its frozen records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Facts about a video or a camera.

    Attributes:
        path: the file; None for a camera.
        name: what messages and tables call the source.
        width: pixels as shown: upright and with square pixels.
        height: pixels as shown.
        codec: FFmpeg's name of the codec, ``"camera"`` for a camera.
        average_fps: frames per second on average, None if unknown. Never a clock: frames carry their own times.
        duration_s: seconds as the file declares them, None if unknown.
        start_offset_s: what the file's own clock shows at our second 0.
        n_frames_declared: frames as the container counts them, None if it does not; it may count hidden ones.
        rotation_deg: clockwise turn that was applied, one of 0, 90, 180, 270.
    """

    path: Path | None
    name: str
    width: int
    height: int
    codec: str
    average_fps: float | None = None
    duration_s: float | None = None
    start_offset_s: float = 0.0
    n_frames_declared: int | None = None
    rotation_deg: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class VideoFrame:
    """One picture of a video.

    Attributes:
        index: position in the stream from 0; frames that were skipped or are known to be lost have their numbers.
        time_s: seconds since the start of the stream, from the file's timestamps; strictly increasing.
        image: (H, W, 3) uint8 RGB, C-contiguous, always of the size that `VideoInfo` tells.
    """

    index: int
    time_s: float
    image: npt.NDArray[np.uint8]

    @cached_property
    def gray(self) -> npt.NDArray[np.uint8]:
        """(H, W) uint8, the same picture in gray by the luma of BT.601."""
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """What became of the stream so far.

    Attributes:
        n_decoded: intact pictures, also those that were not asked for.
        n_lost: pictures that the file announced but that were corrupt, undecodable or cut off.
        messages: what was lost or estimated, and where, for people to read; the list is capped.
        complete: False where the end was reached and the file turned out to be cut off, by an unknown number of frames.
    """

    n_decoded: int
    n_lost: int
    messages: tuple[str, ...] = ()
    complete: bool = True


class FrameSource(Protocol):
    """Something to read frames from, once, in order. Closing it early is allowed and ends the iteration."""

    @property
    def info(self) -> VideoInfo:
        """Facts about the source, known before the first frame is read."""
        ...

    @property
    def report(self) -> DecodeReport:
        """What was decoded and lost so far."""
        ...

    def __iter__(self) -> Iterator[VideoFrame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Release the source; calling it again does nothing."""
        ...
