# SPDX-License-Identifier: Apache-2.0
"""Still images: files and arrays to (H, W, 3) uint8 RGB, upright; and images to files and JPEG bytes."""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from mien.core import InputError, OutputError
from mien.media.file_types import HEAD_BYTES, Format, identify, identify_file, require_file
from mien.media.headers import read_header

MAX_PIXELS = 100_000_000
"""Images and frames with more pixels than this are refused (100 megapixels are 300 MB as RGB)."""

_READABLE = "mien reads JPEG, PNG, WebP, TIFF, BMP, PNM and GIF"
_PIL_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_PIL_MODES = _PIL_ALPHA | {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
_EXIF_ORIENTATION = 0x0112


def load_image(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read an image file.

    The picture is turned upright by its EXIF orientation. 16-bit samples are scaled to 8 bits, grey, palette and
    CMYK pictures become RGB, transparent pixels show a white ground, and a GIF gives its first frame. Embedded
    colour profiles are not applied.

    A JPEG, PNG or WebP that ends too early is refused rather than returned with a grey rest. Damage inside a JPEG
    that keeps its end marker cannot be told from content and passes.

    Args:
        path: any name the file system allows; the content decides the format, not the suffix.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous, H and W at least 1.

    Raises:
        InputError: missing, empty, not an image, of a format without decoder, truncated, damaged, floating point,
            or larger than `MAX_PIXELS`.
    """
    path = Path(path)
    require_file(path)
    _require_image(identify_file(path), path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return decode_image(data, name=path)


def decode_image(data: bytes, *, name: str | os.PathLike[str] = "image") -> npt.NDArray[np.uint8]:
    """Decode the content of an image file, as `load_image` does.

    Args:
        data: the file's bytes.
        name: what messages call it.

    Raises:
        InputError: see `load_image`.
    """
    path = Path(name)
    known = _require_image(identify(data[:HEAD_BYTES]), path)
    header = read_header(data, known.name)
    _require_size(header.width, header.height, str(path))
    if not header.complete:
        raise InputError(f"{path}: this {known.name} file is cut off before its end; copy or download it again")
    pixels = _decode_gif(data, path) if known.name == "GIF" else _decode(data, known, path)
    return np.ascontiguousarray(upright(pixels, header.orientation))


def as_rgb(image: object, *, name: str = "image") -> npt.NDArray[np.uint8]:
    """Check an image that the caller holds in memory and bring it to RGB.

    Args:
        image: (H, W, 3) uint8 RGB; (H, W) or (H, W, 1) uint8 grey; (H, W, 4) uint8 RGBA, shown on white; or a PIL
            image, turned upright by its EXIF orientation.
        name: what messages call the image.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous. An array that already is so is returned itself, not copied, and may be
        read-only.

    Raises:
        InputError: another type, shape or dtype, no pixels, or more than `MAX_PIXELS`.
    """
    if hasattr(image, "getexif") and hasattr(image, "convert"):
        return _from_pil(image, name)
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise InputError(f"{name} must be a NumPy array or a PIL image, got {kind}; read files with load_image")
    channels_last = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if not channels_last:
        raise InputError(f"{name} must have shape (H, W, 3), (H, W) or (H, W, 4), channels last; got {image.shape}")
    if image.dtype != np.uint8:
        raise InputError(f"{name} must be uint8 with values 0 to 255, got {image.dtype}; scale and convert it first")
    if image.size == 0:
        raise InputError(f"{name} has no pixels: shape {image.shape}")
    _require_size(image.shape[1], image.shape[0], name)
    return _to_rgb(image)


def upright(image: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Undo an EXIF orientation.

    Args:
        image: (H, W) or (H, W, C) as stored.
        orientation: 1 to 8 as EXIF defines it; 6, for example, asks for a quarter turn clockwise.

    Returns:
        A view; height and width change places for orientations 5 to 8.
    """
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def cut_box(picture: npt.NDArray[np.uint8], box: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """The part of a picture in a box, as far as the picture goes and at least one pixel.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        box: (4,) xyxy in pixels, rounded outwards; any NaN stands for the whole picture.

    Returns:
        A view of the picture.
    """
    if np.isnan(box).any():
        return picture
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.floor(box[:2]), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:]), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return picture[y0:y1, x0:x1]


def _require_image(known: Format | None, path: Path) -> Format:
    if known is None:
        raise InputError(f"{path}: not an image of a known format; {_READABLE}")
    if known.content == "video":
        raise InputError(f"{path}: this is a video ({known.name}), not an image; open it as a video")
    if known.content != "image":
        raise InputError(f"{path}: this is {known.name}, not an image; {known.advice or _READABLE}")
    if known.advice:
        raise InputError(f"{path}: {known.name} images cannot be read; {known.advice}")
    return known


def _require_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{name}: {width} x {height} pixels are more than {limit} megapixels; make it smaller first")


def _decode(data: bytes, known: Format, path: Path) -> npt.NDArray[np.uint8]:
    try:
        # UNCHANGED keeps alpha and 16 bits, which we convert knowingly; it leaves the orientation to us as well.
        pixels: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f"{path}: this {known.name} file cannot be decoded ({error.err}); {_READABLE}") from error
    if pixels is None:
        # The only readable format that some OpenCV builds lack.
        lacking = ", or this OpenCV cannot read AVIF: convert it to JPEG" if known.name == "AVIF" else ""
        raise InputError(f"{path}: this {known.name} file cannot be decoded; it is damaged: copy it again{lacking}")
    _require_size(pixels.shape[1], pixels.shape[0], str(path))
    if known.name == "TIFF" and pixels.dtype == np.uint8 and pixels.shape[2:] == (4,):
        # libtiff's 8-bit interface has multiplied the colours by alpha already: only the white is missing.
        pixels = cv2.add(pixels[..., :3], np.repeat(255 - pixels[..., 3:], 3, axis=2))
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.dtype != np.uint8:
        raise InputError(f"{path}: {pixels.dtype} samples have no known white; convert it to 8 or 16 bits first")
    rgb = _to_rgb(np.asarray(pixels, dtype=np.uint8))
    return rgb[..., ::-1]  # OpenCV orders colours blue first; grey stays grey either way


