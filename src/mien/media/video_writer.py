# SPDX-License-Identifier: Apache-2.0
"""`VideoWriter`, which writes images with their true times to a video file, atomically."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from mien.core import ConfigError, DraftFile, Image, InputError, OutputError
from mien.media.audio_stream import SoundTrack
from mien.media.images import as_rgb

VIDEO_SAVE_SUFFIXES = frozenset({".m4v", ".mkv", ".mov", ".mp4"})
"""Lower-case suffixes of the video files that `VideoWriter` writes."""

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# A multiple of every common frame rate; MPEG-4 part 2 allows at most 1/65535 s.
_TIME_BASE = Fraction(1, 60_000)
_CODECS = (("libx264", {"crf": "20", "preset": "veryfast"}), ("mpeg4", {"qscale": "4"}))


class VideoWriter:
    """Writes images to a video file that every player supports.

    The codec is H.264 if the PyAV build has an encoder for it, otherwise MPEG-4 part 2; 4:2:0 colours. The file is
    written under a temporary name beside the target and renamed, over an existing file, when it is closed. An error in
    the ``with`` block discards it; Ctrl-C keeps the frames so far.

    Args:
        path: Path of the target, with suffix ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``.
        width: Width of every image in pixels; an odd size is rounded up in the file by repeating the last column.
        height: Height of every image in pixels; an odd size is rounded up by repeating the last row.
        fps: Expected frame rate in frames per second, which only controls the bit rate.
        threads: Number of encoder threads; 0 lets the encoder choose.
        sound_of: Path of a file whose sound the video gets, from `begin_sound` on; None for a silent video.

    Raises:
        InputError: That file has no sound or cannot be opened.
        OutputError: The suffix is another one, or the file cannot be written.
        ConfigError: A size or number is out of range.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "clip.mp4")
        ...     with VideoWriter(path, 64, 48) as writer:
        ...         writer.write(np.zeros((48, 64, 3), np.uint8), time_s=0.0)
        ...         before = path.exists()
        ...     (before, path.exists())
        (False, True)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        *,
        fps: float = 30.0,
        threads: int = 0,
        sound_of: Path | None = None,
    ) -> None:
        self._path = Path(path)
        if width < 1 or height < 1 or not fps > 0 or threads < 0:
            raise ConfigError(f"{path}: cannot write {width} x {height} pixels at {fps} fps with {threads} threads")
        container = _CONTAINERS.get(self._path.suffix.lower())
        if container is None:
            raise OutputError(f"{path}: unknown kind of video file; use one of the suffixes {' '.join(_CONTAINERS)}")
        if self._path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        self._width = width
        self._height = height
        self._last_pts: int | None = None
        self._step_s = 1 / fps
        self._sound: SoundTrack | None = None
        options = {"movflags": "+faststart"} if container in ("mp4", "mov") else {}
        try:
            self._draft = DraftFile(self._path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            draft = str(self._draft.path.absolute())
            self._container = av.open(draft, "w", format=container, container_options=options)
            self._stream = self._add_stream(fps, threads)
            self._sound = None if sound_of is None else SoundTrack(sound_of, self._container)
        except InputError:
            self._container.close()
            self._draft.discard()
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            self._draft.discard()
            raise self._failure(error) from error
        self._open = True

    def begin_sound(self, start_s: float) -> None:
        """Says which time of the file with the sound the first image has, in seconds on that file's clock."""
        if self._sound is not None:
            self._sound.begin(start_s)

    def write(self, image: Image, time_s: float) -> None:
        """Append an image.

        Args:
            image: (height, width, 3) uint8 RGB.
            time_s: Time of the frame in seconds, at least 0. A frame that is not later than the previous one is
                placed 1/60000 s after it.

        Raises:
            OutputError: The disk is full, the file cannot be written, or the writer is closed.
            ConfigError: The image has another size, or the time is negative or not a number.
        """
        image = as_rgb(image)
        if not self._open:
            raise OutputError(f"{self._path}: is closed; nothing more can be written")
        if image.shape[:2] != (self._height, self._width):
            got = f"{image.shape[1]} x {image.shape[0]}"
            raise ConfigError(f"{self._path}: images must be {self._width} x {self._height}, got {got}")
        if not 0 <= time_s < float("inf"):
            raise ConfigError(f"{self._path}: a frame cannot have the time {time_s} s")
        padding = ((0, self._height % 2), (0, self._width % 2), (0, 0))
        frame = av.VideoFrame.from_ndarray(np.pad(image, padding, "edge"), format="rgb24")
        pts = round(time_s / _TIME_BASE)
        self._last_pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        frame.pts = self._last_pts
        frame.time_base = _TIME_BASE
        self._encode(frame)
        if self._sound is not None:
            self._write_sound(self._sound, time_s)

    def close(self) -> None:
        """Finish the file and rename it to its final name.

        Raises:
            OutputError: No image was written, or the file cannot be finished.
        """
        if not self._open:
            return
        if self._last_pts is None:
            self.discard()
            raise OutputError(f"{self._path}: no image was written, so there is no video")
        self._encode(None)
        try:
            if self._sound is not None:
                self._sound.write_until(float(self._last_pts * _TIME_BASE) + self._step_s)
                self._sound.close()
            self._container.close()
            self._draft.publish()
        except (av.FFmpegError, OSError) as error:
            self.discard()
            raise self._failure(error) from error
        self._open = False

    def discard(self) -> None:
        """Delete the temporary file; an existing file of the final name is kept."""
        if not self._open:
            return
        self._open = False
        if self._sound is not None:
            self._sound.discard()
        try:
            self._container.close()
        except (av.FFmpegError, OSError, ValueError):
            pass  # the file is deleted anyway
        finally:
            self._draft.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or (issubclass(kind, KeyboardInterrupt) and self._last_pts is not None):
            self.close()
        else:
            self.discard()

    def _add_stream(self, fps: float, threads: int) -> av.VideoStream:
        codec, options = next(entry for entry in _CODECS if entry[0] in av.codecs_available)
        stream = self._container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=dict(options))
        if not isinstance(stream, av.VideoStream):
            raise ValueError(f"{codec} is no video codec")
        stream.width = self._width + self._width % 2
        stream.height = self._height + self._height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = threads
        return stream

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            self.discard()
            raise self._failure(error) from error

    def _write_sound(self, sound: SoundTrack, time_s: float) -> None:
        try:
            sound.write_until(time_s)
        except (av.FFmpegError, OSError) as error:
            self.discard()
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or str(error)
        return OutputError(f"{self._path}: cannot be written ({reason}); check the folder, its permissions and space")
