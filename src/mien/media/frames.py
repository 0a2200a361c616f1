# SPDX-License-Identifier: Apache-2.0
"""`FrameSource`, the port of files and cameras, and the conversion of a decoded frame to an upright RGB picture."""

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
import numpy.typing as npt
from av.buffer import Buffer
from av.video.reformatter import ColorRange, VideoReformatter

from mien.core import InputError
from mien.media.images import MAX_PIXELS, upright
from mien.media.timeline import Place


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


Image = npt.NDArray[np.uint8]

# Pixels more stretched than this are a damaged header, not a film.
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

# Pixel formats of 8 bits whose first plane is the luma. Those with a J always use its full range.
_FULL_RANGE = frozenset({"gray", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"})
_LUMA_FIRST = _FULL_RANGE | {"nv12", "nv21", "yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p"}
# Video range, where 16 is black and 235 white (ITU-R BT.601, BT.709), becomes full range.
_BLACK, _STRETCH = 16, 255 / (235 - 16)


class PictureMaker:
    """Turns decoded frames into RGB arrays of one size.

    The first frame decides size and orientation. A later frame of another size is fitted in with black bars, so that
    boxes and tracks keep their meaning. Interlaced frames show their upper field only, its lines doubled smoothly:
    motion then has no combs, at half the vertical detail. Safe to call from several threads.

    Args:
        frame: the first frame.
        pixel_aspect: width of a pixel over its height as the stream tells it; None or 0 if it does not.
        name: what messages call the video.

    Raises:
        InputError: the picture is too large.
    """

    def __init__(self, frame: av.VideoFrame, pixel_aspect: Fraction | None, name: str) -> None:
        self._pixel_aspect = _plausible(pixel_aspect)
        self._orientation = _orientation(frame)
        self._reformatter = VideoReformatter()
        self._reformatting = threading.Lock()
        self._first_size = frame.width, frame.height
        self._known_kind: tuple[object, ...] = ()
        self._name = name
        width, height = self._square_size(frame)
        self.rotation_deg = _CLOCKWISE_DEG.get(self._orientation, 0)
        self.width, self.height = (height, width) if self._orientation >= 5 else (width, height)

    def __call__(self, frame: av.VideoFrame) -> Image:
        """(height, width, 3) uint8 RGB, C-contiguous.

        Raises:
            InputError: the frame is too large.
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
        """The frame at its place in the stream, its pixels to be made on demand.

        Colours cost as much as decoding, and whoever reads faces in gray needs them only now and then. The first
        frame of a kind is converted at once, so that what cannot be converted is known here.

        Raises:
            InputError: the frame is too large.
            av.FFmpegError: its colours cannot be converted.
        """
        lazy = LazyFrame(
            place, partial(self, frame), partial(_luma, frame, self._orientation) if self._has_luma(frame) else None
        )
        kind = frame.format.name, frame.colorspace, frame.color_range, frame.width, frame.height, frame.interlaced_frame
        if kind != self._known_kind:
            lazy.image  # noqa: B018
            self._known_kind = kind
        return lazy

    def _has_luma(self, frame: av.VideoFrame) -> bool:
        """Whether the frame stores the gray picture as it is to be shown, up to quarter turns."""
        return (
            frame.format.name in _LUMA_FIRST
            and (frame.width, frame.height) == self._first_size
            and self._pixel_aspect == 1
            and not frame.interlaced_frame
        )

    def _square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(width, height) with square pixels, never smaller than what is stored."""
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
    """A frame that makes its pixels when they are asked for, and keeps them.

    Args:
        place: number and time.
        make_image: makes the RGB picture.
        make_gray: makes the gray one; None if it comes from the RGB picture.
    """

    _make_image: Callable[[], Image]
    _make_gray: Callable[[], Image] | None

    def __init__(self, place: Place, make_image: Callable[[], Image], make_gray: Callable[[], Image] | None) -> None:
        # As frozen dataclasses do it themselves; `image` is left to the property.
        object.__setattr__(self, "index", place.index)
        object.__setattr__(self, "time_s", place.time_s)
        object.__setattr__(self, "_make_image", make_image)
        object.__setattr__(self, "_make_gray", make_gray)

    @cached_property
    def image(self) -> Image:
        """See `VideoFrame`."""
        return self._make_image()

    @cached_property
    def gray(self) -> Image:
        """See `VideoFrame.gray`; the luma that the file stores, by whatever standard it was made."""
        return super().gray if self._make_gray is None else self._make_gray()


def _plausible(pixel_aspect: Fraction | None) -> Fraction:
    if not pixel_aspect or not Fraction(1, _MAX_STRETCH) <= pixel_aspect <= _MAX_STRETCH:
        return Fraction(1)
    return Fraction(pixel_aspect)


def _orientation(frame: av.VideoFrame) -> int:
    """EXIF orientation that the frame's display matrix asks for, to the next quarter turn."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV cannot list side data of a kind that is newer than it (3-D films have some); only the angle is left,
        # which does not tell mirrored pictures.
        return _ORIENTATION_OF_TURN[round(frame.rotation / 90) % 4]
    if not isinstance(matrix, Buffer):
        return 1
    # Nine 32-bit numbers by rows; the third of each row is perspective, the last row a shift.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        b = c = 0
    else:
        a = d = 0
    return _ORIENTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), 1)


def _luma(frame: av.VideoFrame, orientation: int) -> Image:
    """(H, W) uint8, the luma that a frame stores, upright and in full range."""
    plane = frame.planes[0]
    rows: Image = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # planes are buffers, unknown to stubs
    stored = rows.reshape(plane.height, plane.line_size)[:, : plane.width]
    if frame.format.name not in _FULL_RANGE and frame.color_range != ColorRange.JPEG:
        # A weighted sum with nothing: it rounds and saturates like a table, and takes a third of its time.
        stored = np.asarray(cv2.addWeighted(stored, _STRETCH, stored, 0, -_BLACK * _STRETCH), dtype=np.uint8)
    return np.ascontiguousarray(upright(stored, orientation))


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
