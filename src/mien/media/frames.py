# SPDX-License-Identifier: Apache-2.0
"""`FrameSource`, the interface of video files and cameras, and the conversion of frames to upright RGB images."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import av
import cv2
import numpy as np
from av.buffer import Buffer
from av.video.reformatter import ColorRange, VideoReformatter

from mien.core import FrameGap, Image, InputError
from mien.media.images import MAX_PIXELS, upright
from mien.media.timeline import Place, Timeline


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Facts about a video or a camera.

    Attributes:
        path: Path of the file; None for a camera.
        name: Name of the source in messages and tables.
        width: Width of the upright image in square pixels.
        height: Height of the upright image in square pixels.
        codec: FFmpeg's name of the codec; ``"camera"`` for a camera.
        average_fps: Average frame rate in frames per second, None if unknown. Use `VideoFrame.time_s` for times.
        duration_s: Declared duration in seconds, None if unknown.
        start_offset_s: Timestamp of the stream, in seconds, at time 0 of its frames.
        n_frames_declared: Number of frames that the container declares, None if it declares none; it may count
            hidden frames.
        rotation_deg: Clockwise rotation that was applied, one of 0, 90, 180 and 270.
        other_video_streams: Video streams of the file that are not read, for messages; cover pictures do not count.
        assumed_fps: Frame rate that times rest on where the file has no timestamps or no rate; else None.
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
    other_video_streams: tuple[str, ...] = ()
    assumed_fps: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: Index in the stream, from 0; skipped frames and frames known to be lost are counted.
        time_s: Seconds since the start of the stream, from the file's timestamps; strictly increasing.
        image: (H, W, 3) uint8 RGB, C-contiguous, always of the size in `VideoInfo`.

    Examples:
        >>> frame = VideoFrame(index=0, time_s=0.0, image=np.full((2, 2, 3), (255, 0, 0), np.uint8))
        >>> frame.gray.tolist()
        [[76, 76], [76, 76]]
    """

    index: int
    time_s: float
    image: Image

    @cached_property
    def gray(self) -> Image:
        """(H, W) uint8 grayscale image, the luma of BT.601."""
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """Numbers of decoded and lost frames so far.

    Attributes:
        n_decoded: Number of intact frames, those that were not requested included.
        n_lost: Number of frames that were corrupt, undecodable, cut off, or skipped with damaged bytes. Where their
            data are gone as well, the number is estimated from timestamps and the declared duration.
        messages: What was lost or estimated, and where, for people to read; the list is capped.
        gaps: The spans of time without these frames, in order.
        complete: False if the end was reached and the file is cut off by an unknown number of frames.
    """

    n_decoded: int
    n_lost: int
    messages: tuple[str, ...] = ()
    gaps: tuple[FrameGap, ...] = ()
    complete: bool = True


class FrameSource(Protocol):
    """Source of frames that is read once and in order; closing it early ends the iteration."""

    @property
    def info(self) -> VideoInfo:
        """Facts about the source, available before the first frame is read."""
        ...

    @property
    def report(self) -> DecodeReport:
        """Numbers of decoded and lost frames so far."""
        ...

    def __iter__(self) -> Iterator[VideoFrame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Release the source; further calls do nothing."""
        ...


class OpenFrames:
    """What every `FrameSource` has in common: it is open until it is closed, and its frames are read once.

    A subclass sets ``_info`` and ``_frames`` when it opens, and defines ``_release`` and `report`.
    """

    _info: VideoInfo
    _frames: Iterator[VideoFrame]
    _open = True
    _n_decoded = 0

    @property
    def info(self) -> VideoInfo:
        """Facts about the source."""
        return self._info

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the source; frames not read yet are gone, and further calls do nothing."""
        if self._open:
            self._open = False
            self._release()

    def _release(self) -> None:
        raise NotImplementedError


class DecodedFrames(OpenFrames):
    """`OpenFrames` of a container of PyAV, whose losses a `Timeline` counts."""

    _container: av.container.InputContainer
    _timeline: Timeline
    _complete = True

    @property
    def report(self) -> DecodeReport:
        """Numbers of decoded and lost frames so far; final at the end of the iteration."""
        return DecodeReport(
            n_decoded=self._n_decoded,
            n_lost=self._timeline.n_lost,
            messages=self._timeline.messages,
            gaps=self._timeline.gaps,
            complete=self._complete,
        )

    def _release(self) -> None:
        self._container.close()


# A pixel aspect ratio beyond this comes from a damaged header.
_MAX_STRETCH = 4

# Signs of the display matrix (x' = ax + cy, y' = bx + dy, y down) -> the EXIF orientation that does the same.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_ORIENTATION_OF_TURN = (1, 8, 3, 6)  # by quarter turns counter-clockwise
_CLOCKWISE_DEG = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}