def _decode_gif(data: bytes, path: Path) -> npt.NDArray[np.uint8]:
    """The first frame, by FFmpeg, because OpenCV before 4.11 knows no GIF."""
    try:
        with av.open(io.BytesIO(data), "r", format="gif") as container:
            for frame in container.decode(video=0):
                # FFmpeg paints transparent pixels white, the ground that we use for alpha everywhere.
                return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    except (av.FFmpegError, IndexError) as error:  # IndexError: not even a stream in it
        raise InputError(f"{path}: this GIF file cannot be decoded ({error}); copy it again") from error
    raise InputError(f"{path}: this GIF file holds no picture; copy it again")


def _to_rgb(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) to three channels in the given order, alpha over white."""
    image = np.ascontiguousarray(image)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    blended = (image[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)


def _from_pil(image: Any, name: str) -> npt.NDArray[np.uint8]:
    """A PIL image by its methods alone: mien never imports PIL."""
    width, height = image.size
    if width * height == 0:
        raise InputError(f"{name} has no pixels: size {image.size}")
    _require_size(width, height, name)
    if image.mode not in _PIL_MODES:
        raise InputError(f"{name} has PIL mode {image.mode!r}; scale it to 0..255 and convert it to 'RGB' first")
    has_alpha = image.mode in _PIL_ALPHA or "transparency" in image.info
    try:
        pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"), dtype=np.uint8)
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError) as error:  # what PIL raises for damaged or closed files
        raise InputError(f"{name} cannot be decoded by PIL: {error}") from error
    return np.ascontiguousarray(upright(_to_rgb(pixels), orientation))


def partial_path(path: Path) -> Path:
    """A hidden name beside a file, for as long as it is being written.

    What killed runs left under such a name for the same file is deleted: it shows faces that nobody asked to keep. The
    file of a run that goes on stays (where the system does not tell, it refuses to delete an open file).

    Args:
        path: the file's final name.
    """
    ours = re.compile(rf"\.{re.escape(path.stem)}\.(\d+)\.part{re.escape(path.suffix)}")
    with suppress(OSError):  # a folder that cannot be listed will be reported by whoever writes into it
        for entry in path.parent.iterdir():
            match = ours.fullmatch(entry.name)
            if match and not _is_running(int(match[1])):
                with suppress(OSError):  # Windows: somebody writes it
                    entry.unlink()
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def _is_running(process_id: int) -> bool:
    if os.name != "posix":
        return False  # there the signal 0 would end the process instead of asking for it
    if process_id == os.getpid():
        return True
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there and another user's
    return True


SAVE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes, lower-case, of the image files that `save_image` writes."""


def encode_jpeg(image: npt.NDArray[np.uint8], *, quality: int = 80) -> bytes:
    """A JPEG file in memory.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1 to 100.
    """
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def save_image(path: str | os.PathLike[str], image: npt.NDArray[np.uint8]) -> None:
    """Write an image in the format that the suffix names, in one step over an older file.

    Args:
        path: the target; any name that the file system allows.
        image: (H, W, 3) uint8 RGB.

    Raises:
        OutputError: the suffix is none of `SAVE_SUFFIXES`, or the place cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SAVE_SUFFIXES:
        raise OutputError(f"{path}: unknown kind of image file; name it one of *{' *'.join(sorted(SAVE_SUFFIXES))}")
    # OpenCV's own file functions do not take every Unicode name on Windows.
    encoded = cv2.imencode(path.suffix.lower(), image[..., ::-1])[1]
    partial = partial_path(path)
    try:
        partial.write_bytes(encoded.tobytes())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, there may be nothing that can be removed
            partial.unlink()
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


_MARGIN = 0.4  # of the box's longer side, around it: hair and chin make a face recognisable to its user
_JPEG_QUALITY = 80


def jpeg_thumbnail(image: npt.NDArray[np.uint8], box: tuple[float, float, float, float] | None, side_px: int) -> bytes:
    """A face with its surroundings, or a whole picture, as a small JPEG.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: xyxy in pixels, may leave the image; None for the whole picture.
        side_px: longest side of the result; nothing is enlarged.
    """
    height, width = image.shape[:2]
    if box is not None:
        x0, y0, x1, y1 = box
        reach = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
        centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
        left, right = np.clip([centre_x - reach, centre_x + reach], 0, width).astype(int)
        top, bottom = np.clip([centre_y - reach, centre_y + reach], 0, height).astype(int)
        if right > left and bottom > top:
            image = image[top:bottom, left:right]
    scale = min(1.0, side_px / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return bytes(encoded.tobytes())
