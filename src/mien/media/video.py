# SPDX-License-Identifier: Apache-2.0
"""Video files in: every picture that can be decoded, with its true time, and word of what could not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer

from mien.core import ConfigError, InputError
from mien.media.file_types import identify_file, require_file
from mien.media.frames import DecodeReport, PictureMaker, VideoFrame, VideoInfo
from mien.media.headers import n_bytes_missing
from mien.media.images import MAX_PIXELS
from mien.media.timeline import Place, Timeline

# Up to here one thread decodes hundreds of frames a second, and for less work than several.
_SMALL_PIXELS = 1280 * 720
_MAX_READ_ERRORS = 100  # in a row, without a packet in between
_FALLBACK_FPS = 25
# Above this a container without a frame rate has told its clock instead.
_MAX_FPS = 1000
_PAIRED_FIELDS = {"h264", "hevc"}  # codecs whose interlaced frames may come as two packets
# FFmpeg's readers of single images and of text art, which take almost anything.
_NOT_VIDEO = {"adf", "bin", "idf", "image2", "tty", "xbin"}
# Only files, never the addresses that a playlist or a reference movie may name. Given to PyAV as options of the
# container alone: PyAV 14 crashes on options for all streams where there are several.
_OPEN_OPTIONS = {"protocol_whitelist": "file"}


def open_video(
    path: str | os.PathLike[str],
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    every: int = 1,
    threads: int = 0,
) -> VideoReader:
    """Open a video file, an animated GIF among them.

    Frames before ``start_s`` and between the chosen ones are decoded, because only so their numbers are true, but not
    converted to RGB, which saves a good part of the time. The audio is ignored; HDR pictures are not tone-mapped and
    look pale.

    Args:
        path: the file.
        start_s: first time wanted, in seconds from the start of the stream.
        stop_s: time to stop before.
        every: keep the frames whose index is a multiple of this.
        threads: decoder threads; 0 takes one for small pictures and lets FFmpeg choose for others.

    Returns:
        A reader to use in a ``with`` statement. It has decoded the first frame already.

    Raises:
        InputError: missing, empty, not a video, without a picture that can be decoded, or larger than `MAX_PIXELS`.
        ConfigError: a range or number makes no sense.
    """
    if every < 1:
        raise ConfigError(f"every must be at least 1, got {every}")
    if threads < 0:
        raise ConfigError(f"threads must be 0 (automatic) or more, got {threads}")
    start_s = 0.0 if start_s is None else start_s
    stop_s = float("inf") if stop_s is None else stop_s
    if not 0 <= start_s < stop_s:
        raise ConfigError(f"start_s must be at least 0 and before stop_s, got {start_s} and {stop_s}")
    path = Path(path)
    require_file(path)
    known = identify_file(path)
    if known is not None and known.content == "image" and known.name != "GIF":
        raise InputError(f"{path}: this is an image ({known.name}), not a video; open it as an image")
    if known is not None and known.content == "document":
        raise InputError(f"{path}: this is {known.name}, not a video; {known.advice}")
    return VideoReader(path, start_s=start_s, stop_s=stop_s, every=every, threads=threads)


class VideoReader:
    """A `FrameSource` over a video file; made by `open_video`.

    It is read once, like a file. Damaged places are passed over and counted in `report`; frames that the decoder
    marks as corrupt are not given out, since a face read from them would be an invention. Close it in the thread
    that iterates.
    """

    def __init__(self, path: Path, *, start_s: float, stop_s: float, every: int, threads: int) -> None:
        self._path = path
        self._start_s = start_s
        self._stop_s = stop_s
        self._every = every
        self._n_decoded = 0
        self._n_packets = 0
        self._complete = True
        self._open = True
        # Absolute: a relative name such as "data:1.mp4" would read as a protocol.
        try:
            self._n_bytes_missing = n_bytes_missing(path)
            self._container = open_container(str(path.absolute()))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be opened as a video ({_reason(error)}); {_advice(error)}") from error
        try:
            self._prepare(threads)
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> VideoInfo:
        """Facts about the video."""
        return self._info

    @property
    def report(self) -> DecodeReport:
        """What was decoded and lost so far; final once the iteration has ended."""
        return DecodeReport(
            n_decoded=self._n_decoded,
            n_lost=self._timeline.n_lost,
            messages=self._timeline.messages,
            complete=self._complete,
        )

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; frames not read yet are gone."""
        if self._open:
            self._open = False
            self._container.close()

    def _prepare(self, threads: int) -> None:
        container_names = self._container.format.name.split(",")
        if _NOT_VIDEO.intersection(container_names) or self._container.format.name.endswith("_pipe"):
            raise InputError(f"{self._path}: not a video of a known format; give MP4, MOV, MKV, WebM, AVI or MPEG")
        if not self._container.streams.video:
            raise InputError(f"{self._path}: has no picture, only {self._other_streams()}; give a file with video")
        self._stream = stream = self._container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise InputError(f"{self._path}: no decoder for its video; convert it to H.264 first")
        if context.width * context.height > MAX_PIXELS:
            limit = MAX_PIXELS // 1_000_000
            raise InputError(f"{self._path}: frames of {context.width} x {context.height} exceed {limit} megapixels")
        context.thread_type = "AUTO"
        is_small = context.width * context.height <= _SMALL_PIXELS
        context.thread_count = 1 if threads == 0 and is_small else threads
        rates = (stream.average_rate, stream.guessed_rate)
        rate = next((rate for rate in rates if rate and rate <= _MAX_FPS), None)
        self._timeline = Timeline(
            time_base_s=Fraction(stream.time_base or Fraction(1, 1000)),
            start_pts=stream.start_time,
            step_s=float(1 / rate) if rate else 1 / _FALLBACK_FPS,
            ordered="avi" not in container_names,
            all_shown=context.name != "vp8",
        )
        # Only MP4 and its relatives list every frame; other containers guess or count otherwise.
        self._n_promised = stream.frames if "mov" in container_names else 0
        decoded = self._decoded()
        first = next(decoded, None)
        if first is None:
            raise InputError(f"{self._path}: no frame can be decoded; {self._excuse()}")
        self._picture = PictureMaker(first[1], stream.sample_aspect_ratio, str(self._path))
        self._info = VideoInfo(
            path=self._path,
            name=self._path.name,
            width=self._picture.width,
            height=self._picture.height,
            codec=context.name,
            average_fps=float(rate) if rate else None,
            duration_s=self._declared_duration_s(),
            start_offset_s=self._timeline.start_s,
            n_frames_declared=stream.frames or None,
            rotation_deg=self._picture.rotation_deg,
        )
        self._frames = self._chosen(first, decoded)

    def _chosen(
        self, first: tuple[Place, av.VideoFrame], rest: Iterator[tuple[Place, av.VideoFrame]]
    ) -> Iterator[VideoFrame]:
        """The frames that were asked for, as pictures."""
        size = first[1].width, first[1].height
        pair: tuple[Place, av.VideoFrame] | None = first
        while pair is not None and self._open:
            place, frame = pair
            if place.time_s >= self._stop_s:
                return
            if (frame.width, frame.height) != size:
                size = frame.width, frame.height
                self._timeline.say(f"the picture size changes to {size[0]} x {size[1]}; it is fitted to the first")
            if place.time_s >= self._start_s and place.index % self._every == 0:
                try:
                    picture = self._picture.frame(frame, place)
                except av.FFmpegError as error:
                    self._n_decoded -= 1
                    self._timeline.spoiled(f"its colours cannot be converted ({_reason(error)})")
                else:
                    yield picture
            if not self._open:
                return
            pair = next(rest, None)

    def _decoded(self) -> Iterator[tuple[Place, av.VideoFrame]]:
        """Every intact frame of the stream with its place."""
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._timeline.say(f"undecodable data ({_reason(error)})")
                if packet.size:  # not the empty packet that flushes the decoder
                    self._timeline.failed(packet.pts)
                continue
            for frame in frames:
                if frame.interlaced_frame and self._stream.codec_context.name in _PAIRED_FIELDS:
                    self._timeline.stop_tracking()
                place = self._timeline.place(frame.pts)
                if place is None:
                    continue
                if frame.is_corrupt:
                    self._timeline.spoiled("its data are corrupt")
                    continue
                self._n_decoded += 1
                yield place, frame
        self._timeline.finish(self._n_promised - self._n_packets, self._declared_duration_s())
        if self._n_bytes_missing:
            self._complete = False
            self._timeline.say(f"the file is cut off, {self._n_bytes_missing} bytes before its end; copy it again")

    def _packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """The stream's packets and the empty one that flushes the decoder, past whatever cannot be read."""
        n_errors = 0
        packets = self._container.demux(self._stream)
        while n_errors < _MAX_READ_ERRORS:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                n_errors += 1
                self._timeline.say(f"unreadable data ({_reason(error)})")
                packets = self._container.demux(self._stream)
                continue
            except IndexError:
                # PyAV trips over streams that appear late, as damage in a transport stream makes up. It does so
                # after the last packet, when the flushing packet of our stream is through.
                return
            if packet is None:
                return
            n_errors = 0
            if packet.size:
                self._n_packets += 1
                if not packet.is_discard:  # an edit list hides it: no frame will come of it
                    self._timeline.sent(packet.pts)
            yield packet

    def _declared_duration_s(self) -> float | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    def _other_streams(self) -> str:
        kinds = sorted({stream.type for stream in self._container.streams})
        return " and ".join(kinds) or "unreadable data"

    def _excuse(self) -> str:
        messages = self._timeline.messages
        return f"it is damaged ({messages[0]})" if messages else "it is damaged or holds no pictures"


def open_container(name: str) -> InputContainer:
    """A file for PyAV, whatever its tags are written in; ``name`` must be absolute.

    Raises:
        av.FFmpegError: it cannot be opened.
        OSError: the same.
        ValueError: the name is none.
    """
    try:
        return av.open(name, "r", container_options=_OPEN_OPTIONS)
    except UnicodeDecodeError:
        # Tags in another encoding stop PyAV before 19, which has this argument for them; later ones need it no more.
        lenient: dict[str, Any] = {"metadata_errors": "replace"}
        container: InputContainer = av.open(name, "r", container_options=_OPEN_OPTIONS, **lenient)
        return container


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _advice(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return "it is damaged, cut off before its index, or not a video: copy it again or repair it with ffmpeg"
    return "check that the file can be read"
