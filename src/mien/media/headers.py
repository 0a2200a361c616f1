# SPDX-License-Identifier: Apache-2.0
"""Parses size, orientation, number of pictures and completeness from the headers of image files, without decoding."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

_ORIENTATION_TAG = 0x0112
_WIDTH_TAG = 0x0100
_HEIGHT_TAG = 0x0101
_CHANNELS_TAG = 0x0115
_BITS_TAG = 0x0102
_MAX_VALUE_TAG = 0x0119
_SUBFILE_TAG = 0x00FE
_COMPRESSION_TAG = 0x0103
_RAW_TAGS = {0x014A, 0xC612}  # further directories, and the version of DNG
_UNREAD_COMPRESSIONS = {34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"}
# Field types BYTE, SHORT, LONG, SBYTE, SSHORT and SLONG: libtiff accepts every one of them for every integer.
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
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
        bytes_per_pixel: Memory per pixel that decoding takes at once.
        max_value: Value of white where the samples do not fill their 8 or 16 bits; 0 if they do.
        refusal: Reason why the image is not decoded, and what to do; empty if it is.
    """

    width: int = 0
    height: int = 0
    orientation: int = 1
    complete: bool = True
    bytes_per_pixel: int = 3
    max_value: int = 0
    refusal: str = ""


def read_header(data: bytes, format_name: str) -> ImageHeader:
    """Parse the header of an encoded image; unknown formats and unreadable fields give the defaults.

    Args:
        data: Bytes of the whole file.
        format_name: `Format.name` of the file.

    Examples:
        >>> read_header(b"P6 640 480 255 ", "PNM")
        ImageHeader(width=640, height=480, orientation=1, complete=True, bytes_per_pixel=3, max_value=0, refusal='')
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


def n_pictures(data: bytes, format_name: str) -> int:
    """Number of pictures in an image file: frames of an animation or pages; at least 1, capped at 1000.

    Args:
        data: Bytes of the whole file.
        format_name: `Format.name` of the file.

    Examples:
        >>> n_pictures(b"P6 640 480 255 ", "PNM")
        1
    """
    count = _PICTURE_COUNTS.get(format_name)
    try:
        return 1 if count is None else min(max(1, count(data)), _MAX_PICTURES)
    except (struct.error, IndexError):
        return 1


_MAX_PICTURES = 1000


def _n_jpeg_pictures(data: bytes) -> int:
    """Number of pictures by the multi-picture format (CIPA DC-007); thumbnails and maps of brightness do not count."""
    position = 2
    while data[position] == 0xFF and data[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = position + 4
        if data[position + 1] == 0xE2 and data.startswith(MPF_MARK, body):
            return 1 + sum(map(_is_view, *_further_pictures(data, body + len(MPF_MARK))))
        position += 2 + length
    # A raw stream of motion JPEG; a single picture that follows may be a preview.
    n_following = data.count(_JPEG_END + b"\xff\xd8\xff", position)
    return 1 + n_following if n_following > 1 else 1


MPF_MARK = b"MPF\0"
"""Begin of the segment of a JPEG file that lists its pictures."""

_MPF_ENTRIES_TAG = 0xB002
_MPF_THUMBNAILS = {0x010001, 0x010002}
_GAIN_MAP = re.compile(b"gain_?map|hdrgm", re.IGNORECASE)


def _further_pictures(data: bytes, start: int) -> tuple[list[int], list[bytes]]:
    """Kinds and first bytes of the pictures after the first that the list at a position names."""
    order = "<" if data[start : start + 2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, start + 4)
    (n_entries,) = struct.unpack_from(f"{order}H", data, start + directory)
    kinds, heads = [], []
    for index in range(n_entries):
        tag, _, n_bytes, place = struct.unpack_from(f"{order}HHII", data, start + directory + 2 + 12 * index)
        if tag != _MPF_ENTRIES_TAG:
            continue
        for number in range(1, min(n_bytes // 16, _MAX_PICTURES)):
            attribute, _, offset = struct.unpack_from(f"{order}III", data, start + place + 16 * number)
            kinds.append(attribute & 0xFFFFFF)
            heads.append(data[start + offset : start + offset + _GAIN_MAP_BYTES])
    return kinds, heads


_GAIN_MAP_BYTES = 8192


def _is_view(kind: int, head: bytes) -> bool:
    """Whether a further picture is a view of its own, and not a thumbnail or the gain map of an HDR photo."""
    return kind not in _MPF_THUMBNAILS and _GAIN_MAP.search(head) is None


def _n_png_pictures(data: bytes) -> int:
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"acTL":
            return int(struct.unpack_from(">I", data, position + 8)[0])
        if kind == b"IDAT":
            return 1
        position += 12 + length
    return 1


def _n_webp_pictures(data: bytes) -> int:
    position, n_frames = 12, 0
    while position + 8 <= len(data) and n_frames < _MAX_PICTURES:
        (length,) = struct.unpack_from("<I", data, position + 4)
        n_frames += data[position : position + 4] == b"ANMF"
        position += 8 + length + length % 2
    return n_frames


def _n_gif_pictures(data: bytes) -> int:
    position, n_frames = 13 + _gif_palette_bytes(data[10]), 0
    with suppress(IndexError):  # a file that is cut off has the pictures before
        while data[position] != 0x3B and n_frames < _MAX_PICTURES:
            if data[position] == 0x2C:
                n_frames += 1
                position += 10 + _gif_palette_bytes(data[position + 9])
                position = _after_gif_blocks(data, position + 1)
            elif data[position] == 0x21:
                position = _after_gif_blocks(data, position + 2)
            else:
                break
    return n_frames


def _n_tiff_pictures(data: bytes) -> int:
    """Number of pages; reduced copies of a page (NewSubfileType bit 0) and masks (bit 2) are not pages."""
    order = "<" if data[:2] == b"II" else ">"
    seen: set[int] = set()
    n_pages = 0
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    with suppress(struct.error):
        while directory and directory not in seen and len(seen) < _MAX_PICTURES:
            seen.add(directory)
            n_pages += not _tiff_tags(data, directory).get(_SUBFILE_TAG, 0) & 0b101
            (n_entries,) = struct.unpack_from(f"{order}H", data, directory)
            (directory,) = struct.unpack_from(f"{order}I", data, directory + 2 + 12 * n_entries)
    return n_pages


def _n_heif_pictures(data: bytes) -> int:
    """2 for an image sequence, whose frames only its track tells; else 1."""
    return 2 if data[8:12] in (b"avis", b"msf1", b"hevc", b"heis") else 1


_PICTURE_COUNTS: dict[str, Callable[[bytes], int]] = {
    "JPEG": _n_jpeg_pictures,
    "PNG": _n_png_pictures,
    "WebP": _n_webp_pictures,
    "GIF": _n_gif_pictures,
    "TIFF": _n_tiff_pictures,
    "AVIF": _n_heif_pictures,
    "HEIC": _n_heif_pictures,
}


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


_PNG_CHANNELS = {0: 1, 2: 3, 3: 4, 4: 4, 6: 4}  # by colour type, as they are decoded


def _png(data: bytes) -> ImageHeader:
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    bytes_per_pixel = _PNG_CHANNELS.get(colour, 4) * (2 if depth == 16 else 1)
    orientation = 1
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"eXIf":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        elif kind == b"IEND":
            return ImageHeader(width, height, orientation, bytes_per_pixel=bytes_per_pixel)
        position += 12 + length
    return ImageHeader(width, height, orientation, complete=False, bytes_per_pixel=bytes_per_pixel)


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
    return ImageHeader(width, height, orientation, complete, bytes_per_pixel=4)


def _gif(data: bytes) -> ImageHeader:
    """Complete if the first frame is complete; later frames are not used."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _gif_palette_bytes(flags)
    while data[position] != 0x2C:  # extensions before the first frame
        if data[position] != 0x21:
            return ImageHeader(width, height, complete=False, bytes_per_pixel=_GIF_BYTES)
        position = _after_gif_blocks(data, position + 2)
    position += 10 + _gif_palette_bytes(data[position + 9])
    _after_gif_blocks(data, position + 1)
    return ImageHeader(width, height, bytes_per_pixel=_GIF_BYTES)


