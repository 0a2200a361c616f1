# SPDX-License-Identifier: Apache-2.0
"""`CameraReader`, the `FrameSource` of a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import cv2
import numpy as np

from mien.core import Image, InputError
from mien.media.frames import DecodeReport, OpenFrames, VideoFrame, VideoInfo

_MAX_FAILED_READS = 30  # in a row: about one second without an image


class Capture(Protocol):
    """Interface of ``cv2.VideoCapture`` that a camera needs; tests pass a fake."""

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        """Whether the camera is open."""
        ...

    def read(self) -> tuple[bool, Image | None]:
        """Whether the read succeeded, and the next image, (H, W, 3) in BGR order."""
        ...

    def get(self, prop: int, /) -> float:
        """Value of a property by OpenCV's number, 0 if unknown."""
        ...

    def release(self) -> None:
        """Release the camera."""
        ...


def open_camera(
    index: int,
    *,
    connect: Callable[[int], Capture] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CameraReader:
    """Open a camera of this computer.

    Args:
        index: Number of the camera, from 0.
        connect: Function that opens the capture; ``cv2.VideoCapture`` if None.
        clock: Monotonic clock in seconds.

    Returns:
        An endless `FrameSource`, to use in a ``with`` statement. It has read its first image already.

    Raises:
        InputError: There is no such camera, another program uses it, or it gives no image.
    """
    if index < 0:
        raise InputError(f"camera {index}: cameras are numbered from 0")
    # OpenCV's stub has overloads for UMat, which a fake does not need.
    capture = cast(Capture, cv2.VideoCapture(index)) if connect is None else connect(index)
    try:
        if not capture.isOpened():
            advice = "check that it is plugged in, that access is allowed and that no other program uses it"
            raise InputError(f"camera {index}: cannot be opened; {advice}")
        return CameraReader(index, capture, clock)
    except BaseException:
        capture.release()
        raise


class CameraReader(OpenFrames):
    """`FrameSource` of a camera, created by `open_camera`.

    The time of a frame is its arrival, counted from the first frame. A failed read counts as a lost frame; after
    about one second of failed reads the iteration ends with a message in `report`.
    """

    def __init__(self, index: int, capture: Capture, clock: Callable[[], float]) -> None:
        self._index = index
        self._capture = capture
        self._clock = clock
        self._n_lost = 0
        self._messages: list[str] = []
        first = self._read()
        if first is None:
            raise InputError(f"camera {index}: opens but gives no image; check that no other program uses it")
        self._start = clock()
        fps = capture.get(cv2.CAP_PROP_FPS)
        height, width = first.shape[:2]
        self._info = VideoInfo(
            path=None,
            name=f"camera {index}",
            width=width,
            height=height,
            codec="camera",
            average_fps=fps if fps > 0 else None,
        )
        self._frames = self._read_frames(first)

    @property
    def report(self) -> DecodeReport:
        """Numbers of frames read and lost so far."""
        return DecodeReport(n_decoded=self._n_decoded, n_lost=self._n_lost, messages=tuple(self._messages))

    def _release(self) -> None:
        self._capture.release()

    def _read_frames(self, image: Image) -> Iterator[VideoFrame]:
        time_s = 0.0
        while True:
            # Lost frames keep their numbers.
            yield VideoFrame(index=self._n_decoded + self._n_lost - 1, time_s=time_s, image=image)
            following = self._read()
            if following is None:
                return
            image = following
            # On systems with a coarse clock, frames within one tick still get increasing times.
            time_s = max(self._clock() - self._start, float(np.nextafter(time_s, np.inf)))

    def _read(self) -> Image | None:
        """The next image as RGB; None if the camera is closed or unplugged."""
        for _ in range(_MAX_FAILED_READS):
            if not self._open:
                return None
            success, image = self._capture.read()
            if success and image is not None:
                self._n_decoded += 1
                return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            self._n_lost += 1
        self._messages.append(f"camera {self._index}: no image in {_MAX_FAILED_READS} reads; it may be unplugged")
        return None
