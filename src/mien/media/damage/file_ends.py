# SPDX-License-Identifier: Apache-2.0
"""What the ends and headers of video files tell of bytes that are missing."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class FileEnd:
    """What the bytes behind the last intact packet of a file show.

    Attributes:
        damaged: Whether they are damaged.
        unexplained: Whether there are more of them than an index takes: they are damaged if frames are missing as well.
        n_damaged_bytes: Number of bytes that are damaged, or unexplained.
        n_missing_bytes: Number of bytes that the last part declares and the file does not contain.
    """

    damaged: bool = False
    unexplained: bool = False
    n_damaged_bytes: int = 0
    n_missing_bytes: int = 0


PART_BYTES = 16
"""Number of bytes of a header that `PART_LENGTHS` need."""

PES_BYTES = 1 << 16
"""Length of the longest packet of a program stream."""


def _box_length(head: bytes) -> int | None:
    """Length of a box of MP4; None if there is none."""
    length, name = int.from_bytes(head[:4]), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16])
    elif length == 0:
        length = 1 << 62  # up to the end of the file
    return length if name.isalnum() and name.isascii() and length >= 8 else None


def _chunk_length(head: bytes) -> int | None:
    """Length of a chunk of AVI, or of the header of a list of chunks; None if there is none."""
    name, length = head[:4], int.from_bytes(head[4:8], "little")
    if name in (b"RIFF", b"LIST"):
        return 12
    return 8 + length + length % 2 if len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name) else None


def _pes_length(head: bytes) -> int | None:
    """Length of a packet or a header of a program stream (ISO/IEC 13818-1, 2.5.3); None if there is none."""
    if len(head) < 4 and head == bytes(len(head)):
        return len(head)
    if head[:3] != b"\0\0\1" or len(head) < 4 or head[3] < 0xB9:
        return None
    if head[3] == 0xB9:  # the end of the program
        return 4
    if head[3] == 0xBA:
        return 14 + (head[13] & 7) if len(head) > 13 and head[4] >> 6 == 1 else 12
    return 6 + int.from_bytes(head[4:6])


def _real_length(head: bytes) -> int | None:
    """Length of a chunk of a RealMedia file; None if there is none."""
    name, length = head[:4], int.from_bytes(head[4:8])
    return length if name in (b".RMF", b"PROP", b"MDPR", b"CONT", b"DATA", b"INDX") and length >= 8 else None


PART_LENGTHS = {"mov": _box_length, "rm": _real_length, "avi": _chunk_length, "mpeg": _pes_length}
"""FFmpeg's name of a container -> function that gives the length of the part that begins with the given bytes."""

_EBML_HEADER, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
_HEAD_BYTES = 4096  # the segment starts after a header of a few dozen bytes


def n_bytes_missing(path: Path) -> int:
    """Number of bytes that a video file declares but does not contain; 0 if its container declares no length.

    Args:
        path: Path of the file; Matroska, WebM, AVI, WAV and Windows Media declare their length, a transport stream ends
            with a whole packet, a GIF with its trailer and a Flash video with the length of its last tag.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        if head.startswith(b"FLV\x01"):
            return _flash_bytes(file, size)
        if head.startswith(b"GIF8"):
            file.seek(max(0, size - 1))
            return int(file.read(1) != b"\x3b")  # its trailer
    stride = next((stride for stride, sync in _TS_STRIDES if _is_transport_stream(head, stride, sync)), 0)
    if stride:
        return -size % stride
    known = next((parse for mark, parse in _DECLARED_BYTES.items() if head.startswith(mark)), None)
    return 0 if known is None else max(0, known(head) - size)


_FLASH_HEADER = b"\0\0\0\x09\0\0\0\0"  # its length, and that of the tag before the first
_TAIL_BYTES = 1 << 24  # bytes that are searched


def next_recording(path: Path, kind: str, end: int) -> int:
    """Position of a further recording that was joined to a file byte by byte; 0 if there is none.

    FFmpeg reads the first recording only of MP4 and Flash video, and all of them in other containers.

    Args:
        path: Path of the file.
        kind: FFmpeg's name of the container, ``"mov"`` or ``"flv"``; others give 0.
        end: Position after the last packet.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if kind == "flv":
            file.seek(end)
            found = re.search(rb"FLV\x01." + re.escape(_FLASH_HEADER), file.read(_TAIL_BYTES), re.DOTALL)
            return end + found.start() if found else 0
        position, has_index = 0, False
        while kind == "mov":
            file.seek(position)
            head = file.read(PART_BYTES)
            length, name = _box_length(head), head[4:8]
            if length is None or name == b"moof":  # fragments go on after a second index
                return 0
            if name == b"ftyp" and has_index:
                return position
            has_index |= name == b"moov"
            position += length
    return 0


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
    length, position = read_vint(head, len(_EBML_HEADER))
    position += length or 0
    if head[position : position + len(_SEGMENT)] != _SEGMENT:
        return 0
    length, position = read_vint(head, position + len(_SEGMENT))
    return 0 if length is None else position + length


def _riff_bytes(head: bytes) -> int:
    """End position of the first RIFF chunk; 0 for an unfinished file."""
    length = int.from_bytes(head[4:8], "little")
    return 0 if length in (0, 0xFFFFFFFF) else 8 + length


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf_bytes(head: bytes) -> int:
    """Size of a Windows Media file by its properties; 0 if they lie further on."""
    start = head.find(_ASF_PROPERTIES) + 40
    return int.from_bytes(head[start : start + 8], "little") if start > 40 else 0


_DECLARED_BYTES = {_EBML_HEADER: _matroska_bytes, b"RIFF": _riff_bytes, _ASF_HEADER: _asf_bytes}


def read_vint(data: bytes, position: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """A number of variable length of Matroska (None if it is unknown or cut off), and the position after it."""
    first = data[position] if position < len(data) else 0
    n_bytes = 9 - first.bit_length()
    if not first or position + n_bytes > len(data):
        return None, len(data)
    number = int.from_bytes(data[position : position + n_bytes])
    if keep_marker:
        return number, position + n_bytes
    number &= (1 << 7 * n_bytes) - 1
    return (None if number == (1 << 7 * n_bytes) - 1 else number), position + n_bytes
