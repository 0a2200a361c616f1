# SPDX-License-Identifier: Apache-2.0
"""Whether a video file ends before its container does.

FFmpeg reads what there is of a file that was cut off and takes its end for the end of the video. Containers that count
their frames give the loss away; Matroska, WebM and AVI only say how many bytes long they are.
"""

from __future__ import annotations

from pathlib import Path

_EBML_HEADER, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
_HEAD_BYTES = 4096  # a segment's first bytes come right after a header of some dozens


def n_bytes_missing(path: Path) -> int:
    """Bytes that the file declares and does not have; 0 where its container does not tell.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
    declared = _matroska_bytes(head) if head.startswith(_EBML_HEADER) else _riff_bytes(head)
    return max(0, declared - size)


def _matroska_bytes(head: bytes) -> int:
    """Where the segment ends; 0 for one of unknown length, as streams that were recorded live have."""
    length, position = _vint(head, len(_EBML_HEADER))
    position += length or 0
    if head[position : position + len(_SEGMENT)] != _SEGMENT:
        return 0
    length, position = _vint(head, position + len(_SEGMENT))
    return 0 if length is None else position + length


def _riff_bytes(head: bytes) -> int:
    """Where the first RIFF chunk ends; 0 for other files and for one that was never finished."""
    if not head.startswith(b"RIFF"):
        return 0
    length = int.from_bytes(head[4:8], "little")
    return 0 if length in (0, 0xFFFFFFFF) else 8 + length


def _vint(data: bytes, position: int) -> tuple[int | None, int]:
    """An EBML length, None if it says "unknown", and where the bytes after it begin."""
    first = data[position] if position < len(data) else 0
    n_bytes = 9 - first.bit_length()  # the first set bit tells how many bytes the number takes
    if not first or position + n_bytes > len(data):
        return None, len(data)
    number = int.from_bytes(data[position : position + n_bytes]) & ((1 << 7 * n_bytes) - 1)
    return (None if number == (1 << 7 * n_bytes) - 1 else number), position + n_bytes