_GIF_BYTES = 16  # the decoder holds several canvases with an alpha channel


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
    n_channels, n_bits = tags.get(_CHANNELS_TAG, 1), tags.get(_BITS_TAG, 8)
    return ImageHeader(
        tags.get(_WIDTH_TAG, 0),
        tags.get(_HEIGHT_TAG, 0),
        complete=tags.get(_WIDTH_TAG, 0) > 0 and tags.get(_HEIGHT_TAG, 0) > 0,
        bytes_per_pixel=max(4, n_channels * -(-n_bits // 8)),
        max_value=_tiff_white(tags),
        refusal=_tiff_refusal(tags),
    )


def _tiff_refusal(tags: dict[int, int]) -> str:
    if tags.get(_SUBFILE_TAG, 0) & 1 and _RAW_TAGS & tags.keys():
        return "it is a camera's raw file, which begins with a small preview; export it as JPEG first"
    name = _UNREAD_COMPRESSIONS.get(tags.get(_COMPRESSION_TAG, 1), "")
    return name and f"its compression ({name}) cannot be read; save it with LZW, Deflate or without compression"


def _tiff_white(tags: dict[int, int]) -> int:
    """Declared maximum of 16-bit samples; 0 where it is that of the bits or not plausible."""
    maximum = tags.get(_MAX_VALUE_TAG, 0)
    return maximum if tags.get(_BITS_TAG) == 16 and 255 < maximum < 0xFFFF else 0


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
    n_bits = _av1_bits(data)
    return ImageHeader(
        width,
        height,
        heif_orientation(data),
        complete=box <= len(data),
        bytes_per_pixel=4 if n_bits == 8 else 8,
        max_value=0 if n_bits == 8 else (1 << n_bits) - 1,
    )


def _av1_bits(data: bytes) -> int:
    """Bits per sample, from the configuration of the codec of the first item; 8 if there is none."""
    position = data.find(b"av1C")
    if position < 0:
        return 8
    flags = data[position + 6]
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


_MIRRORED = {1: 2, 8: 7, 3: 4, 6: 5}  # orientation of a turn -> that of the turn and a mirror image, left to right
_TURN_ORIENTATIONS = (1, 8, 3, 6)  # by quarter turns counter-clockwise


def heif_orientation(data: bytes) -> int:
    """EXIF orientation that does what the properties irot and imir of the primary item ask for.

    Args:
        data: Bytes of a HEIF file, such as AVIF or HEIC (ISO/IEC 23008-12, 6.5.10 and 6.5.12).
    """
    boxes = dict(_boxes(data, 0, len(data)))
    start, stop = boxes.get(b"meta", (0, 0))
    inner = dict(_boxes(data, start + 4, stop))
    if b"iprp" not in inner:
        return 1
    item_start = inner.get(b"pitm", (0, 0))[0]
    primary = int.from_bytes(data[item_start + 4 : item_start + (8 if data[item_start] else 6)])
    properties = dict(_boxes(data, *inner[b"iprp"]))
    if b"ipco" not in properties or b"ipma" not in properties:
        return 1
    known = list(_boxes(data, *properties[b"ipco"]))
    orientation = 1
    for number in _associated(data, properties[b"ipma"][0], primary):
        kind, (body, _) = known[number - 1] if 0 < number <= len(known) else (b"", (0, 0))
        if kind == b"irot":
            orientation = _TURN_ORIENTATIONS[data[body] & 3]
        elif kind == b"imir":
            # Left and right parts change places for 1, top and bottom for 0: the latter with half a turn.
            mirrored = _MIRRORED[orientation]
            orientation = mirrored if data[body] & 1 else _TURNED_HALF[mirrored]
    return orientation


_TURNED_HALF = {2: 4, 4: 2, 5: 7, 7: 5}


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the kind and the content (start, stop) of the boxes of an ISO media file."""
    n_boxes = 0
    while start + 8 <= min(stop, len(data)) and n_boxes < _MAX_PICTURES:
        size, kind = struct.unpack_from(">I4s", data, start)
        n_head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            n_head = 16
        if size < n_head:
            return
        yield kind, (start + n_head, min(start + size, stop))
        start += size
        n_boxes += 1


def _associated(data: bytes, body: int, item: int) -> list[int]:
    """Numbers, from 1, of the properties of an item, in the order in which they apply."""
    version, flags = data[body], data[body + 3]
    (n_items,) = struct.unpack_from(">I", data, body + 4)
    position = body + 8
    for _ in range(min(n_items, _MAX_PICTURES)):
        (number,) = struct.unpack_from(">H" if version < 1 else ">I", data, position)
        position += 2 if version < 1 else 4
        n_properties = data[position]
        position += 1
        width = 2 if flags & 1 else 1
        if number == item:
            codes = [data[position + width * i : position + width * (i + 1)] for i in range(n_properties)]
            return [int.from_bytes(code) & (0x7FFF if width == 2 else 0x7F) for code in codes]
        position += width * n_properties
    return []


def _pnm(data: bytes) -> ImageHeader:
    lines = (line.split(b"#")[0] for line in data[:1024].splitlines())
    fields = [field for line in lines for field in line.split()]
    n_numbers = 2 if fields[0] in (b"P1", b"P4") else 3  # bitmaps have no maximum
    numbers = fields[1 : 1 + n_numbers]
    if len(numbers) < n_numbers or not all(field.isdigit() for field in numbers):
        return ImageHeader(complete=False)
    width, height, *maximum = (int(number) for number in numbers)
    white = maximum[0] if maximum and 0 < maximum[0] < 0xFFFF and maximum[0] != 0xFF else 0
    return ImageHeader(width, height, bytes_per_pixel=6 if white > 0xFF else 3, max_value=white)


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


def _tiff_tags(data: bytes, directory: int | None = None) -> dict[int, int]:
    """First integers of the tags of a directory of a TIFF structure, which EXIF blocks use as well.

    Args:
        data: The structure.
        directory: Position of the directory; None for the first one.
    """
    order = "<" if data[:2] == b"II" else ">"
    if directory is None:
        (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (n_entries,) = struct.unpack_from(f"{order}H", data, directory)
    tags: dict[int, int] = {}
    for index in range(n_entries):
        entry = directory + 2 + 12 * index
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, entry)
        if kind not in _TIFF_INTEGERS or not count:
            continue
        code = order + _TIFF_INTEGERS[kind]
        place = entry + 8
        if count * struct.calcsize(code) > 4:  # more values stand elsewhere
            (place,) = struct.unpack_from(f"{order}I", data, place)
        (tags[tag],) = struct.unpack_from(code, data, place)
    return tags
