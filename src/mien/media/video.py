# SPDX-License-Identifier: Apache-2.0
"""`VideoReader`, which reads every decodable frame of a video file with its true time and reports lost frames."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer

from mien.core import ConfigError, InputError
from mien.media.damage.byte_clock import NO_FRAMES, FrameEstimate
from mien.media.damage.file_ends import FileEnd, n_bytes_missing
from mien.media.damage.fragments import count_fragments
from mien.media.damage.watch import DamageWatch
from mien.media.file_types import AUDIO_DEMUXERS, VIDEO_DEMUXERS, forced_demuxer, identify_file, require_file
from mien.media.frames import DecodedFrames, FrameConverter, VideoFrame, VideoInfo
from mien.media.images import MAX_PIXELS, is_animation
from mien.media.timeline import Place, Timeline

# Up to this size one thread decodes hundreds of frames per second, with less overhead than several.
_SMALL_PIXELS = 1280 * 720
_MAX_READ_ERRORS = 100  # in a row, without a packet in between
_FALLBACK_FPS = 25
# A higher rate is the clock rate of a container without a frame rate.
_MAX_FPS = 1000
_AVI_HEADER = 8  # bytes of a chunk before its content
# Containers without timestamps, for which FFmpeg assumes a frame rate unless the stream declares one.
_RAW_STREAMS = {"h264", "hevc", "vvc", "m4v", "mpegvideo", "h263", "h261", "vc1", "mjpeg", "obu", "dirac", "cavsvideo"}
# Containers whose duration FFmpeg measures on what the file holds.
_MEASURED = _RAW_STREAMS | {"mpegts", "mpeg", "nut", "gif", "apng"}
_ATTACHED_PICTURE = 0x400
_PAIRED_FIELDS = {"h264", "hevc"}  # codecs whose interlaced frames may come as two packets
# Only files, never the network addresses in a reference movie, and only containers that hold their own data. These are
# options of the container only: PyAV 14 crashes on options for all streams if there are several.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join((*VIDEO_DEMUXERS, *AUDIO_DEMUXERS)),
}

_ONE_BY_ONE = {"fflags": "+ignidx"}  # reads the fragments of MP4 as they come and not all of them at the start


def open_video(
    path: str | os.PathLike[str],
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    every: int = 1,
    threads: int = 0,
    only: Collection[int] | None = None,
) -> VideoReader:
    """Open a video file, a GIF or an animated PNG.

    Frames before ``start_s`` and between the selected ones are decoded, since their indices require it, but not
    converted to RGB, which saves much of the time. Audio is ignored; HDR frames are not tone-mapped and look pale.

    Args:
        path: Path of the file.
        start_s: First time to yield, in seconds from the start of the stream; None for 0.
        stop_s: Time in seconds before which to stop; None for the end of the stream.
        every: Step between frames: frames whose index is a multiple of it are yielded.
        threads: Number of decoder threads; 0 uses one for small frames and FFmpeg's choice for others.
        only: Indices of the frames to yield, further limited by the other arguments; None for no such limit.

    Returns:
        A reader to use in a ``with`` statement. It has decoded the first frame already.

    Raises:
        InputError: The file is missing, empty, no video, without a decodable frame, or larger than `MAX_PIXELS`.
        ConfigError: The range is empty or a number is out of range.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from mien.media import VideoWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with VideoWriter(f"{folder}/clip.mp4", 64, 48) as writer:
        ...         for index in range(5):
        ...             writer.write(np.zeros((48, 64, 3), np.uint8), index / 25)
        ...     with open_video(f"{folder}/clip.mp4", every=2) as video:
        ...         print(video.info.width, video.info.height, video.info.start_offset_s)
        ...         print([(frame.index, round(frame.time_s, 3)) for frame in video])
        ...         print(video.report.n_decoded, video.report.n_lost)
        64 48 0.0
        [(0, 0.0), (2, 0.08), (4, 0.16)]
        5 0
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
    if known is not None and known.content == "image" and known.name != "GIF" and not is_animation(path):
        raise InputError(f"{path}: this is an image ({known.name}), not a video; open it as an image")
    if known is not None and known.content == "document":
        raise InputError(f"{path}: this is {known.name}, not a video; {known.advice}")
    return VideoReader(path, start_s=start_s, stop_s=stop_s, every=every, threads=threads, only=only)


