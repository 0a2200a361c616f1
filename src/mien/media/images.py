# SPDX-License-Identifier: Apache-2.0
"""Reads image files and arrays as upright (H, W, 3) uint8 RGB, and writes images to files and JPEG bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from mien.core import DraftFile, Floats, Image, InputError, OutputError
from mien.media.file_types import AS_VIDEO, HEAD_BYTES, Format, identify, identify_file, readable_names, require_file
from mien.media.headers import MPF_MARK, n_pictures, read_header

MAX_PIXELS = 100_000_000
"""Maximum number of pixels of an image or frame (100 megapixels are 300 MB as RGB)."""

_MAX_DECODED_BYTES = 400_000_000
_READABLE = f"mien reads {readable_names('image')}"
_PIL_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_PIL_MODES = _PIL_ALPHA | {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
_EXIF_ORIENTATION = 0x0112


def load_image(path: str | os.PathLike[str]) -> Image:
    """Read an image file.

    The EXIF orientation is applied, embedded colour profiles are not. 16-bit samples are scaled to 8 bits; grayscale,
    palette and CMYK images become RGB; transparent pixels get a white background; a GIF gives its first frame.

    A JPEG, PNG or WebP that is cut off is an error. Damage inside a JPEG with an intact end marker cannot be detected.

    Args:
        path: Path of the file; its content decides the format, not its suffix.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: The file is missing, empty, not an image, in a format without decoder, truncated, damaged, in
            floating point, or larger than `MAX_PIXELS`.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_image(f"{folder}/red.png", np.full((2, 3, 3), (255, 0, 0), np.uint8))
        ...     image = load_image(f"{folder}/red.png")
        >>> image.shape, image[0, 0].tolist()
        ((2, 3, 3), [255, 0, 0])
    """
    return decode_image(_file_content(Path(path)), name=path)


def _file_content(path: Path) -> bytes:
    require_file(path)
    _require_image(identify_file(path), path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@dataclass(frozen=True, eq=False)
class Picture:
    """An image, decoded with fewer pixels than its file has where that is enough.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        reduction: Pixels of the file per pixel along each axis: 1, 2, 4 or 8.
        whole: Function that gives the image with all pixels of its file.
    """

    pixels: Image
    reduction: int
    whole: Callable[[], Image]


def read_picture(image: object, *, enough_px: int, name: str = "image") -> Picture:
    """An image as any caller may give it; a large JPEG with fewer pixels, which takes a fraction of the time.

    Args:
        image: As for `read_image`.
        enough_px: Least longer side in pixels of a JPEG that is decoded with fewer pixels.
        name: Name of the image in messages, where it is no path.

    Raises:
        InputError: It cannot be read or is no image.

    Examples:
        >>> picture = read_picture(encode_jpeg(np.zeros((90, 160, 3), np.uint8)), enough_px=60)
        >>> picture.pixels.shape, picture.reduction, picture.whole().shape
        ((45, 80, 3), 2, (90, 160, 3))
    """
    if isinstance(image, (str, os.PathLike)):
        name, data = os.fspath(image), _file_content(Path(image))
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    else:
        whole = read_image(image, name=name)
        return Picture(whole, 1, lambda: whole)
    known = identify(data[:HEAD_BYTES])
    header = read_header(data, "JPEG") if known is not None and known.name == "JPEG" else None
    longer = max(header.width, header.height) if header is not None else 0
    reduction = next((step for step in (8, 4, 2) if longer >= step * enough_px), 1)
    pixels = decode_image(data, name=name, reduction=reduction)
    return Picture(pixels, reduction, lambda: pixels if reduction == 1 else decode_image(data, name=name))


def read_image(image: object, *, name: str = "image") -> Image:
    """An image as any caller may give it: a file, its content, or pixels.

    Args:
        image: Path; content of an image file as bytes; a binary file object, read to its end; or pixels as for
            `as_rgb`.
        name: Name of the image in messages, where it is no path.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: It cannot be read or is no image.

    Examples:
        >>> data = encode_jpeg(np.zeros((8, 8, 3), np.uint8))
        >>> read_image(data).shape, read_image(io.BytesIO(data)).shape
        ((8, 8, 3), (8, 8, 3))
    """
    if isinstance(image, (str, os.PathLike)):
        return load_image(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode_image(bytes(image), name=name)
    if hasattr(image, "read"):
        try:
            data = image.read()
        except (OSError, ValueError) as error:
            raise InputError(f"{name} cannot be read: {error}") from error
        if not isinstance(data, bytes):
            raise InputError(f"{name} is a file of text; open it in binary mode, open(path, 'rb')")
        return decode_image(data, name=getattr(image, "name", name))
    return as_rgb(image, name=name)


def decode_image(data: bytes, *, name: str | os.PathLike[str] = "image", reduction: int = 1) -> Image:
    """Decode the content of an image file, as `load_image` does.

    Args:
        data: Bytes of the file.
        name: Name of the image in messages.
        reduction: Pixels of the file per pixel along each axis: 1, or for a JPEG 2, 4 or 8.

    Raises:
        InputError: The data cannot be used, see `load_image`.

    Examples:
        >>> decode_image(encode_jpeg(np.zeros((8, 8, 3), np.uint8))).shape
        (8, 8, 3)
        >>> decode_image(b"%PDF-1.7", name="scan.jpg")
        Traceback (most recent call last):
        mien.core.errors.InputError: scan.jpg: this is PDF, not an image; export its image as JPEG or PNG first
    """
    path = Path(name)
    known = _require_image(identify(data[:HEAD_BYTES]), path)
    header = read_header(data, known.name)
    _require_size(header.width, header.height, str(path), header.bytes_per_pixel)
    if header.refusal or not header.complete:
        fault = header.refusal or f"this {known.name} file is cut off before its end; copy or download it again"
        raise InputError(f"{path}: {fault}")
    if known.name == "HEIC":
        return _decode_heic(data, path)
    pixels = _decode_gif(data, path) if known.name == "GIF" else _decode(data, known, path, header.max_value, reduction)
    return np.ascontiguousarray(upright(pixels, header.orientation))


def as_rgb(image: object, *, name: str = "image") -> Image:
    """Validate an image in memory and convert it to RGB.

    Args:
        image: (H, W, 3) uint8 RGB; (H, W) or (H, W, 1) uint8 grayscale; (H, W, 4) uint8 RGBA, blended with white; or
            a PIL image, whose EXIF orientation is applied.
        name: Name of the image in messages.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous. A contiguous RGB array is returned without a copy and may be read-only.

    Raises:
        InputError: The type, shape or dtype is another one, or there are no pixels or more than `MAX_PIXELS`.

    Examples:
        >>> as_rgb(np.array([[0, 128]], np.uint8)).tolist()
        [[[0, 0, 0], [128, 128, 128]]]
        >>> as_rgb(np.zeros((4, 4, 3), np.float32))
        Traceback (most recent call last):
        mien.core.errors.InputError: image must be uint8 with values 0 to 255, got float32; scale and convert it first
    """
    if hasattr(image, "getexif") and hasattr(image, "convert"):
        return _from_pil(image, name)
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise InputError(f"{name} must be a NumPy array or a PIL image, got {kind}; read files with mien.load_image")
    channels_last = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if not channels_last:
        raise InputError(f"{name} must have shape (H, W, 3), (H, W) or (H, W, 4), channels last; got {image.shape}")
    if image.dtype != np.uint8:
        raise InputError(f"{name} must be uint8 with values 0 to 255, got {image.dtype}; scale and convert it first")
    if image.size == 0:
        raise InputError(f"{name} has no pixels: shape {image.shape}")
    _require_size(image.shape[1], image.shape[0], name)
    return _to_rgb(image)


def upright(image: Image, orientation: int) -> Image:
    """Turn an image upright by its EXIF orientation.

    Args:
        image: (H, W) or (H, W, C) as stored.
        orientation: EXIF orientation, 1 to 8; 6, for example, is a clockwise rotation by 90 degrees.

    Returns:
        A view; orientations 5 to 8 swap height and width.

    Examples:
        >>> upright(np.array([[1, 2], [3, 4]], np.uint8), 6).tolist()
        [[3, 1], [4, 2]]
    """
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def cut_box(image: Image, box: Floats) -> Image:
    """The part of an image inside a box, clipped to the image and at least one pixel large.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        box: (4,) xyxy in pixels, rounded outwards; any NaN stands for the whole image.

    Returns:
        A view of the image.

    Examples:
        >>> image = np.arange(16, dtype=np.uint8).reshape(4, 4)
        >>> cut_box(image, np.array([0.5, 1.0, 2.0, 2.5])).tolist()
        [[4, 5], [8, 9]]
        >>> cut_box(image, np.full(4, np.nan)).shape
        (4, 4)
    """
    if np.isnan(box).any():
        return image
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(box[:2]), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:]), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return image[y0:y1, x0:x1]


def _require_image(known: Format | None, path: Path) -> Format:
    if known is None:
        raise InputError(f"{path}: not an image of a known format; {_READABLE}")
    if known.content == "video":
        raise InputError(f"{path}: this is a video ({known.name}), not an image; open it as a video")
    if known.content != "image":
        raise InputError(f"{path}: this is {known.name}, not an image; {known.advice or _READABLE}")
    if known.advice and not (known.name == "HEIC" and find_spec("pillow_heif") is not None):
        raise InputError(f"{path}: {known.name} images cannot be read; {known.advice}")
    return known


def _require_size(width: int, height: int, name: str, bytes_per_pixel: int = 3) -> None:
    """Refuse an image that would take too much memory; a negative size, from a damaged header, counts as a huge one."""
    if width < 0 or height < 0 or width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{name}: {width} x {height} pixels are more than {limit} megapixels; make it smaller first")
    if width * height * bytes_per_pixel > _MAX_DECODED_BYTES:
        need, limit = width * height * bytes_per_pixel // 1_000_000, _MAX_DECODED_BYTES // 1_000_000
        raise InputError(
            f"{name}: decoding {width} x {height} pixels takes {need} MB, more than {limit} MB; make it smaller first"
        )


def picture_note(path: str | os.PathLike[str]) -> str:
    """A message if an image file holds pictures that `load_image` does not read; else an empty text.

    Raises:
        InputError: The file cannot be read.
    """
    known = identify_file(path := Path(path))
    if known is None or not known.several:
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES if known.name == "JPEG" else -1)
            if known.name == "JPEG" and MPF_MARK in data:
                data += file.read()
        count = n_pictures(data, known.name)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if count < 2:
        return ""
    number = f"at least {count}" if len(data) == _HEAD_BYTES else count
    several = "an animation" if known.name in ("AVIF", "HEIC") else f"{number} pictures"
    return f"this {known.name} file holds {several}: only the first one is read; save the others as files of their own"


def is_animation(path: Path) -> bool:
    """Whether a file is a GIF or a PNG with several pictures, which is read as a video; False if it is unreadable."""
    try:
        known = identify_file(path)
        if known is None or known.several != AS_VIDEO:
            return False
        with path.open("rb") as file:
            # PNG says so before its pixels, after metadata of some size.
            return n_pictures(file.read(-1 if known.name == "GIF" else _HEAD_BYTES), known.name) > 1
    except (InputError, OSError):
        return False  # reading it reports the error


_HEAD_BYTES = 1 << 20
_BAND_ROWS = 256  # rows that are converted at once: a large image is not held twice
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def _decode(data: bytes, known: Format, path: Path, max_value: int, reduction: int) -> Image:
    try:
        # UNCHANGED keeps alpha, 16 bits and the stored orientation, which are handled here.
        flags = _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION if reduction > 1 else cv2.IMREAD_UNCHANGED
        pixels: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: this {known.name} file cannot be decoded ({error.err}); {_READABLE}") from error
    if pixels is None:
        # AVIF is the only readable format that some OpenCV builds lack.
        advice = ", or this OpenCV cannot read AVIF: convert it to JPEG" if known.name == "AVIF" else ""
        raise InputError(f"{path}: this {known.name} file cannot be decoded; it is damaged: copy it again{advice}")
    _require_size(pixels.shape[1], pixels.shape[0], str(path))
    if known.name == "TIFF" and pixels.dtype == np.uint8 and pixels.shape[2:] == (4,):
        # libtiff's 8-bit interface has already multiplied the colours by alpha: only the white part is missing.
        pixels = cv2.add(pixels[..., :3], np.repeat(255 - pixels[..., 3:], 3, axis=2))
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / (max_value or 0xFFFF))
    elif pixels.dtype == np.uint8 and 0 < max_value < 0xFF:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / max_value)
    if pixels.dtype != np.uint8:
        raise InputError(f"{path}: {pixels.dtype} samples have no known white; convert it to 8 or 16 bits first")
    rgb = _to_rgb(np.asarray(pixels, dtype=np.uint8))
    for top in range(0, len(rgb), _BAND_ROWS):  # OpenCV decodes to BGR
        rgb[top : top + _BAND_ROWS] = cv2.cvtColor(rgb[top : top + _BAND_ROWS], cv2.COLOR_BGR2RGB)
    return rgb


def _decode_heic(data: bytes, path: Path) -> Image:
    """Decode with pillow-heif, which turns images upright by their own properties and scales 10 bits to 8."""
    import pillow_heif  # an extra

    try:
        opened = pillow_heif.open_heif(io.BytesIO(data))
        width, height = opened.size
        _require_size(width, height, str(path), 8)
        pixels = np.asarray(opened)  # grayscale of more than 8 bits comes as 16
        return as_rgb(pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8), name=str(path))
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: this HEIC file is damaged ({reason}); copy or convert it again") from error


def _decode_gif(data: bytes, path: Path) -> Image:
    """Decode the first frame with FFmpeg, since OpenCV before 4.11 cannot read GIF."""
    try:
        with av.open(io.BytesIO(data), "r", format="gif") as container:
            for frame in container.decode(video=0):
                # FFmpeg paints transparent pixels white, the background for alpha everywhere in mien.
                return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    except (av.FFmpegError, IndexError) as error:  # IndexError: it has no stream
        raise InputError(f"{path}: this GIF file cannot be decoded ({error}); copy it again") from error
    raise InputError(f"{path}: this GIF file holds no image; copy it again")


def _to_rgb(image: Image) -> Image:
    """Convert (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) to three channels in the same order, blended with white."""
    image = np.ascontiguousarray(image)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] == 3:
        return image
    blended = np.empty((*image.shape[:2], 3), np.uint8)
    for top in range(0, len(image), _BAND_ROWS):
        rows = image[top : top + _BAND_ROWS]
        alpha = rows[..., 3:].astype(np.uint16)
        blended[top : top + _BAND_ROWS] = (rows[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended


def _from_pil(image: Any, name: str) -> Image:
    """Convert a PIL image through its methods, since mien never imports PIL."""
    width, height = image.size
    if width * height == 0:
        raise InputError(f"{name} has no pixels: size {image.size}")
    _require_size(width, height, name)
    if image.mode not in _PIL_MODES:
        raise InputError(f"{name} has PIL mode {image.mode!r}; scale it to 0..255 and convert it to 'RGB' first")
    has_alpha = image.mode in _PIL_ALPHA or "transparency" in image.info
    try:
        pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"), dtype=np.uint8)
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError) as error:  # exceptions of PIL for damaged or closed files
        raise InputError(f"{name} cannot be decoded by PIL: {error}") from error
    return np.ascontiguousarray(upright(_to_rgb(pixels), orientation if orientation in range(1, 9) else 1))


SAVE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Lower-case suffixes of the image files that `save_image` writes."""


