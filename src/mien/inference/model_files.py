# SPDX-License-Identifier: Apache-2.0
"""Reads model files: only regular ones, and none that is too large."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mien.core import ModelError, open_regular

Description = TypeVar("Description")

MAX_DESCRIPTION_BYTES = 10_000_000
"""Largest ``model.json`` or ``head.json`` that is read."""

MAX_GRAPH_BYTES = 2_147_483_647
"""Largest ONNX file that is read: a message in its format cannot be larger."""


def is_model_file(path: Path) -> bool:
    """Whether there is a regular file; false also for names that no file can have, and loops of links.

    Examples:
        >>> is_model_file(Path("no such file")), is_model_file(Path("x" * 5000))
        (False, False)
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_model_file(path: Path, max_bytes: int = MAX_GRAPH_BYTES) -> bytes:
    """The content of a model's file.

    A pipe or a device is refused without waiting for its other end.

    Args:
        path: Path of the file.
        max_bytes: Size up to which a file is read.

    Raises:
        ModelError: The file cannot be read, is no regular file, or is larger than that.

    Examples:
        >>> read_model_file(Path("/"))
        Traceback (most recent call last):
        mien.core.errors.ModelError: /: not a regular file; name the file of a model
    """
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            raise ModelError(f"{path}: not a regular file; name the file of a model")
        if kind.st_size > max_bytes:
            raise ModelError(f"{path}: has {kind.st_size} bytes, and {max_bytes} are the most; it is no such file")
        # A pipe that takes the file's place after the check must not block either.
        with open_regular(path) as file:
            return file.read(max_bytes)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # a NUL in the name
        raise ModelError(f"{str(path)!r}: cannot be read ({error})") from error


def read_verified_file(path: Path, sha256: str, description: str, max_bytes: int = MAX_GRAPH_BYTES) -> bytes:
    """The content of a model's file, which must have the SHA-256 that its description names.

    Args:
        path: Path of the file.
        sha256: SHA-256 as hexadecimal digits.
        description: Name of the description in the same folder, for the message.
        max_bytes: Size up to which a file is read.

    Raises:
        ModelError: As for `read_model_file`, or the file has another SHA-256.
    """
    content = read_model_file(path, max_bytes)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"{path.parent}: {path.name} does not have the SHA-256 of {description}; it is damaged, copy it again"
        )
    return content


def read_description(path: Path, parse: Callable[[object], Description]) -> tuple[bytes, Description]:
    """The content of a model's JSON file, and the description that it holds.

    Args:
        path: Path of the file.
        parse: Function from parsed JSON to the description, such as `mien.core.HeadSpec.from_json`.

    Raises:
        ModelError: The file cannot be read, is no JSON, or ``parse`` refuses it; the message names file or folder.
    """
    content = read_model_file(path, MAX_DESCRIPTION_BYTES)
    try:
        return content, parse(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON ({error})") from error
    except ModelError as error:
        raise ModelError(f"{path.parent}: {error}") from error
