# SPDX-License-Identifier: Apache-2.0
"""Header fields of image files against PIL, and the declared length of video files."""

import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.media.damage.file_ends import n_bytes_missing
from mien.media.headers import ImageHeader, n_pictures, read_header

_ORIENTATION = 0x0112
# `Format.name` -> PIL's name of the format.
_FORMATS = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "PNM": "PPM",
}


def encoded(name: str, size: tuple[int, int] = (37, 23), **options: Any) -> bytes:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, _FORMATS[name], **options)
    return stream.getvalue()


def _size(data: bytes, name: str) -> tuple[int, int, int, bool]:
    header = read_header(data, name)
    return header.width, header.height, header.orientation, header.complete


@pytest.mark.parametrize("name", _FORMATS)
def test_the_size_is_read_from_the_header(name: str) -> None:
    assert _size(encoded(name), name) == (37, 23, 1, True)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": Image.Exif(), "quality": 50}])
def test_the_size_of_every_kind_of_webp(options: dict[str, Any]) -> None:
    header = read_header(encoded("WebP", **options), "WebP")
    assert (header.width, header.height, header.complete) == (37, 23, True)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_read_and_the_size_is_as_stored(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    header = read_header(encoded(name, exif=exif), name)
    assert (header.width, header.height, header.orientation) == (37, 23, orientation)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    assert read_header(encoded("JPEG", exif=exif), "JPEG").orientation == 1


def test_the_orientation_of_tiff_is_left_to_the_decoder() -> None:
    data = encoded("TIFF", tiffinfo={_ORIENTATION: 6})
    assert read_header(data, "TIFF").orientation == 1


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_incomplete(name: str, share: float) -> None:
    data = encoded(name, size=(200, 150))
    header = read_header(data[: int(share * len(data))], name)
    assert not header.complete
    assert (header.width, header.height) in [(200, 150), (0, 0)]


@pytest.mark.parametrize("name", [*_FORMATS, "AVIF"])
def test_no_prefix_of_a_file_raises(name: str) -> None:
    data = encoded("JPEG" if name == "AVIF" else name, size=(5, 4))
    for length in range(min(len(data), 300)):
        header = read_header(data[:length], name)
        assert min(header.width, header.height) >= 0


def test_a_gif_is_complete_with_its_first_frame() -> None:
    frames = [Image.new("L", (9, 7), value) for value in (0, 200)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    data = stream.getvalue()
    second = data.index(b"\x21\xf9", data.index(b"\x2c"))
    assert _size(data[:second], "GIF") == (9, 7, 1, True)


def test_rows_from_the_top_have_a_negative_height_in_bmp() -> None:
    data = bytearray(encoded("BMP"))
    struct.pack_into("<i", data, 22, -23)
    assert _size(bytes(data), "BMP") == (37, 23, 1, True)


def test_the_largest_item_is_the_image_of_an_avif() -> None:
    def item(width: int, height: int) -> bytes:
        return struct.pack(">I4sIII", 20, b"ispe", 0, width, height)

    data = struct.pack(">I4s", 48, b"meta") + item(64, 64) + item(300, 200)
    assert _size(data, "AVIF") == (300, 200, 1, True)
    assert not read_header(data[:-4] + bytes(0), "AVIF").complete


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P5 # a comment\n12\n34 255\n", ImageHeader(12, 34)),
        (b"P6 12", ImageHeader(complete=False)),
        (b"P6 wide high 255", ImageHeader(complete=False)),
    ],
)
def test_fields_of_pnm(data: bytes, expected: ImageHeader) -> None:
    assert read_header(data, "PNM") == expected


@pytest.mark.parametrize(("maximum", "white"), [(255, 0), (65535, 0), (15, 15), (1023, 1023), (0, 0), (99999, 0)])
def test_the_white_of_pnm(maximum: int, white: int) -> None:
    assert read_header(f"P5 2 2 {maximum}\n".encode(), "PNM").max_value == white


def _tiff(fields: list[tuple[int, int, int]]) -> bytes:
    entries = b"".join(struct.pack("<HHIi", tag, kind, 1, value) for tag, kind, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)


@pytest.mark.parametrize("kind", [3, 4, 8, 9])
def test_a_tiff_size_of_any_integer_type_is_read(kind: int) -> None:
    header = read_header(_tiff([(0x100, kind, 20000), (0x101, kind, 20000), (0x115, 3, 4), (0x102, 3, 16)]), "TIFF")
    assert (header.width, header.height, header.bytes_per_pixel) == (20000, 20000, 8)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([(0xFE, 4, 1), (0x14A, 4, 900)], "raw file.*export"),
        ([(0xFE, 4, 1), (0xC612, 4, 900)], "raw file.*export"),
        ([(0xFE, 4, 1)], "^$"),
        ([(0x14A, 4, 900)], "^$"),
        ([(0x103, 3, 50000)], "Zstandard.*LZW"),
        ([(0x103, 3, 5)], "^$"),
    ],
    ids=["raw", "dng", "reduced", "pyramid", "zstd", "lzw"],
)
def test_what_a_tiff_holds_that_is_not_read(fields: list[tuple[int, int, int]], refusal: str) -> None:
    header = read_header(_tiff([*fields, (0x100, 3, 8), (0x101, 3, 8)]), "TIFF")
    assert re.search(refusal, header.refusal)


