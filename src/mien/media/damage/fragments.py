# SPDX-License-Identifier: Apache-2.0
"""Fragments of an MP4 file, which tell how many frames it held where boxes between them are damaged."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mien.media.damage.file_ends import PART_BYTES, PART_LENGTHS

_MAX_HEADER_BYTES = 1 << 22  # a fragment's header takes up to 16 bytes a sample
_LEAST_BYTES = 8  # of a frame
_DESCRIPTION, _DURATION = 0x2, 0x8  # fields of a track's header before and with the duration of its samples
_BASE_OFFSET = 0x1
_FIRST_OFFSET, _FIRST_FLAGS = 0x1, 0x4  # fields of a run before its table
_PER_SAMPLE = (0x100, 0x200, 0x400, 0x800)  # 4 bytes each, the duration first


@dataclass(frozen=True)
class Fragment:
    """What the header of a fragment tells of one track.

    Attributes:
        position: Position of the header in the file.
        end_position: Position after the data of the fragment.
        start: Decoding time of the first sample, in units of the track; None if it is not stored.
        n_samples: Number of samples.
        duration: Duration of the samples, in units of the track; None if the fragment does not store it.
    """

    position: int
    end_position: int
    start: int | None
    n_samples: int
    duration: int | None


@dataclass(frozen=True)
class Fragments:
    """Number of frames of a track by its fragments.

    Attributes:
        n_frames: Number of frames up to the end of the last intact fragment, those of destroyed ones included.
        end_position: Position after the last intact fragment; 0 without one.
    """

    n_frames: int
    end_position: int


def count_fragments(path: Path, track: int, step: float) -> Fragments:
    """Count the frames of a track by the headers of the fragments, which are found by their name.

    A fragment that is destroyed leaves a step in the decoding times of the others. Such a step counts only where the
    bytes in between are no whole boxes.

    Args:
        path: Path of an MP4 file.
        track: Number of the track.
        step: Units of the track from frame to frame, above 0.

    Returns:
        Nothing is counted in a file that is gone by now, which its container reports.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _counted(data, track, step)
    except (OSError, ValueError):  # gone, or empty
        return Fragments(0, 0)


def _counted(data: mmap.mmap, track: int, step: float) -> Fragments:
    found = _intact(data, list(_fragments(data, track)))
    n_frames = sum(fragment.n_samples for fragment in found)
    for earlier, later in pairwise(found):
        if earlier.start is None or later.start is None or _is_whole(data, earlier.end_position, later.position):
            continue
        duration = earlier.n_samples * step if earlier.duration is None else earlier.duration
        n_between = max(0, round((later.start - earlier.start - duration) / step))
        has_room = n_between * _LEAST_BYTES <= later.position - earlier.end_position  # else a time is damaged
        n_frames += n_between if has_room else 0
    return Fragments(n_frames, found[-1].end_position if found else 0)


def _intact(data: mmap.mmap, found: list[Fragment]) -> list[Fragment]:
    """The fragments without those whose header a hole cuts: their time is gone, or does not lie between the others'."""
    kept: list[Fragment] = []
    has_times = any(fragment.start is not None for fragment in found)
    ends = [*(fragment.position for fragment in found[1:]), len(data)]
    for fragment, next_position in zip(found, ends, strict=True):
        is_late = fragment.start is not None and (not kept or fragment.start > (kept[-1].start or -1))
        if not has_times or is_late or _is_whole(data, fragment.end_position, next_position):
            kept.append(fragment)
    return kept


def _fragments(data: mmap.mmap, track: int) -> Iterator[Fragment]:
    position = data.find(b"moof")
    while position >= 4:
        end = position - 4 + int.from_bytes(data[position - 4 : position])
        fragment = None
        if position + 4 < end <= min(len(data), position + _MAX_HEADER_BYTES):
            fragment = _fragment(data[position + 4 : end], track, position - 4, _data_end(data, end))
        if fragment is not None:
            yield fragment
        after = position + 4 if fragment is None else end
        if fragment is not None and _length(data, fragment.end_position) is not None:
            after = fragment.end_position  # the data need not be read
        position = data.find(b"moof", after)


def _length(data: mmap.mmap, position: int) -> int | None:
    """Length of the box that begins at a position; None if none does."""
    return PART_LENGTHS["mov"](data[position : position + PART_BYTES])


def _data_end(data: mmap.mmap, position: int) -> int:
    """Position after the data box that follows the header of a fragment."""
    length = _length(data, position)
    return position if length is None or data[position + 4 : position + 8] != b"mdat" else position + length


def _is_whole(data: mmap.mmap, start: int, stop: int) -> bool:
    """Whether whole boxes lie between two positions."""
    while start < stop:
        length = _length(data, start)
        if length is None:
            return False
        start += length
    return start == stop


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the boxes in a box, up to the first that does not fit."""
    position = 0
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        if length < 8 or position + length > len(data):
            return
        yield data[position + 4 : position + 8], data[position + 8 : position + length]
        position += length


def _fragment(content: bytes, track: int, position: int, end_position: int) -> Fragment | None:
    """The part of a track in a fragment; None if it has none."""
    for name, part in _boxes(content):
        inner = list(_boxes(part)) if name == b"traf" else []
        header = next((body for name, body in inner if name == b"tfhd" and len(body) >= 8), b"")
        if int.from_bytes(header[4:8]) != track:
            continue
        times = (body for name, body in inner if name == b"tfdt" and len(body) >= 8)
        start = next((int.from_bytes(body[4:12] if body[0] else body[4:8]) for body in times), None)
        default = _default_duration(header)
        runs = [_samples(body, default) for name, body in inner if name == b"trun" and len(body) >= 8]
        durations = [duration for _, duration in runs]
        total = None if None in durations else sum(duration or 0 for duration in durations)
        n_samples = min(sum(n for n, _ in runs), (end_position - position) // _LEAST_BYTES)
        return Fragment(position, end_position, start, n_samples, total)
    return None


def _default_duration(header: bytes) -> int | None:
    """Duration of a sample by the header of a track in a fragment; None if it has none."""
    flags = int.from_bytes(header[1:4])
    if not flags & _DURATION:
        return None
    place = 8 + 8 * bool(flags & _BASE_OFFSET) + 4 * bool(flags & _DESCRIPTION)
    return int.from_bytes(header[place : place + 4])


def _samples(run: bytes, default: int | None) -> tuple[int, int | None]:
    """Number of samples of a run, no more than its table has room for, and their duration."""
    flags, n_samples = int.from_bytes(run[1:4]), int.from_bytes(run[4:8])
    start = 8 + sum(4 for flag in (_FIRST_OFFSET, _FIRST_FLAGS) if flags & flag)
    width = sum(4 for flag in _PER_SAMPLE if flags & flag)
    if width:
        n_samples = min(n_samples, max(0, len(run) - start) // width)
    if flags & _PER_SAMPLE[0]:
        return n_samples, sum(
            int.from_bytes(run[place : place + 4]) for place in range(start, start + n_samples * width, width)
        )
    return n_samples, None if default is None else n_samples * default