def encode_jpeg(image: Image, *, quality: int = 80) -> bytes:
    """Encode an image as JPEG.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: JPEG quality, 1 to 100.

    Examples:
        >>> encode_jpeg(np.zeros((8, 8, 3), np.uint8))[:2].hex()
        'ffd8'
    """
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def require_image_suffix(path: Path) -> None:
    """Refuse a name for `save_image` whose suffix is none of `SAVE_SUFFIXES`.

    Raises:
        OutputError: It is none of them.
    """
    if path.suffix.lower() not in SAVE_SUFFIXES:
        raise OutputError(
            f"{path}: unknown kind of image file; use one of the suffixes {' '.join(sorted(SAVE_SUFFIXES))}"
        )


def save_image(path: str | os.PathLike[str], image: Image) -> None:
    """Write an image atomically in the format of the suffix; an existing file is replaced.

    Args:
        path: Path of the target.
        image: (H, W, 3) uint8 RGB.

    Raises:
        OutputError: The suffix is none of `SAVE_SUFFIXES`, or the file cannot be written.
    """
    path = Path(path)
    require_image_suffix(path)
    # OpenCV's own file functions do not accept every Unicode name on Windows.
    encoded = cv2.imencode(path.suffix.lower(), image[..., ::-1])[1]
    try:
        with DraftFile(path) as draft:
            draft.file.write(encoded.tobytes())
            draft.publish()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


_MARGIN = 0.4  # margin around the box, as a share of its longer side: hair and chin make a face recognisable


def jpeg_thumbnail(image: Image, box: tuple[float, float, float, float] | None, side_px: int) -> bytes:
    """Encode a face with its surroundings, or a whole image, as a small JPEG.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: Box xyxy in pixels, clipped to the image; None for the whole image.
        side_px: Maximum side of the result in pixels; small images are not enlarged.

    Examples:
        >>> image = np.zeros((300, 400, 3), np.uint8)
        >>> decode_image(jpeg_thumbnail(image, None, side_px=80)).shape
        (60, 80, 3)
        >>> decode_image(jpeg_thumbnail(image, (100, 100, 150, 150), side_px=200)).shape
        (90, 90, 3)
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
    return encode_jpeg(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8))