@pytest.mark.parametrize(("mode", "n_bytes"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("P", 4), ("I;16", 2)])
def test_the_memory_of_a_png_is_known_from_its_header(mode: str, n_bytes: int) -> None:
    stream = io.BytesIO()
    Image.new(mode, (4, 3)).save(stream, "PNG")
    assert read_header(stream.getvalue(), "PNG").bytes_per_pixel == n_bytes


@pytest.mark.parametrize(("kind", "name"), [("GIF", "GIF"), ("PNG", "PNG"), ("WEBP", "WebP"), ("TIFF", "TIFF")])
@pytest.mark.parametrize("count", [1, 3])
def test_pictures_are_counted(kind: str, name: str, count: int) -> None:
    pictures = [Image.new("RGB", (20, 10), (60 * number, 0, 0)) for number in range(count)]
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:])
    assert n_pictures(stream.getvalue(), name) == count
    assert n_pictures(stream.getvalue()[:30], name) == 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_pictures_of_a_stereo_photo_are_counted(count: int) -> None:
    pictures = [Image.new("RGB", (20, 10), (60 * number, 0, 0)) for number in range(count)]
    stream = io.BytesIO()
    pictures[0].save(stream, "MPO", save_all=True, append_images=pictures[1:])
    assert n_pictures(stream.getvalue(), "JPEG") == count
    for n_bytes in range(0, 200, 7):
        assert n_pictures(stream.getvalue()[:n_bytes], "JPEG") in (1, count)


def test_the_gain_map_of_an_hdr_photo_is_no_picture() -> None:
    stream = io.BytesIO()
    xmp = b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
    Image.new("RGB", (20, 10)).save(stream, "MPO", save_all=True, append_images=[Image.new("L", (20, 10))])
    data = stream.getvalue()
    at = data.index(b"\xff\xd8", 100)  # where the second picture begins
    marked = data[: at + 2] + b"\xff\xfe" + (len(xmp) + 2).to_bytes(2, "big") + xmp + data[at + 2 :]
    assert n_pictures(data, "JPEG") == 2
    assert n_pictures(marked, "JPEG") == 1


def test_an_avif_sequence_has_several_pictures() -> None:
    assert n_pictures(b"\0\0\0\x1cftypavis" + bytes(12), "AVIF") == 2
    assert n_pictures(b"\0\0\0\x1cftypavif" + bytes(12), "AVIF") == 1


def test_an_unknown_format_gives_the_defaults() -> None:
    assert read_header(b"anything", "Photoshop") == ImageHeader()
    assert _size(b"anything", "Photoshop") == (0, 0, 1, True)


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", 0),
        (b"RIFF", 0),
        (b"RIFF" + (100).to_bytes(4, "little") + bytes(100), 0),
        (b"RIFF" + (100).to_bytes(4, "little") + bytes(60), 40),
        (b"RIFF" + bytes(4) + bytes(60), 0),
        (bytes.fromhex("1a45dfa3"), 0),
        (bytes.fromhex("1a45dfa3 81 00 18538067 8a") + bytes(10), 0),
        (bytes.fromhex("1a45dfa3 81 00 18538067 8a") + bytes(4), 6),
        (bytes.fromhex("1a45dfa3 81 00 18538067 400a") + bytes(4), 6),
        (bytes.fromhex("1a45dfa3 81 00 18538067 01ffffffffffffff") + bytes(4), 0),
        (bytes.fromhex("1a45dfa3 81 00 00000000 8a"), 0),
    ],
    ids=[
        "empty",
        "short",
        "riff",
        "cut riff",
        "live riff",
        "bare",
        "mkv",
        "cut mkv",
        "long number",
        "live mkv",
        "other",
    ],
)
def test_what_headers_declare(tmp_path: Path, content: bytes, missing: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert n_bytes_missing(file) == missing


def test_a_raw_stream_of_motion_jpeg_holds_several_pictures() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((16, 24, 3), 90, np.uint8)).save(stream, "JPEG")
    picture = stream.getvalue()
    assert n_pictures(picture * 5, "JPEG") == 5
    assert n_pictures(picture + picture, "JPEG") == 1  # a preview
    assert n_pictures(picture, "JPEG") == 1