class VideoReader(DecodedFrames):
    """`FrameSource` of a video file, created by `open_video`.

    It is read once, like a file. Damaged parts are skipped and counted in `report`; frames that the decoder marks as
    corrupt are left out, since predictions on them would be meaningless. Close it in the thread that iterates.
    """

    def __init__(
        self,
        path: Path,
        *,
        start_s: float,
        stop_s: float,
        every: int,
        threads: int,
        only: Collection[int] | None = None,
    ) -> None:
        self._path = path
        self._start_s = start_s
        self._stop_s = stop_s
        self._every = every
        self._only = only
        self._n_packets = 0
        self._frame_numbers: dict[int, int] = {}
        self._number_shift = 0
        self._hit_pts: deque[int | None] = deque(maxlen=64)
        # Absolute, since FFmpeg would read a relative name such as "data:1.mp4" as a protocol.
        try:
            self._n_bytes_missing = n_bytes_missing(path)
            self._container = open_container(str(path.absolute()))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be opened as a video ({_reason(error)}); {_advice(error)}") from error
        self._watch: DamageWatch | None = None
        try:
            self._prepare(threads)
        except BaseException:
            self.close()
            raise

    def _prepare(self, threads: int) -> None:
        container_names = self._container.format.name.split(",")
        streams = [stream for stream in self._container.streams.video if not _is_cover(stream)]
        if not streams:
            raise InputError(f"{self._path}: has no video stream, only {self._other_streams()}; give a file with video")
        self._stream = stream = streams[0]
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
        self._is_avi = "avi" in container_names
        self._timeline = Timeline(
            time_base_s=Fraction(stream.time_base or Fraction(1, 1000)),
            start_pts=0 if self._is_avi else stream.start_time,
            step_s=float(1 / rate) if rate else 1 / _FALLBACK_FPS,
            ordered=not self._is_avi,
            all_shown=True,
        )
        others = tuple(_stream_name(other) for other in streams[1:])
        if others:
            index, names = stream.index, ", ".join(others)
            self._timeline.remark(
                f"the file has {len(streams)} video streams: stream {index} is read, not {names}; "
                f"take another one out with ffmpeg -i IN -map 0:{streams[1].index} -c copy OUT"
            )
        self._is_raw = is_raw = bool(_RAW_STREAMS.intersection(container_names))
        assumed_fps = float(rate or _FALLBACK_FPS) if is_raw or not rate else None
        if is_raw:
            self._timeline.remark(
                f"a raw stream has no timestamps: times assume {assumed_fps:g} frames per second; put it into a "
                "container with ffmpeg -framerate FPS -i IN -c copy OUT.mp4 if that is wrong"
            )
        self._watch = DamageWatch(self._path, container_names, context.name, stream.id)
        if self._is_avi:
            self._frame_numbers = {entry.pos + _AVI_HEADER: entry.timestamp for entry in _index_entries(stream)}
        # Only MP4 and its relatives list every frame; other containers guess or count otherwise.
        self._n_promised = stream.frames if "mov" in container_names else 0
        self._is_fragmented = "mov" in container_names and not stream.frames
        # AVI declares a number as well, which is wrong in some files.
        self._n_declared = stream.frames if self._is_avi else 0
        decoded = self._decoded()
        first = next(decoded, None)
        if first is None:
            raise InputError(f"{self._path}: no frame can be decoded; {self._damage()}")
        self._converter = FrameConverter(first[1], stream.sample_aspect_ratio, str(self._path), context.name)
        self._info = VideoInfo(
            path=self._path,
            name=self._path.name,
            width=self._converter.width,
            height=self._converter.height,
            codec=context.name,
            average_fps=float(rate) if rate else None,
            duration_s=self._declared_duration_s(),
            start_offset_s=self._timeline.start_s,
            n_frames_declared=stream.frames or None,
            rotation_deg=self._converter.rotation_deg,
            other_video_streams=others,
            assumed_fps=assumed_fps,
        )
        self._frames = self._selected(first, decoded)

    def _selected(
        self, first: tuple[Place, av.VideoFrame], rest: Iterator[tuple[Place, av.VideoFrame]]
    ) -> Iterator[VideoFrame]:
        """Yield the requested frames with their images."""
        size = first[1].width, first[1].height
        pair: tuple[Place, av.VideoFrame] | None = first
        while pair is not None and self._open:
            place, frame = pair
            if place.time_s >= self._stop_s:
                return
            if (frame.width, frame.height) != size:
                size = frame.width, frame.height
                self._timeline.note(f"the frame size changes to {size[0]} x {size[1]}; it is fitted to the first")
            if self._selects(place):
                try:
                    converted = self._converter.frame(frame, place)
                except av.FFmpegError as error:
                    self._n_decoded -= 1
                    self._timeline.discard_last(f"its colours cannot be converted ({_reason(error)})")
                else:
                    yield converted
            if not self._open:
                return
            pair = next(rest, None)

    def _selects(self, place: Place) -> bool:
        chosen = self._only is None or place.index in self._only
        return chosen and place.time_s >= self._start_s and place.index % self._every == 0

    def _decoded(self) -> Iterator[tuple[Place, av.VideoFrame]]:
        """Yield every intact frame of the stream with its index and time."""
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._timeline.note(f"undecodable data ({_reason(error)})")
                if packet.size:  # not the empty packet that flushes the decoder
                    self._timeline.packet_failed(packet.pts)
                    self._find_hole(packet, has_error=True)
                self._mark_damaged()
                continue
            for frame in frames:
                if frame.interlaced_frame and self._stream.codec_context.name in _PAIRED_FIELDS:
                    self._timeline.stop_tracking()
                if frame.is_corrupt:
                    self._mark_damaged()
                    self._find_hole(packet, has_error=True)
                place = self._timeline.place(frame.pts)
                if place is None:
                    continue
                if frame.is_corrupt or frame.pts in self._hit_pts:
                    self._timeline.discard_last("its data are corrupt")
                    continue
                self._n_decoded += 1
                yield place, frame
        self._finish()

    def _mark_damaged(self) -> None:
        """Take an error of the decoder for a sign of lost frames, where bytes between two packets do not tell them."""
        if "mpeg" in self._container.format.name.split(","):
            self._timeline.mark_damaged()

    def _find_hole(self, packet: av.Packet[av.VideoStream], *, has_error: bool = False) -> None:
        """Count the frames of damaged bytes within a packet of a raw stream."""
        if self._is_raw and self._watch is not None and packet.size:
            self._timeline.vanish(self._watch.n_hole_frames(packet, has_error=has_error))

    def _finish(self) -> None:
        is_counted = 0 < self._n_promised <= self._n_packets  # then what follows the frames does not matter
        end = FileEnd() if self._watch is None or is_counted else self._watch.file_end()
        self._n_bytes_missing += end.n_missing_bytes
        damaged = end.damaged or self._n_bytes_missing > 0
        duration_s = self._declared_duration_s()
        if self._n_declared and damaged and self._stream.time_base is not None:
            duration_s = float(self._n_declared * self._stream.time_base)
        if self._watch is not None and self._is_raw and self._timeline.n_undecoded > 0:
            self._timeline.vanish(self._watch.take_swollen())
        n_missing, by_bytes = self._n_promised - self._n_packets, NO_FRAMES
        if self._watch is not None and self._is_fragmented:
            n_missing, by_bytes = self._missing_fragments(self._watch, damaged=damaged)
            duration_s = None if damaged or n_missing else duration_s  # its last fragments are gone
        elif self._watch is not None and not self._declares_end(duration_s):
            if damaged:
                duration_s = None  # it was measured on the damaged bytes as well
            n_bytes = end.n_damaged_bytes + self._n_bytes_missing
            by_bytes = self._watch.frames_in(n_bytes, self._timeline.typical_step_s()) if n_bytes else NO_FRAMES
            is_short = n_bytes <= self._watch.largest or not by_bytes.n_frames
            if is_short and (damaged or self._watch.ends_within_a_picture(self._stream.codec_context)):
                self._n_bytes_missing = max(1, self._n_bytes_missing)  # too few bytes are left to tell how many
        self._timeline.finish(n_missing, duration_s, damaged=damaged, unexplained=end.unexplained, by_bytes=by_bytes)
        if self._watch is not None and (start := self._watch.next_recording()):
            cut = f"cut it out with tail -c +{start + 1} IN > OUT"
            self._timeline.remark(f"another recording begins at byte {start} of the file and is not read; {cut}")
        if self._n_bytes_missing:
            self._complete = False
            how_much = f"{self._n_bytes_missing} bytes" if self._n_bytes_missing > 1 else "an unknown number of bytes"
            self._timeline.note(f"the file is cut off, {how_much} before its end; copy it again")

    def _missing_fragments(self, watch: DamageWatch, *, damaged: bool) -> tuple[int, FrameEstimate]:
        """Number of frames that the fragments of an MP4 file declare without a packet, and frames behind them."""
        step = self._timeline.typical_step_s() / float(self._stream.time_base or 1)
        fragments = count_fragments(self._path, self._stream.id, step)
        n_bytes = watch.file_end(after=fragments.end_position).n_damaged_bytes if damaged else 0
        by_bytes = watch.frames_in(n_bytes, self._timeline.typical_step_s(), at_once=False) if n_bytes else NO_FRAMES
        return max(0, fragments.n_frames - self._n_packets - self._timeline.n_vanished), by_bytes

    def _declares_end(self, duration_s: float | None) -> bool:
        """Whether the container declares the end of the stream, and not only what it still holds of it."""
        measured = _MEASURED.intersection(self._container.format.name.split(","))
        return duration_s is not None and not measured and not self._is_fragmented

    def _packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield the readable packets of the stream and the empty one that flushes the decoder."""
        n_errors = 0
        unreadable = False
        # Packets of other streams are not decoded; their positions tell which bytes of the file belong to something.
        packets = self._demux()
        while n_errors < _MAX_READ_ERRORS:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                n_errors += 1
                unreadable = True
                self._timeline.note(f"unreadable data ({_reason(error)})")
                if _ONE_BY_ONE.items() <= self._container.container_options.items():
                    flush = cast("av.Packet[av.VideoStream]", av.Packet())
                    flush.stream = self._stream
                    yield flush
                    return  # what FFmpeg reads from here on changes from run to run
                packets = self._demux()
                continue
            except IndexError:
                # PyAV fails on streams that appear late, as in a damaged transport stream. This happens after the last
                # packet, when the decoder of this stream is already flushed.
                return
            if packet is None:
                return
            n_errors = 0
            # Not its `stream_index`, which is 0 for the packet at the end that flushes the decoder of any stream.
            is_video = packet.stream.index == self._stream.index
            if packet.size and self._watch is not None:
                unreadable |= self._watch.packet(packet, is_video=is_video)
                if self._watch.is_hit:
                    self._hit_pts.append(packet.pts)
            if not is_video:
                continue
            if packet.size:
                if not self._n_packets:
                    self._begin(packet, damaged=unreadable)
                self._n_packets += 1
                unreadable |= self._renumber(packet)
                # An edit list hides a packet that is discarded: it gives no frame.
                if not packet.is_discard and not self._is_hidden(packet):
                    # FFmpeg makes up the times of a raw stream: bytes tell what is lost (`_find_hole`).
                    self._timeline.packet_sent(packet.pts, damaged=unreadable and not self._is_raw)
                    unreadable = False
                self._find_hole(packet)
            yield packet

    def _demux(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Packets of all streams; those of the others are never decoded, so that their type does not matter."""
        return cast("Iterator[av.Packet[av.VideoStream]]", self._container.demux())

    def _begin(self, packet: av.Packet[av.VideoStream], *, damaged: bool) -> None:
        """Find what is lost before the first packet of the stream."""
        names = self._container.format.name.split(",")
        if damaged and ("matroska" in names or "flv" in names):
            self._timeline.begin_damaged(0, 0)
        elif damaged and packet.pos and self._watch is not None and not {"mov", "avi"} & set(names):
            # The clock may have begun anywhere, so bytes are the only measure.
            rate, duration_s = self._stream.average_rate or _FALLBACK_FPS, self._declared_duration_s() or 0.0
            share = min(packet.pos / max(1, self._watch.size - packet.pos), 100.0)
            self._timeline.begin_damaged(None, round(duration_s * float(rate) * share))

    def _is_hidden(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Whether a packet of VP8 holds a frame that is only a reference of others (RFC 6386, 9.1)."""
        return self._stream.codec_context.name == "vp8" and not bytes(packet)[0] >> 4 & 1

    def _renumber(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Give a packet of an AVI file the number of its frame, which FFmpeg counts on over lost packets.

        Returns:
            Whether packets are lost before this one.
        """
        if not self._is_avi or packet.dts is None:
            return False
        number = self._frame_numbers.get(-1 if packet.pos is None else packet.pos, 0)
        n_before = self._number_shift
        self._number_shift = max(n_before, number - packet.dts)
        packet.dts += self._number_shift
        if packet.pts is not None:
            packet.pts = packet.dts  # AVI has no presentation timestamps: those of FFmpeg are guesses
        return self._number_shift > n_before or (self._n_packets == 1 and number > 0)

    def _declared_duration_s(self) -> float | None:
        # Matroska declares the end of each track on the clock of the file.
        end_s = _clock_seconds(self._stream.metadata.get("DURATION", ""))
        if end_s is not None:
            return max(0.0, end_s - self._timeline.start_s)
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    def _other_streams(self) -> str:
        kinds = {"a cover picture" if _is_cover(stream) else stream.type for stream in self._container.streams}
        return " and ".join(sorted(kinds)) or "unreadable data"

    def _damage(self) -> str:
        messages = self._timeline.messages
        return f"it is damaged ({messages[0]})" if messages else "it is damaged or has no frames"


def open_container(name: str) -> InputContainer:
    """Open a file with PyAV, even if its tags have an unknown encoding.

    Args:
        name: Absolute path of the file.

    Raises:
        av.FFmpegError: The file cannot be opened.
        OSError: The file cannot be opened.
        ValueError: The name is invalid.
    """
    try:
        return _open(name)
    except (av.InvalidDataError, av.EOFError):
        # A damaged fragment anywhere ends the opening of an MP4 file, unless fragments are read one after the other.
        container = _open(name, **_ONE_BY_ONE)
        if "mov" in container.format.name.split(","):
            return container
        container.close()
        raise


def _open(name: str, **options: str) -> InputContainer:
    options = {**_OPEN_OPTIONS, **options}
    form = forced_demuxer(Path(name))
    try:
        return av.open(name, "r", form, container_options=options)
    except UnicodeDecodeError:
        # PyAV before 19 fails on tags in another encoding without this argument; later versions do not need it.
        lenient: dict[str, Any] = {"metadata_errors": "replace"}
        container: InputContainer = av.open(name, "r", form, container_options=options, **lenient)
        return container


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the cover picture of a song or a video, which is no video itself."""
    # By its number (AV_DISPOSITION_ATTACHED_PIC): an enumeration prints itself differently in each version of Python.
    disposition = getattr(stream, "disposition", 0)
    return bool(getattr(disposition, "value", disposition) & _ATTACHED_PICTURE)


def _stream_name(stream: av.VideoStream) -> str:
    context = stream.codec_context
    return f"stream {stream.index}" + (f" ({context.width} x {context.height}, {context.name})" if context else "")


def _index_entries(stream: av.VideoStream) -> Sequence[Any]:
    """The container's index of a stream; empty before PyAV 16, which does not give it."""
    entries: Sequence[Any] = getattr(stream, "index_entries", ())
    return entries


def _clock_seconds(text: str) -> float | None:
    """Seconds of a time such as 00:01:02.5; None if it is none."""
    parts = text.strip("\0 ").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _advice(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return "it is damaged, cut off before its index, or not a video: copy it again or repair it with ffmpeg"
    return "check that the file can be read"
