# SPDX-License-Identifier: Apache-2.0
"""Finds the bytes of a video file that are missing or damaged, which containers skip without an error."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import av

from mien.media.damage.byte_clock import NO_FRAMES, STEADY_AFTER, ByteClock, FrameEstimate, stamp_of
from mien.media.damage.file_ends import (
    PART_BYTES,
    PART_LENGTHS,
    PES_BYTES,
    FileEnd,
    next_recording,
    read_vint,
)
from mien.media.damage.last_picture import LastPicture

_ZEROS = bytes(64)  # a run that a sound stream of the codecs and containers below does not contain
_TS_PACKET = 188
_TS_CLOCK_BYTES = 7  # of the fields before the content that hold the clock
_MAX_READ = 1 << 24  # bytes that are examined at one place

# Elements of Matroska and WebM that may stand between two frames: those that contain others, and the rest.
_MATROSKA_MASTERS = {0x1F43B675, 0xA0}
_MATROSKA_ELEMENTS = _MATROSKA_MASTERS | {
    *(0x1C53BB6B, 0x1254C367, 0x1941A469, 0x1043A770, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1A45DFA3, 0x18538067),
    *(0xE7, 0xA7, 0xAB, 0x5854, 0xA3, 0xA1, 0xA2, 0x9B, 0xFA, 0xFB, 0xFD, 0xA4, 0x75A1, 0x75A2, 0xAF, 0x8E, 0xEC, 0xBF),
}
_MATROSKA_BLOCKS = (0xA3, 0xA1)
_SEQUENTIAL = {"avi", "flv"}  # containers whose packets follow each other with only a few bytes of headers
_SEQUENTIAL_SLACK = 64
_FRAGMENT_SLACK = 8192  # headers and padding between two packets in fragmented MP4 and MXF
_OTHER_SLACK = 512
_MATROSKA_SLACK = 24  # bytes of headers between two blocks of a cluster
# Codecs whose coded bytes never hold a run of zeros, and whose decoders show damaged frames without an error.
_WITHOUT_ZEROS = {"vp8", "vp9"}
_BARE = {"ivf", "yuv4mpegpipe"}  # containers that end with their last packet
_BARE_SLACK = 12  # bytes of the header of a packet
_TAIL_SHARE = 20  # an index at the end of a file takes less than this part of it
_EMPTY_BYTES = 4096
# Where nothing marks the end of a packet, the last one takes in all that follows: it is larger than the largest one
# before it and than the mean by these factors.
_SWALLOWED_LARGEST, _SWALLOWED_MEAN = 1.5, 16
_ERROR_WITHIN = 16  # packets after which a decoder has shown what is wrong with one
_REORDERED_STEPS = 4  # from a shown frame to the next packet, as long as the decoding times are right
_WITHOUT_LENGTH = ("mpegts", "mpeg", "")  # containers in which a packet may end early; "" is every other one
# Codecs whose decoders conceal the missing part of a picture.
_CONCEALED = {"h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "h263", "vc1", "mjpeg"}
_WITHOUT_END = (*_WITHOUT_LENGTH, "mov")  # those whose last packet may be cut off
_KINDS = ("matroska", "mpegts", "mpeg", "avi", "flv", "mov", "rm", "asf", "mxf", *_BARE)


class DamageWatch:
    """Follows the positions of the packets of a file and finds bytes that belong to no packet.

    A container that loses its place skips to the next readable packet without an error. The time between two frames
    cannot tell this from a paused recording or a changed frame rate; the bytes between them can.

    Args:
        path: Path of the file.
        container_names: FFmpeg's names of the container.
        codec: FFmpeg's name of the codec of the video.
        stream_id: Number of the video stream within the container, the packet identifier in a transport stream.
    """

    def __init__(self, path: Path, container_names: list[str], codec: str, stream_id: int) -> None:
        self._path = path
        self.size = path.stat().st_size
        """Number of bytes of the file."""
        self._kind = next((name for name in _KINDS if name in container_names), "")
        self._codec = codec
        self._stream_id = stream_id
        self._has_packet = False
        self._position = self._end = 0  # of the last packet of any stream
        self._video_position = self._n_since_video = 0
        self._n_video_packets = self._n_video_bytes = self._largest = 0  # all but the last packet of the video
        self._last_size = 0
        self._n_swollen = self._swollen_at = 0  # frames in a packet that is far too large, and its number
        self._last_picture = LastPicture() if self._kind in _WITHOUT_LENGTH and codec in _CONCEALED else None
        self._clocks: dict[int, ByteClock] = {}
        self._video_index = -1
        self._corrupt_ends: dict[int, bool] = {}  # number of a stream -> whether its last packet is cut off
        self._video_time: int | None = None
        self._last_shown = 0
        self._is_counted = False  # whether the damaged bytes in the last packet are
        self._stride = 0  # smallest step between the positions of two packets
        self._step: int | None = None  # shortest step between two packets of the video
        self.is_hit = False
        """Whether the last packet itself holds damaged bytes that its decoder does not find."""

    def packet(self, packet: av.Packet[Any], *, is_video: bool) -> bool:
        """Whether bytes before or in this packet are damaged.

        Args:
            packet: The next packet of any stream, in the order of the file.
            is_video: Whether it belongs to the video stream.
        """
        self._is_counted = False
        self.is_hit = is_video and self._codec in _WITHOUT_ZEROS and _ZEROS in bytes(packet)
        damaged = packet.is_corrupt or self.is_hit
        position = packet.pos
        if position is not None and position >= 0:
            damaged = damaged or not self._intact_before(position, packet, is_video=is_video)
            self._end = max(self._end, position + packet.size)
            self._clocks.setdefault(packet.stream.index, ByteClock()).add(packet, self._n_video_packets)
            if self._has_packet and position > self._position:
                self._stride = min(self._stride or self.size, position - self._position)
            self._position, self._has_packet = position, True
            if is_video:
                self._video_position, self._n_since_video = position, 0
        elif self._kind == "mpeg" and is_video and self._has_packet and self._is_late(packet):
            damaged = damaged or not self._program_stream_intact(
                self._video_position, self._video_position + 4 * PES_BYTES
            )
        self._n_since_video += packet.size
        self._corrupt_ends[packet.stream.index] = packet.is_corrupt
        if is_video:
            if self._last_picture is not None:
                self._last_picture.add(packet)
            self._follow_size(packet)
            self._follow_time(packet)
        return damaged

    def file_end(self, after: int = 0) -> FileEnd:
        """What the bytes behind the last packet show; to be asked after it.

        Args:
            after: Position before which the boxes of MP4 are not examined.
        """
        n_beyond = self._end - self.size
        end = self._file_end(after)
        if self._kind in _WITHOUT_END and (n_beyond > 0 or any(self._corrupt_ends.values())):
            return replace(end, damaged=True, n_missing_bytes=max(1, n_beyond, end.n_missing_bytes))
        return end

    def ends_within_a_picture(self, codec: av.VideoCodecContext) -> bool:
        """Whether the file ends within a picture, which no trace in its container tells.

        Args:
            codec: Codec context of the video.
        """
        if self._is_counted or self._last_picture is None or (self._kind == "mpegts" and self._is_stuffed()):
            return False
        return self._last_picture.is_cut(codec)

    def next_recording(self) -> int:
        """Position of a recording behind the last packet that FFmpeg does not read; 0 if there is none."""
        try:
            return next_recording(self._path, self._kind, self._end)
        except OSError:
            return 0  # the file is gone, which its container reports

    @property
    def largest(self) -> int:
        """Number of bytes of the largest packet of the video but the last."""
        return self._largest

    def _file_end(self, after: int) -> FileEnd:
        n_swallowed = self._n_swallowed_bytes()
        self._end -= n_swallowed
        n_bytes = self.size - self._end
        if n_swallowed:
            self._clocks[self._video_index].drop_last()
            return FileEnd(damaged=True, n_damaged_bytes=n_bytes)
        if self._kind == "matroska":
            return self._ended(damaged=not self._matroska_intact(self._matroska_end(), self.size))
        if self._kind == "mpegts":
            return self._ended(damaged=not self._transport_stream_intact(self._video_position, self.size))
        if self._kind in _BARE:
            damaged = any(self._corrupt_ends.values()) or n_bytes > _BARE_SLACK
            return FileEnd(damaged, n_damaged_bytes=n_bytes, n_missing_bytes=int(damaged and n_bytes < self._largest))
        if self._kind in PART_LENGTHS and self._has_packet:
            end = self._walked_to_the_end(after)
            if self._kind != "rm" or end.n_missing_bytes:  # its data are one chunk
                return end
        tail = self._read(self._end, self.size)
        is_long = n_bytes > max(_EMPTY_BYTES, self.size // _TAIL_SHARE)
        zeros = _ZEROS if is_long else bytes(_EMPTY_BYTES)  # some containers fill up their last part
        return FileEnd(zeros in tail, is_long or _ZEROS in tail, n_bytes if is_long else 0)

    def frames_in(self, n_bytes: int, step_s: float, *, at_once: bool = True) -> FrameEstimate:
        """Frames that bytes behind the last intact packet held, by the bytes that those before take.

        The stream with the most bytes is the measure: bytes of the others may come earlier than they are shown.

        Args:
            n_bytes: Number of bytes.
            step_s: Seconds from frame to frame.
            at_once: Whether they follow the last packet at once.
        """
        video = self._clocks.get(self._video_index)
        if video is None or not video.samples:
            return NO_FRAMES
        clock = max(self._clocks.values(), key=lambda clock: clock.n_bytes)
        clock = clock if clock.has_times and clock.samples else video
        n_behind = 0.0
        if at_once and clock is not video:
            n_behind = (clock.last(step_s) - video.last(step_s)) / step_s
            n_bytes += self._end - clock.samples[-1][0]
        n_frames = n_bytes * clock.seconds_per_byte(step_s) / step_s
        least, largest = clock.range_of_rates(step_s)
        counts = (max(0, round(n_behind + n_frames * ratio)) for ratio in (1.0, least, largest))
        return FrameEstimate(*counts)

    def _ended(self, *, damaged: bool) -> FileEnd:
        return FileEnd(damaged, n_damaged_bytes=self.size - self._end if damaged else 0)

    def _follow_size(self, packet: av.Packet[Any]) -> None:
        self._video_index, size = packet.stream.index, packet.size
        if self._last_size:
            self._n_video_packets += 1
            self._n_video_bytes += self._last_size
            self._largest = max(self._largest, self._last_size)
            # A picture that is coded by itself is large; whether another one is damaged is up to the decoder.
            largest = self._largest if packet.is_keyframe else 0
            if not self._kind and self._is_swollen(size, largest):
                mean = self._mean_bytes()
                self._n_swollen, self._swollen_at = round((size - mean) / mean), self._n_video_packets
        self._last_size = size

    def _is_swollen(self, size: int, largest: int) -> bool:
        """Whether a packet is so much larger than the mean and the largest one that bytes of others may be in it."""
        limit = max(_SWALLOWED_LARGEST * largest, _SWALLOWED_MEAN * self._n_video_bytes // self._n_video_packets)
        return self._n_video_packets >= STEADY_AFTER and size > limit

    def _n_swallowed_bytes(self) -> int:
        """Number of bytes at the end of the last packet of the video that are not its own; 0 if it is as the others."""
        if self._is_counted or (self._kind and self._kind not in _BARE) or self._n_video_packets < STEADY_AFTER:
            return 0
        n_bytes = self._last_size - self._n_video_bytes // self._n_video_packets
        is_last = self._end >= self.size - _BARE_SLACK
        return n_bytes if is_last and self._is_swollen(self._last_size, self._largest) else 0

    def _walked_to_the_end(self, after: int) -> FileEnd:
        """What the headers of the parts from the last packet to the end of the file show."""
        position = {"mov": after, "rm": 0, "mpeg": self._position}.get(self._kind, self._end + self._end % 2)
        while position < self.size:
            length = PART_LENGTHS[self._kind](self._read(position, position + PART_BYTES))
            if length is None:
                self._end = max(self._end, position)
                return self._ended(damaged=True)
            position += length
        n_missing = position - self.size
        return FileEnd(n_missing_bytes=n_missing if n_missing > _SEQUENTIAL_SLACK else 0)

    def _program_stream_intact(self, start: int, stop: int) -> bool:
        """Whether whole packets and headers of a program stream lie between two positions of packets."""
        first = start
        while start < min(stop, self.size):
            length = PART_LENGTHS["mpeg"](self._read(start, start + PART_BYTES))
            if length is None:
                return False
            start += length
        return _ZEROS not in self._read(first, stop)

    def n_hole_frames(self, packet: av.Packet[Any], *, has_error: bool = False) -> int:
        """Number of frames that the damaged bytes in a packet of a raw stream held; 0 for other containers.

        A packet of a raw stream takes in all bytes up to the next intact header. Its bytes are damaged if it has zeros,
        or if it is much larger than the others and the decoder finds an error in it or soon after it.

        Args:
            packet: A packet of the video.
            has_error: Whether the decoder rejects the packet, or gives a damaged frame at it.
        """
        if self._kind or self._n_video_packets < STEADY_AFTER:
            return 0
        n_bytes, mean = 0 if self._is_counted else self._n_zeros(packet), self._mean_bytes()
        if n_bytes > mean:
            self._is_counted, self._n_swollen = True, 0
            return round(n_bytes / mean)
        return self.take_swollen() if has_error and self._n_video_packets - self._swollen_at <= _ERROR_WITHIN else 0

    def take_swollen(self) -> int:
        """Number of frames in the latest packet that is much larger than the others and is not counted yet."""
        n_frames, self._n_swollen = self._n_swollen, 0
        self._is_counted |= n_frames > 0
        return n_frames

    @staticmethod
    def _n_zeros(packet: av.Packet[Any]) -> int:
        data = bytes(packet)
        return len(data) - len(data.replace(_ZEROS, b""))

    def _mean_bytes(self) -> int:
        """Mean size of a packet of the video."""
        mean = self._clocks[self._video_index].bytes_per_packet() if self._video_index in self._clocks else 0
        return mean or max(1, self._n_video_bytes // max(1, self._n_video_packets))

    def _intact_before(self, position: int, packet: av.Packet[Any], *, is_video: bool) -> bool:
        if self._kind == "matroska":
            return position - self._end <= _MATROSKA_SLACK or self._matroska_intact(self._matroska_end(), position)
        if not self._has_packet:
            return self._kind != "mpegts" or self._transport_stream_intact(0, position)
        if self._kind in _SEQUENTIAL:
            return position - self._end <= _SEQUENTIAL_SLACK
        start = self._video_position  # packets of other streams may come later than they stand in the file
        if not is_video or position <= start or not self._is_late(packet):
            return True
        if self._kind == "mpegts":
            return self._transport_stream_intact(start, position)
        if self._kind == "mpeg":
            return self._program_stream_intact(start, position)
        if not self._kind and self._n_video_packets >= STEADY_AFTER and self._n_zeros(packet) > self._mean_bytes():
            return False
        n_unknown = position - start - self._n_since_video
        if self._kind == "asf":
            return n_unknown <= 2 * self._stride
        slack = _FRAGMENT_SLACK if self._kind in ("mov", "mxf") else _OTHER_SLACK
        return n_unknown <= slack + (position - start) // 4 and _ZEROS not in self._read(start, position)

    def _follow_time(self, packet: av.Packet[Any]) -> None:
        time = stamp_of(packet)
        if time is None:
            return
        step = 0 if self._video_time is None else time - self._video_time
        if step > 0 and (self._step is None or step < self._step):
            self._step = step
        self._video_time = time
        self._last_shown = max(self._last_shown, packet.pts or 0)

    def _is_late(self, packet: av.Packet[Any]) -> bool:
        """Whether the packet comes later than the shortest step after the one before it."""
        time = stamp_of(packet)
        if time is None or self._video_time is None or self._step is None:
            return True
        # FFmpeg makes up the decoding times of some containers.
        if packet.pts is not None and packet.pts - self._last_shown > _REORDERED_STEPS * self._step:
            return True
        return time - self._video_time > 1.5 * self._step or time < self._video_time

    def _read(self, start: int, stop: int) -> bytes:
        # The file is opened for each check, which happens about once per cluster: nothing has to be closed later.
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                return file.read(max(0, min(stop - start, _MAX_READ)))
        except OSError:
            return b""  # the file is gone, which its container reports

    def _matroska_end(self) -> int:
        """End of the element of the last packet, whose length stands right before its content."""
        if not self._has_packet:
            return 0
        n_before = min(self._position, 9)
        before = self._read(self._position - n_before, self._position)
        for n_bytes in range(1, n_before):
            size, end = read_vint(before, n_before - n_bytes)
            if before[-n_bytes - 1] in _MATROSKA_BLOCKS and end == n_before and size:
                return self._position + size
        return self._end

    def _matroska_intact(self, start: int, stop: int) -> bool:
        """Whether whole elements lie between the end of a block and the next one."""
        file_position = start
        while file_position < stop:
            head = self._read(file_position, min(file_position + 12, self.size))
            element, after_id = read_vint(head, 0, keep_marker=True)
            if element is None or element not in _MATROSKA_ELEMENTS:
                return False
            size, after_size = read_vint(head, after_id)
            file_position += after_size
            if element in _MATROSKA_BLOCKS and file_position == stop:
                return True
            if element not in _MATROSKA_MASTERS and element != 0x18538067:
                if size is None:
                    return False
                file_position += size
        return file_position == stop == self.size

    def _transport_stream_intact(self, start: int, stop: int) -> bool:
        """Whether all packets between two positions begin with the sync byte and the stream's are numbered in turn."""
        counter: int | None = None
        while start + _TS_PACKET <= stop:
            data = self._read(start, stop)
            if len(data) < _TS_PACKET:
                break
            if data[0] != 0x47 and data[4] == 0x47:
                start += 4  # M2TS puts a time before each packet
                continue
            stride = self._ts_stride(data)
            for offset in range(0, len(data) - _TS_PACKET + 1, stride):
                sync, identifier, flags = struct.unpack_from(">BHB", data, offset)
                if sync != 0x47:
                    return False
                if identifier & 0x1FFF != self._stream_id or not flags & 0x10:
                    continue
                if counter is not None and flags & 0xF not in (counter, (counter + 1) & 0xF):
                    return False
                counter = flags & 0xF
            start += len(data) // stride * stride
        return True

    def _is_stuffed(self) -> bool:
        """Whether the last packet of the stream is filled up, as the last one of each picture is: 183 of 184 are."""
        data = self._read(self._video_position, self.size)
        stride = self._ts_stride(data)
        for offset in range(len(data) // stride * stride - stride, -1, -stride):
            sync, identifier, flags, length = struct.unpack_from(">BHBB", data, offset)
            if sync == 0x47 and identifier & 0x1FFF == self._stream_id:
                return bool(flags & 0x20) and length > _TS_CLOCK_BYTES
        return True

    @staticmethod
    def _ts_stride(data: bytes) -> int:
        return next((stride for stride in (188, 192, 204) if len(data) > stride and data[stride] == 0x47), 188)
