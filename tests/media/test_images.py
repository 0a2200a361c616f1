# SPDX-License-Identifier: Apache-2.0
"""Images from files, arrays and PIL, and images to files."""

import io
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mien.core import InputError, OutputError
from mien.media import (
    SAVE_SUFFIXES,
    VideoWriter,
    as_rgb,
    cut_box,
    decode_image,
    encode_jpeg,
    jpeg_thumbnail,
    load_image,
    picture_note,
    read_picture,
    save_image,
)
from mien.media.images import upright

Pixels = npt.NDArray[np.uint8]
_ORIENTATION = 0x0112


@pytest.fixture
def picture() -> Pixels:
    """(40, 60, 3) with a different smooth colour in every corner."""
    corners = np.array([[[200, 40, 40], [40, 180, 60]], [[50, 60, 210], [220, 200, 80]]], np.uint8)
    return np.asarray(cv2.resize(corners, (60, 40)), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def saved(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def difference(first: Pixels, second: Pixels) -> float:
    assert first.shape == second.shape
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.parametrize(
    ("kind", "mode", "options", "tolerance"),
    [
        ("PNG", "RGB", {}, 0),
        ("BMP", "RGB", {}, 0),
        ("TIFF", "RGB", {}, 0),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}, 0),
        ("PPM", "RGB", {}, 0),
        ("WEBP", "RGB", {"lossless": True}, 0),
        ("WEBP", "RGB", {"quality": 95}, 4),
        ("JPEG", "RGB", {"quality": 95}, 3),
        ("JPEG", "RGB", {"quality": 95, "progressive": True}, 3),
        ("JPEG", "CMYK", {"quality": 95}, 4),
        ("PNG", "P", {}, 12),
        ("GIF", "P", {}, 12),
    ],
)
def test_every_format_gives_the_picture_in_rgb(
    tmp_path: Path, picture: Pixels, kind: str, mode: str, options: dict[str, Any], tolerance: float
) -> None:
    image = Image.fromarray(picture)
    image = image.quantize(256) if mode == "P" else image.convert(mode)
    loaded = load_image(saved(tmp_path, "picture.any", encoded(image, kind, **options)))
    assert loaded.dtype == np.uint8
    assert loaded.flags.c_contiguous
    assert difference(loaded, picture) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_gets_three_equal_channels(tmp_path: Path, picture: Pixels, kind: str) -> None:
    loaded = load_image(saved(tmp_path, "grey", encoded(Image.fromarray(picture).convert("L"), kind)))
    assert loaded.shape == picture.shape
    assert (loaded[..., 0] == loaded[..., 1]).all()
    assert (loaded[..., 0] == loaded[..., 2]).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path, picture: Pixels, suffix: str) -> None:
    data = cv2.imencode(suffix, picture[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert (load_image(saved(tmp_path, f"deep{suffix}", data)) == picture).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_show_white(tmp_path: Path, picture: Pixels, kind: str) -> None:
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 0, 51
    rgba = Image.fromarray(np.dstack([picture, alpha]))
    loaded = load_image(saved(tmp_path, "cutout", encoded(rgba, kind, lossless=True)))
    assert (loaded[:, :20] == 255).all()
    assert difference(loaded[:, 20:40], (0.2 * picture[:, 20:40] + 204).round().astype(np.uint8)) <= 1
    assert (loaded[:, 40:] == picture[:, 40:]).all()


def test_transparent_palette_shows_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((3, 2), 1)
    for kind in ("PNG", "GIF"):
        loaded = load_image(saved(tmp_path, "palette", encoded(image, kind, transparency=0)))
        assert loaded[0, 0].tolist() == [255, 255, 255]
        assert loaded[2, 3].tolist() == [200, 100, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, picture: Pixels, kind: str, orientation: int) -> None:
    # PIL is the independent reference for what each orientation means.
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    options = {"tiffinfo": {_ORIENTATION: orientation}} if kind == "TIFF" else {"exif": exif, "quality": 95}
    data = encoded(Image.fromarray(picture), kind, **options)
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert difference(load_image(saved(tmp_path, "turned", data)), expected) <= 2


@pytest.mark.parametrize("orientation", [*range(10), 99, 65535])
def test_pil_images_are_turned_upright(picture: Pixels, orientation: int) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    data = encoded(Image.fromarray(picture), "PNG", exif=exif)
    known = orientation if 1 <= orientation <= 8 else 1  # any other value means nothing, as for viewers
    assert (as_rgb(Image.open(io.BytesIO(data))) == upright(picture, known)).all()
    assert (decode_image(data) == upright(picture, known)).all()


@pytest.mark.parametrize("name", ["Gesicht ä ß.png", "顔.png", "😀 smile.png", "a'b \"c.png", "%03d.png"])
def test_any_file_name_works(tmp_path: Path, picture: Pixels, name: str) -> None:
    assert (load_image(saved(tmp_path, name, encoded(Image.fromarray(picture), "PNG"))) == picture).all()


def test_content_not_suffix_decides(tmp_path: Path, picture: Pixels) -> None:
    path = saved(tmp_path, "really.jpg", encoded(Image.fromarray(picture), "PNG"))
    assert (load_image(path) == picture).all()


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    path = saved(tmp_path, "dot.png", encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))
    assert load_image(str(path)).tolist() == [[[1, 2, 3]]]


def test_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 12), colour) for colour in ((250, 0, 0), (0, 0, 250))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert load_image(saved(tmp_path, "moving.gif", data))[5, 5].tolist() == [250, 0, 0]