# 8-bit pixel formats whose first plane is the luma. Those with a J always use the full range.
_FULL_RANGE = frozenset({"gray", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"})
_LUMA_FIRST = _FULL_RANGE | {"nv12", "nv21", "yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"}
# Video range, in which 16 is black and 235 is white (ITU-R BT.601, BT.709), becomes full range.
_BLACK, _STRETCH = 16, 255 / (235 - 16)


class FrameConverter:
    """Converts decoded frames to RGB arrays of one size; thread-safe.

    The first frame determines size and orientation. A later frame of another size is fitted in with black bars, so
    that boxes and tracks stay comparable. Interlaced frames show only their upper field with interpolated lines, which
    avoids comb artefacts at half the vertical resolution.

    Args:
        frame: First frame of the stream.
        pixel_aspect: Declared width of a pixel over its height; None or 0 if undeclared.
        name: Name of the video in messages.
        codec: FFmpeg's name of the codec.

    Raises:
        InputError: The image is too large.
    """

    def __init__(self, frame: av.VideoFrame, pixel_aspect: Fraction | None, name: str, codec: str = "") -> None:
        self._pixel_aspect = _plausible(pixel_aspect)
        self._orientation = _orientation(frame, codec)
        self._reformatter = VideoReformatter()
        self._reformatting = threading.Lock()
        self._first_size = frame.width, frame.height
        self._last_layout: tuple[object, ...] = ()
        self._name = name
        width, height = self._square_size(frame)
        self.rotation_deg = _CLOCKWISE_DEG.get(self._orientation, 0)
        self.width, self.height = (height, width) if self._orientation >= 5 else (width, height)

    def __call__(self, frame: av.VideoFrame) -> Image:
        """(height, width, 3) uint8 RGB, C-contiguous.

        Raises:
            InputError: The frame is too large.
        """
        width, height = self._square_size(frame)
        with self._reformatting:
            converted = self._reformatter.reformat(frame, width, height, format="rgb24")
        image = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        if frame.interlaced_frame and height > 1:
            image = np.asarray(cv2.resize(image[::2], (width, height)), dtype=np.uint8)
        image = np.ascontiguousarray(upright(image, self._orientation))
        return image if image.shape[:2] == (self.height, self.width) else self._fitted(image)

    def frame(self, frame: av.VideoFrame, place: Place) -> VideoFrame:
        """The frame with its index and time; its pixels are converted on demand.

        The conversion of colours costs as much as decoding, and inference on grayscale faces rarely needs them. The
        first frame of a pixel format is converted at once, so that a failing conversion is detected here.

        Raises:
            InputError: The frame is too large.
            av.FFmpegError: The colours cannot be converted.
        """
        lazy = LazyFrame(
            place, partial(self, frame), partial(_luma, frame, self._orientation) if self._has_luma(frame) else None
        )
        layout = (
            frame.format.name,
            frame.colorspace,
            frame.color_range,
            frame.width,
            frame.height,
            frame.interlaced_frame,
        )
        if layout != self._last_layout:
            lazy.image  # noqa: B018
            self._last_layout = layout
        return lazy

    def _has_luma(self, frame: av.VideoFrame) -> bool:
        """Whether the stored luma is the grayscale image, up to rotations by 90 degrees."""
        return (
            frame.format.name in _LUMA_FIRST
            and (frame.width, frame.height) == self._first_size
            and self._pixel_aspect == 1
            and not frame.interlaced_frame
        )

    def _square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(width, height) in square pixels, never smaller than stored."""
        width, height = frame.width, frame.height
        if self._pixel_aspect > 1:
            width = round(width * self._pixel_aspect)
        elif self._pixel_aspect < 1:
            height = round(height / self._pixel_aspect)
        if width * height > MAX_PIXELS:
            limit = MAX_PIXELS // 1_000_000
            raise InputError(f"{self._name}: frames of {width} x {height} are more than {limit} megapixels")
        return width, height

    def _fitted(self, image: Image) -> Image:
        height, width = image.shape[:2]
        scale = min(self.width / width, self.height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        left, top = (self.width - size[0]) // 2, (self.height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return canvas


class LazyFrame(VideoFrame):
    """A frame whose pixels are converted at the first access and cached.

    Args:
        place: Index and time of the frame.
        make_image: Function that returns the RGB image.
        make_gray: Function that returns the grayscale image; None if it is computed from the RGB image.
    """

    _make_image: Callable[[], Image]
    _make_gray: Callable[[], Image] | None

    def __init__(self, place: Place, make_image: Callable[[], Image], make_gray: Callable[[], Image] | None) -> None:
        # Frozen dataclasses set their fields in the same way; `image` is a cached property.
        object.__setattr__(self, "index", place.index)
        object.__setattr__(self, "time_s", place.time_s)
        object.__setattr__(self, "_make_image", make_image)
        object.__setattr__(self, "_make_gray", make_gray)

    @cached_property
    def image(self) -> Image:
        """(H, W, 3) uint8 RGB, see `VideoFrame`."""
        return self._make_image()

    @cached_property
    def gray(self) -> Image:
        """(H, W) uint8, see `VideoFrame.gray`; the stored luma if there is one, in the standard of the file."""
        return super().gray if self._make_gray is None else self._make_gray()


def _plausible(pixel_aspect: Fraction | None) -> Fraction:
    if not pixel_aspect or not Fraction(1, _MAX_STRETCH) <= pixel_aspect <= _MAX_STRETCH:
        return Fraction(1)
    return Fraction(pixel_aspect)


# Decoders whose side data have metadata (the name of a colour profile): PyAV 18 frees those metadata twice once its
# side data are collected, which ends the process.
_NAMED_SIDE_DATA = {"png", "apng"}


def _orientation(frame: av.VideoFrame, codec: str) -> int:
    """EXIF orientation of the frame's display matrix, rounded to a multiple of 90 degrees."""
    # The angle alone does not distinguish mirrored images.
    of_angle = _ORIENTATION_OF_TURN[round(frame.rotation / 90) % 4]
    if codec in _NAMED_SIDE_DATA:
        return of_angle
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        return of_angle  # PyAV cannot list side data of an unknown type (3-D videos have some)
    if not isinstance(matrix, Buffer):
        return 1
    # Nine 32-bit numbers by rows; the third column is perspective, the last row is a translation.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        b = c = 0
    else:
        a = d = 0
    return _ORIENTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), 1)


def _luma(frame: av.VideoFrame, orientation: int) -> Image:
    """(H, W) uint8 stored luma of a frame, upright and in full range."""
    plane = frame.planes[0]
    rows: Image = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # planes are buffers, which the stubs do not declare
    stored = rows.reshape(plane.height, plane.line_size)[:, : plane.width]
    if frame.format.name not in _FULL_RANGE and frame.color_range != ColorRange.JPEG:
        # A weighted sum with weight 0 rounds and saturates like a lookup table, in a third of the time.
        stored = np.asarray(cv2.addWeighted(stored, _STRETCH, stored, 0, -_BLACK * _STRETCH), dtype=np.uint8)
    return np.ascontiguousarray(upright(stored, orientation))


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
