# SPDX-License-Identifier: Apache-2.0
"""Finds the bytes of a video file that are missing or damaged, which containers skip without an error."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import av

_ZEROS = bytes(64)  # a run that a sound stream of the codecs and containers below does not contain
_TS_PACKET = 188
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
_OTHER_SLACK = 8192  # headers, padding and incomplete packets in program streams and fragmented MP4
_MATROSKA_SLACK = 24  # bytes of headers between two blocks of a cluster
# Codecs whose coded bytes never hold a run of zeros, and whose decoders show damaged frames without an error.
_WITHOUT_ZEROS = {"vp8", "vp9"}


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
        self._kind = next((name for name in ("matroska", "mpegts", "avi", "flv", "mov") if name in container_names), "")
        self._codec = codec
        self._stream_id = stream_id
        self._has_packet = False
        self._position = self._end = 0  # of the last packet of any stream
        self._video_position = self._n_since_video = 0
        self._video_time: int | None = None
        self._step: int | None = None  # shortest step between two packets of the video
        self.is_hit = False
        """Whether the last packet itself holds damaged bytes that its decoder does not find."""

    def packet(self, packet: av.Packet[Any], *, is_video: bool) -> bool:
        """Whether bytes before or in this packet are damaged.

        Args:
            packet: The next packet of any stream, in the order of the file.
            is_video: Whether it belongs to the video stream.
        """
        self.is_hit = is_video and self._codec in _WITHOUT_ZEROS and _ZEROS in bytes(packet)
        damaged = packet.is_corrupt or self.is_hit
        position = packet.pos
        if position is not None and position >= 0:
            damaged = damaged or not self._intact_before(position, packet, is_video=is_video)
            self._end = max(self._end, position + packet.size)
            self._position, self._has_packet = position, True
            if is_video:
                self._video_position, self._n_since_video = position, 0
        self._n_since_video += packet.size
        if is_video:
            self._follow_time(packet)
        return damaged

    def tail_damaged(self) -> bool:
        """Whether the bytes after the last packet are damaged."""
        if self._kind == "matroska":
            return not self._matroska_intact(self._matroska_end(), self.size)
        if self._kind == "mpegts":
            return not self._transport_stream_intact(self._video_position, self.size)
        return _ZEROS in self._read(self._end, self.size)

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
        n_unknown = position - start - self._n_since_video
        return n_unknown <= _OTHER_SLACK + (position - start) // 4 and _ZEROS not in self._read(start, position)

    def _follow_time(self, packet: av.Packet[Any]) -> None:
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        step = 0 if self._video_time is None else time - self._video_time
        if step > 0 and (self._step is None or step < self._step):
            self._step = step
        self._video_time = time

    def _is_late(self, packet: av.Packet[Any]) -> bool:
        """Whether the packet comes later than the shortest step after the one before it."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None or self._video_time is None or self._step is None:
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
            size, end = _vint(before, n_before - n_bytes)
            if before[-n_bytes - 1] in _MATROSKA_BLOCKS and end == n_before and size:
                return self._position + size
        return self._end

    def _matroska_intact(self, start: int, stop: int) -> bool:
        """Whether whole elements lie between the end of a block and the next one."""
        file_position = start
        while file_position < stop:
            head = self._read(file_position, min(file_position + 12, self.size))
            element, after_id = _vint(head, 0, keep_marker=True)
            if element is None or element not in _MATROSKA_ELEMENTS:
                return False
            size, after_size = _vint(head, after_id)
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

    @staticmethod
    def _ts_stride(data: bytes) -> int:
        return next((stride for stride in (188, 192, 204) if len(data) > stride and data[stride] == 0x47), 188)


_EBML_HEADER, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
_HEAD_BYTES = 4096  # the segment starts after a header of a few dozen bytes


def n_bytes_missing(path: Path) -> int:
    """Number of bytes that a video file declares but does not contain; 0 if its container declares no length.

    Args:
        path: Path of the file; Matroska, WebM, AVI and WAV declare their length, a transport stream ends with a whole
            packet and a Flash video with the length of its last tag.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        if head.startswith(b"FLV\x01"):
            return _flash_bytes(file, size)
    stride = next((stride for stride, sync in _TS_STRIDES if _is_transport_stream(head, stride, sync)), 0)
    if stride:
        return -size % stride
    declared = _matroska_bytes(head) if head.startswith(_EBML_HEADER) else _riff_bytes(head)
    return max(0, declared - size)


_TS_STRIDES = ((188, 0), (192, 4))  # bytes from packet to packet, and bytes before the sync byte of the first


def _is_transport_stream(head: bytes, stride: int, sync: int) -> bool:
    syncs = head[sync::stride]
    return len(syncs) > 4 and set(syncs) == {0x47}


def _flash_bytes(file: BinaryIO, size: int) -> int:
    """Number of bytes after which the last tag of a Flash video ends; at least 1 if that is unknown."""
    file.seek(max(0, size - 4))
    (length,) = struct.unpack(">I", file.read(4).rjust(4, b"\0"))
    if not 11 <= length <= size - 4:
        return 1
    file.seek(size - 4 - length)
    return int(int.from_bytes(file.read(4)[1:]) + 11 != length)


def _matroska_bytes(head: bytes) -> int:
    """End position of the segment; 0 if its length is unknown, as in live recordings."""
    length, position = _vint(head, len(_EBML_HEADER))
    position += length or 0
    if head[position : position + len(_SEGMENT)] != _SEGMENT:
        return 0
    length, position = _vint(head, position + len(_SEGMENT))
    return 0 if length is None else position + length


def _riff_bytes(head: bytes) -> int:
    """End position of the first RIFF chunk; 0 for other files and for an unfinished file."""
    if not head.startswith(b"RIFF"):
        return 0
    length = int.from_bytes(head[4:8], "little")
    return 0 if length in (0, 0xFFFFFFFF) else 8 + length


def _vint(data: bytes, position: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    first = data[position] if position < len(data) else 0
    n_bytes = 9 - first.bit_length()
    if not first or position + n_bytes > len(data):
        return None, len(data)
    number = int.from_bytes(data[position : position + n_bytes])
    if keep_marker:
        return number, position + n_bytes
    number &= (1 << 7 * n_bytes) - 1
    return (None if number == (1 << 7 * n_bytes) - 1 else number), position + n_bytes
