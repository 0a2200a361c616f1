# SPDX-License-Identifier: Apache-2.0
"""A camera as a source of frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self, cast

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import InputError
from mien.media.frames import DecodeReport, VideoFrame, VideoInfo

_MAX_FAILED_READS = 30  # in a row: about a second without a picture


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that a camera needs; tests pass a fake."""

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        """Whether there is a camera to read from."""
        ...

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        """Whether it worked, and the next picture, (H, W, 3) blue first."""
        ...

    def get(self, prop: int, /) -> float:
        """A property by OpenCV's number, 0 if unknown."""
        ...

    def release(self) -> None:
        """Let go of the camera."""
        ...


def open_camera(
    index: int,
    *,
    connect: Callable[[int], Capture] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CameraReader:
    """Open a camera of this computer.

    Args:
        index: 0 for the first camera.
        connect: makes the capture; ``cv2.VideoCapture`` if None.
        clock: seconds that never go back.

    Returns:
        A `FrameSource` without end, to use in a ``with`` statement. It has taken its first picture already.

    Raises:
        InputError: there is no such camera, another program holds it, or it gives no picture.
    """
    if index < 0:
        raise InputError(f"camera {index}: cameras are numbered from 0")
    # OpenCV's stub has overloads on UMat that no fake should have to repeat.
    capture = cast(Capture, cv2.VideoCapture(index)) if connect is None else connect(index)
    try:
        if not capture.isOpened():
            advice = "check that it is plugged in, that access is allowed and that no other program uses it"
            raise InputError(f"camera {index}: cannot be opened; {advice}")
        return CameraReader(index, capture, clock)
    except BaseException:
        capture.release()
        raise


class CameraReader:
    """A `FrameSource` over a camera; made by `open_camera`.

    Times are those at which the pictures arrived, from 0 at the first. A failed read counts as a lost frame; after
    about a second of them the camera is taken as unplugged and the iteration ends, with a message in `report`.
    """

    def __init__(self, index: int, capture: Capture, clock: Callable[[], float]) -> None:
        self._index = index
        self._capture = capture
        self._clock = clock
        self._n_decoded = 0
        self._n_lost = 0
        self._messages: list[str] = []
        self._open = True
        first = self._read()
        if first is None:
            raise InputError(f"camera {index}: is there but gives no picture; check that no other program uses it")
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
        self._frames = self._taken(first)

    @property
    def info(self) -> VideoInfo:
        """Facts about the camera."""
        return self._info

    @property
    def report(self) -> DecodeReport:
        """What was read and lost so far."""
        return DecodeReport(n_decoded=self._n_decoded, n_lost=self._n_lost, messages=tuple(self._messages))

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the camera."""
        if self._open:
            self._open = False
            self._capture.release()

    def _taken(self, image: npt.NDArray[np.uint8]) -> Iterator[VideoFrame]:
        time_s = 0.0
        while True:
            # Every picture that came counts, so that a lost one leaves its number free.
            yield VideoFrame(index=self._n_decoded + self._n_lost - 1, time_s=time_s, image=image)
            following = self._read()
            if following is None:
                return
            image = following
            # Clocks tick coarsely on some systems; frames of one tick still differ.
            time_s = max(self._clock() - self._start, float(np.nextafter(time_s, np.inf)))

    def _read(self) -> npt.NDArray[np.uint8] | None:
        """The next picture as RGB; None when the camera is closed or gone."""
        for _ in range(_MAX_FAILED_READS):
            if not self._open:
                return None
            success, image = self._capture.read()
            if success and image is not None:
                self._n_decoded += 1
                return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            self._n_lost += 1
        self._messages.append(f"camera {self._index}: no picture in {_MAX_FAILED_READS} reads; it may be unplugged")
        return None