def test_trailing_bytes_after_the_picture_do_no_harm(tmp_path: Path, picture: Pixels) -> None:
    data = encoded(Image.fromarray(picture), "JPEG") + b"\0" * 100
    assert load_image(saved(tmp_path, "motion.jpg", data)).shape == picture.shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_cut_off_file_is_refused(tmp_path: Path, astronaut: Pixels, kind: str, share: float) -> None:
    data = encoded(Image.fromarray(astronaut), kind)
    path = saved(tmp_path, f"part.{kind}", data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"part\.{kind}: this .* (cut off before its end|damaged).* copy"):
        load_image(path)


def test_a_thumbnail_does_not_hide_a_cut(tmp_path: Path, astronaut: Pixels) -> None:
    thumbnail = encoded(Image.fromarray(astronaut[:64, :64]), "JPEG")
    exif = Image.Exif()
    exif[_ORIENTATION] = 1
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0") + thumbnail
    data = encoded(Image.fromarray(astronaut), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    assert load_image(saved(tmp_path, "whole.jpg", data)).shape == astronaut.shape
    with pytest.raises(InputError, match="cut off"):
        load_image(saved(tmp_path, "cut.jpg", data[:-500]))


def test_a_damaged_png_is_refused(tmp_path: Path, astronaut: Pixels) -> None:
    data = bytearray(encoded(Image.fromarray(astronaut), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InputError, match="cannot be decoded"):
        load_image(saved(tmp_path, "bad.png", bytes(data)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello world " * 50, "not an image of a known format"),
        (b"%PDF-1.7\n" + b"x" * 99, "this is PDF.*export"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "this is SVG"),
        (b"<!DOCTYPE html><html>", "HTML page.*download"),
        (b"PK\x03\x04" + b"x" * 99, "ZIP.*unpack"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 99, "HEIC.*convert"),
        (b"\xff\x0a" + b"x" * 99, "JPEG XL.*convert"),
        (b"8BPS" + b"\0" * 99, "Photoshop"),
        (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 99, "Canon raw.*convert"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "WAV"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42isom" + b"x" * 99, "video"),
        (b"\xff\xd8\xff\xe0", "JPEG.*cut off"),
        (b"II*\0\xff\xff\xff\xff", "TIFF"),
    ],
)
def test_what_is_not_a_readable_image_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)face\.jpg: .*{message}"):
        load_image(saved(tmp_path, "face.jpg", data))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jpg: no such file"):
        load_image(tmp_path / "absent.jpg")
    with pytest.raises(InputError, match="is a folder"):
        load_image(tmp_path)


def test_floating_point_tiff_is_refused(tmp_path: Path, picture: Pixels) -> None:
    data = encoded(Image.fromarray(picture).convert("F"), "TIFF")
    with pytest.raises(InputError, match="float32"):
        load_image(saved(tmp_path, "float.tif", data))


def _png_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    return bytes(data)


def _gif_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("L", (1, 1)), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def _jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("L", (1, 1)), "JPEG"))
    position = data.index(b"\xff\xc0")
    data[position + 5 : position + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("claim", [_png_that_claims, _gif_that_claims, _jpeg_that_claims])
def test_size_is_refused_before_decoding(tmp_path: Path, claim: Any) -> None:
    # The body holds a single pixel: only a check of the header can give this message.
    with pytest.raises(InputError, match="20000 x 20000 pixels are more than 100 megapixels"):
        load_image(saved(tmp_path, "huge", claim(20_000, 20_000)))


def test_rgb_arrays_pass_without_a_copy(astronaut: Pixels) -> None:
    assert as_rgb(astronaut) is astronaut


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grey_arrays_are_repeated(shape: tuple[int, ...]) -> None:
    grey = np.arange(35, dtype=np.uint8).reshape(shape)
    assert (as_rgb(grey) == np.arange(35).reshape(5, 7, 1)).all()
    assert as_rgb(grey).shape == (5, 7, 3)


def test_rgba_arrays_are_shown_on_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert as_rgb(rgba).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_views_become_contiguous(astronaut: Pixels) -> None:
    view = astronaut[::2, ::-1]
    assert as_rgb(view).flags.c_contiguous
    assert (as_rgb(view) == view).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_pil_modes_become_rgb(picture: Pixels, mode: str) -> None:
    image = Image.fromarray(picture).convert(mode)
    assert (as_rgb(image) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3)), r"face must be uint8 .* float64"),
        (np.full((4, 4, 3), np.nan, np.float32), r"float32"),
        (np.zeros((4, 4), np.uint16), r"uint16"),
        (np.zeros((4, 4), bool), r"bool"),
        (np.zeros((4, 4, 3), object), r"object"),
        (np.zeros((3, 8, 8), np.uint8), r"channels last; got \(3, 8, 8\)"),
        (np.zeros((8, 8, 2), np.uint8), r"\(8, 8, 2\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), r"\(1, 8, 8, 3\)"),
        (np.zeros(8, np.uint8), r"\(8,\)"),
        (np.zeros((0, 8, 3), np.uint8), r"no pixels: shape \(0, 8, 3\)"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), r"20000 x 20000"),
        ([[1, 2], [3, 4]], r"got list"),
        ("face.jpg", r"got str; read files with mien\.load_image"),
        (None, r"got NoneType"),
        (Image.new("I", (4, 4)), r"PIL mode 'I'"),
        (Image.new("F", (4, 4)), r"PIL mode 'F'"),
        (Image.new("RGB", (0, 4)), r"no pixels"),
    ],
)
def test_unusable_arrays_are_refused_with_what_was_got(image: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_rgb(image, name="face")


def test_a_broken_pil_image_is_an_input_error(picture: Pixels) -> None:
    data = encoded(Image.fromarray(picture), "PNG")
    with pytest.raises(InputError, match="cannot be decoded by PIL"):
        as_rgb(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_real_photos_load(shared_data: Path) -> None:
    paths = sorted((shared_data / "photos").glob("*.jpg"))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            assert difference(load_image(path), as_rgb(image)) < 2


@pytest.mark.parametrize("suffix", sorted(SAVE_SUFFIXES))
def test_what_is_saved_reads_back(astronaut: Pixels, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Gesicht ü 顔{suffix}"
    small = np.ascontiguousarray(astronaut[::4, ::4])
    save_image(path, small)
    error = np.abs(load_image(path).astype(int) - small)
    assert error.mean() < (8 if suffix in (".jpg", ".jpeg", ".webp") else 1e-9)
    np.testing.assert_array_equal(decode_image(path.read_bytes()), load_image(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("name", "message"), [("a.xyz", "unknown kind"), ("none/a.png", "cannot be written")])
def test_unwritable_targets_are_output_errors(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        save_image(tmp_path / name, np.zeros((2, 2, 3), np.uint8))


def test_a_file_as_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_image(tmp_path / "file" / "a.png", np.zeros((2, 2, 3), np.uint8))


_CRASHING = """
import os, signal, sys
import numpy as np
from mien.media import VideoWriter
writer = VideoWriter(sys.argv[1], 64, 48, threads=1)
for index in range(30):
    writer.write(np.full((48, 64, 3), index, np.uint8), index / 25)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_the_file_of_a_crashed_run_is_deleted_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "o [1].mp4"
    done = subprocess.run([sys.executable, "-c", _CRASHING, str(target)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".mien-")
    assert left.suffix == ".mp4"
    with VideoWriter(target, 64, 48, threads=1) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == [target]


def test_a_box_is_rounded_outwards_and_clipped(astronaut: Pixels) -> None:
    assert (cut_box(astronaut, np.array([10.2, 20.9, 30.1, 40.0])) == astronaut[20:40, 10:31]).all()
    assert (cut_box(astronaut, np.array([-50.0, -50.0, 9999.0, 20.0])) == astronaut[:20]).all()
    assert (cut_box(astronaut, np.array([9000.0, 9000.0, 9001.0, 9001.0])) == astronaut[-1:, -1:]).all()
    assert cut_box(astronaut, np.array([0.0, 0.0, np.nan, 4.0])) is astronaut


def test_jpeg_quality_trades_size_for_error(astronaut: Pixels) -> None:
    fine, coarse = encode_jpeg(astronaut, quality=95), encode_jpeg(astronaut, quality=20)
    assert len(coarse) < len(fine)
    assert difference(decode_image(fine), astronaut) < difference(decode_image(coarse), astronaut) < 8


def test_a_thumbnail_shows_the_face_with_a_margin(astronaut: Pixels) -> None:
    whole = decode_image(jpeg_thumbnail(astronaut, None, 100))
    assert whole.shape == (100, 100, 3)
    face = decode_image(jpeg_thumbnail(astronaut, (175.0, 60.0, 275.0, 180.0), 1000))
    # 0.9 of the longer side, 120 px, to each side of the centre (225, 120).
    assert difference(face, astronaut[12:228, 117:333]) < 4
    outside = decode_image(jpeg_thumbnail(astronaut, (2000.0, 2000.0, 2100.0, 2100.0), 100))
    assert (outside == whole).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_by_its_own_properties(tmp_path: Path, picture: Pixels, orientation: int) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    data = encoded(Image.fromarray(picture), "AVIF", quality=95, exif=exif)  # PIL writes irot and imir
    loaded = load_image(saved(tmp_path, "turned.avif", data))
    assert difference(loaded, np.ascontiguousarray(upright(picture, orientation))) < 6


@pytest.mark.parametrize("maximum", [15, 1023, 4095])
def test_pnm_samples_are_scaled_by_their_maximum(tmp_path: Path, maximum: int) -> None:
    values = np.linspace(0, maximum, 64).astype(">u2" if maximum > 255 else "u1")
    loaded = load_image(saved(tmp_path, "deep.pgm", f"P5\n8 8\n{maximum}\n".encode() + values.tobytes()))
    assert np.abs(loaded[..., 0].ravel() - values.astype(float) * 255 / maximum).max() <= 1


def test_a_tiff_with_a_declared_maximum_is_scaled_by_it(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((8, 8), 2000, np.uint16))
    data = encoded(image, "TIFF", tiffinfo={281: 4095})
    assert load_image(saved(tmp_path, "camera.tif", data))[0, 0].tolist() == [125] * 3
    assert load_image(saved(tmp_path, "plain.tif", encoded(image, "TIFF")))[0, 0].tolist() == [8] * 3


def test_float_samples_are_refused(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF")
    with pytest.raises(InputError, match="samples have no known white"):
        load_image(saved(tmp_path, "float.tif", data))


def test_images_that_take_too_much_memory_are_refused_from_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.media.images._MAX_DECODED_BYTES", 40 * 60 * 4)
    colours = Image.new("RGB", (60, 40))
    assert load_image(saved(tmp_path, "small.png", encoded(colours, "PNG"))).shape == (40, 60, 3)
    deep = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint16))[1].tobytes()
    for name, data in (("deep.png", deep), ("a.gif", encoded(colours, "GIF"))):
        with pytest.raises(InputError, match=r"decoding 60 x 40 pixels takes \d+ MB, more than"):
            load_image(saved(tmp_path, name, data))


def test_pages_and_animations_beyond_the_first_are_named(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (20, 10), (80 * number, 0, 0)) for number in range(2)]
    for kind, suffix in (("TIFF", "tif"), ("WEBP", "webp")):
        pictures[0].save(tmp_path / f"two.{suffix}", kind, save_all=True, append_images=pictures[1:])
        pictures[0].save(tmp_path / f"one.{suffix}", kind)
        assert "holds 2 pictures: only the first one is read" in picture_note(tmp_path / f"two.{suffix}")
        assert picture_note(tmp_path / f"one.{suffix}") == ""


def test_heic_is_read_with_its_extra(tmp_path: Path, picture: Pixels) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    path = tmp_path / "photo.heic"
    heif.from_pillow(Image.fromarray(picture)).save(path, quality=95)
    assert difference(load_image(path), picture) < 6
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"^[^\n]*photo\.heic: this HEIC file is damaged [^\n]*$"):
        load_image(path)


def test_gray_heic_of_more_than_8_bits_is_scaled(tmp_path: Path, picture: Pixels) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    gray = np.asarray(Image.fromarray(picture).convert("L"))
    size = gray.shape[1], gray.shape[0]
    path = tmp_path / "gray.heic"
    heif.from_bytes(mode="I;16", size=size, data=(gray.astype(np.uint16) * 257).tobytes()).save(path, quality=95)
    assert difference(load_image(path), np.repeat(gray[..., None], 3, axis=2)) < 6


@pytest.mark.parametrize("name", ["hdr10bit.avif", "exif6.avif"])
def test_known_hard_images(shared_data: Path, name: str) -> None:
    found = [*shared_data.parent.glob(f"cases/*/{name}")]
    if not found:
        pytest.skip(f"{name} is not here")
    image = load_image(found[0])
    assert image.max() > 200
    assert image.std() > 20


def test_a_large_jpeg_is_read_with_fewer_pixels(tmp_path: Path, picture: Pixels) -> None:
    large = cv2.resize(picture, (320, 200), interpolation=cv2.INTER_CUBIC)
    tagged = Image.fromarray(large)
    exif = tagged.getexif()
    exif[0x0112] = 6
    tagged.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    reduced = read_picture(tmp_path / "turned.jpg", enough_px=80)
    whole = load_image(tmp_path / "turned.jpg")
    assert (reduced.reduction, reduced.pixels.shape, whole.shape) == (4, (80, 50, 3), (320, 200, 3))
    np.testing.assert_array_equal(reduced.whole(), whole)
    small = cv2.resize(whole, (50, 80), interpolation=cv2.INTER_AREA)
    assert difference(reduced.pixels, small) < 6
    gray = read_picture(encoded(tagged.convert("L"), "JPEG"), enough_px=160)
    assert (gray.reduction, gray.pixels.shape) == (2, (100, 160, 3))


def test_other_pictures_keep_their_pixels(tmp_path: Path, picture: Pixels) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    for given in (tmp_path / "a.png", picture, Image.fromarray(picture), encoded(Image.fromarray(picture), "WEBP")):
        found = read_picture(given, enough_px=10)
        assert found.reduction == 1
        assert found.whole() is found.pixels
    small = read_picture(encoded(Image.fromarray(picture), "JPEG"), enough_px=max(picture.shape))
    assert small.reduction == 1
    cut_off = encoded(Image.fromarray(picture), "JPEG")[:400]
    for bad, message in ((b"", "not an image"), (b"%PDF-1.7", "PDF"), (cut_off, "cut off")):
        with pytest.raises(InputError, match=message):
            read_picture(bad, enough_px=1)
