# SPDX-License-Identifier: Apache-2.0
"""Names for the array types that signatures use; shapes, ranges and units stand in the docstrings.

Examples:
    >>> import numpy as np
    >>> from mien.core import Float32, Image
    >>> def brightness(images: Image) -> Float32:
    ...     return images.mean(axis=(1, 2, 3), dtype=np.float32)
    >>> brightness(np.full((1, 4, 4, 3), 7, np.uint8)).tolist()
    [7.0]
"""

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Pixels: (H, W, 3) RGB or (H, W) gray, or a stack of them; uint8."""

Float32 = npt.NDArray[np.float32]
"""Array of single precision: what networks give and `Faces` holds."""

Float64 = npt.NDArray[np.float64]
"""Array of double precision: filters, metrics and geometry."""

Floats = npt.NDArray[np.floating]
"""Array of either precision."""

Bools = npt.NDArray[np.bool_]
"""Mask."""

Int64 = npt.NDArray[np.int64]
"""Numbers of frames and tracks."""

Integers = npt.NDArray[np.integer]
"""Array of integers of any width."""

Indices = npt.NDArray[np.intp]
"""Rows or columns of another array."""

# NumPy reads the headers of its oldest files with Python's tokenizer, and its archives as ZIP files.
_DAMAGE = (EOFError, TokenError, SyntaxError, KeyError, RuntimeError, TypeError, OverflowError, BadZipFile, zlib.error)


def load_array(file: str | os.PathLike[str] | BinaryIO, *, mapped: bool = False) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file; objects are never unpickled.

    Args:
        file: Path of the file, or the file open for reading.
        mapped: Whether the array stays in the file, of which what is used is read.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is no ``.npy`` file, a pipe or a device, or damaged, whatever NumPy makes of it.

    Examples:
        >>> import io
        >>> file = io.BytesIO()
        >>> np.savez(file, one=np.zeros(2))
        >>> load_array(io.BytesIO(file.getvalue()))
        Traceback (most recent call last):
            ...
        ValueError: it is an archive of arrays, not one array
    """
    _check_kind(file)
    with _damage_as_value_error():
        array = np.load(file, mmap_mode="r" if mapped else None, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("it is an archive of arrays, not one array")
    return array


def load_arrays(file: str | os.PathLike[str] | BinaryIO) -> dict[str, npt.NDArray[Any]]:
    """Name -> array of a ``.npz`` file; objects are never unpickled.

    Args:
        file: Path of the file, or the file open for reading.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is no ``.npz`` file, a pipe or a device, or damaged, whatever NumPy makes of it.
    """
    _check_kind(file)
    with _damage_as_value_error():
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            raise TypeError("one array, not an archive of arrays")
        with content:
            return {name: np.asarray(content[name]) for name in content.files}


def _check_kind(file: str | os.PathLike[str] | BinaryIO) -> None:
    """Refuse pipes and devices, whose opening can wait without end; what opening says of a folder is clear."""
    if isinstance(file, str | os.PathLike):
        kind = Path(file).stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise ValueError("it is a pipe or a device, not a file")


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"it is damaged ({error})") from error
