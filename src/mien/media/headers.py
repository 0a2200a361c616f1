# SPDX-License-Identifier: Apache-2.0
"""Parses size, orientation and completeness from the headers of image and video files, without decoding."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_ORIENTATION_TAG = 0x0112
_WIDTH_TAG = 0x0100
_HEIGHT_TAG = 0x0101
_TIFF_INTEGERS = {3: "H", 4: "I"}  # field types SHORT and LONG
_JPEG_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_JPEG_FRAME_STARTS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class ImageHeader:
    """Facts about an encoded image that need no decoding.

    Attributes:
        width: Stored width in pixels, before `orientation` is applied; 0 if unknown.
        height: Stored height in pixels; 0 if unknown.
        orientation: EXIF orientation, 1 to 8, that the caller must apply after decoding.
        complete: Whether the file contains its whole content; False for a file that is cut off.
    """

    width: int = 0
    height: int = 0
    orientation: int = 1
    complete: bool = True


def read_header(data: bytes, format_name: str) -> ImageHeader:
    """Parse the header of an encoded image; unknown formats and unreadable fields give the defaults.

    Args:
        data: Bytes of the whole file.
        format_name: `Format.name` of the file.

    Examples:
        >>> read_header(b"P6 640 480 255 ", "PNM")
        ImageHeader(width=640, height=480, orientation=1, complete=True)
        >>> read_header(bytes.fromhex("ffd8ffe0"), "JPEG").complete
        False
    """
    parse = _PARSERS.get(format_name)
    if parse is None:
        return ImageHeader()
    try:
        return parse(data)
    except (struct.error, IndexError):  # a field lies beyond the end of the data
        return ImageHeader(complete=False)


def _jpeg(data: bytes) -> ImageHeader:
    width = height = 0
    orientation = 1
    position = 2
    while position + 4 <= len(data):
        marker = data[position + 1]
        if data[position] != 0xFF or marker == 0xFF:  # fill bytes may precede a marker
            position += 1
            continue
        if marker in _JPEG_STANDALONE:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = position + 4
        if marker == 0xE1 and data.startswith(b"Exif\0\0", body):
            orientation = _exif_orientation(data[body + 6 : position + 2 + length])
        elif marker in _JPEG_FRAME_STARTS:
            height, width = struct.unpack_from(">HH", data, body + 1)
        elif marker == 0xDA:
            # Inside the coded pixels 0xFF is always escaped, so the end marker cannot occur by accident; the end
            # marker of a thumbnail lies before this point.
            complete = data.find(_JPEG_END, position + 2 + length) >= 0
            return ImageHeader(width, height, orientation, complete)
        position += 2 + length
    return ImageHeader(width, height, orientation, complete=False)


def _png(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", data, 16)
    orientation = 1
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"eXIf":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        elif kind == b"IEND":
            return ImageHeader(width, height, orientation)
        position += 12 + length
    return ImageHeader(width, height, orientation, complete=False)


def _webp(data: bytes) -> ImageHeader:
    (riff_size,) = struct.unpack_from("<I", data, 4)
    complete = riff_size + 8 <= len(data)
    width = height = 0
    orientation = 1
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        (length,) = struct.unpack_from("<I", data, position + 4)
        body = position + 8
        if kind == b"VP8X":
            width = 1 + int.from_bytes(data[body + 4 : body + 7], "little")
            height = 1 + int.from_bytes(data[body + 7 : body + 10], "little")
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, body + 6))
        elif kind == b"VP8L" and not width:
            bits = int.from_bytes(data[body + 1 : body + 5], "little")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            orientation = _exif_orientation(data[body : body + length].removeprefix(b"Exif\0\0"))
        position = body + length + length % 2
    return ImageHeader(width, height, orientation, complete)


def _gif(data: bytes) -> ImageHeader:
    """Complete if the first frame is complete; later frames are not used."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _gif_palette_bytes(flags)
    while data[position] != 0x2C:  # extensions before the first frame
        if data[position] != 0x21:
            return ImageHeader(width, height, complete=False)
        position = _after_gif_blocks(data, position + 2)
    position += 10 + _gif_palette_bytes(data[position + 9])
    _after_gif_blocks(data, position + 1)
    return ImageHeader(width, height)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_gif_blocks(data: bytes, position: int) -> int:
    """Position after a chain of length-prefixed blocks; IndexError if the data ends first."""
    while data[position]:
        position += 1 + data[position]
    return position + 1


def _bmp(data: bytes) -> ImageHeader:
    (info_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if info_size == 12 else "<ii", data, 18)
    return ImageHeader(abs(width), abs(height))  # a negative height means that rows start at the top


def _tiff(data: bytes) -> ImageHeader:
    # The orientation is omitted, since OpenCV always turns TIFF images upright.
    tags = _tiff_tags(data)
    return ImageHeader(tags.get(_WIDTH_TAG, 0), tags.get(_HEIGHT_TAG, 0))


def _avif(data: bytes) -> ImageHeader:
    # Each item (a tile, the alpha plane) has an "ispe" box; the largest one is the image.
    sizes: list[tuple[int, int]] = []
    position = data.find(b"ispe")
    while position >= 0 and len(sizes) < 1000:
        sizes.append(struct.unpack_from(">II", data, position + 8))
        position = data.find(b"ispe", position + 16)
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    box = 0
    while box + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, box)
        if size < 8:  # the last box extends to the end of the file, or has a size that no still image needs
            break
        box += size
    return ImageHeader(width, height, complete=box <= len(data))


def _pnm(data: bytes) -> ImageHeader:
    lines = (line.split(b"#")[0] for line in data[:1024].splitlines())
    fields = [field for line in lines for field in line.split()][1:3]
    if len(fields) < 2 or not all(field.isdigit() for field in fields):
        return ImageHeader(complete=False)
    width, height = int(fields[0]), int(fields[1])
    return ImageHeader(width, height)


_PARSERS: dict[str, Callable[[bytes], ImageHeader]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "PNM": _pnm,
}


def _exif_orientation(exif: bytes) -> int:
    """EXIF orientation, 1 to 8; 1 if the block has none or is damaged, as viewers do."""
    try:
        value = _tiff_tags(exif).get(_ORIENTATION_TAG, 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Single-integer tags of the first directory of a TIFF structure, which EXIF blocks use as well."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (n_entries,) = struct.unpack_from(f"{order}H", data, directory)
    tags: dict[int, int] = {}
    for index in range(n_entries):
        entry = directory + 2 + 12 * index
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, entry)
        if count == 1 and kind in _TIFF_INTEGERS:
            (tags[tag],) = struct.unpack_from(order + _TIFF_INTEGERS[kind], data, entry + 8)
    return tags


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


def _vint(data: bytes, position: int) -> tuple[int | None, int]:
    """An EBML length, None for the value "unknown", and the position after it."""
    first = data[position] if position < len(data) else 0
    n_bytes = 9 - first.bit_length()  # the position of the first set bit gives the number of bytes
    if not first or position + n_bytes > len(data):
        return None, len(data)
    number = int.from_bytes(data[position : position + n_bytes]) & ((1 << 7 * n_bytes) - 1)
    return (None if number == (1 << 7 * n_bytes) - 1 else number), position + n_bytes
