# SPDX-License-Identifier: Apache-2.0
"""Names of inputs as text that any table can hold, the way back to the file, and files that come to an end."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

# Room in the 255 bytes that file systems allow for ".recovered-99.parquet.manifest.json"; names of earlier runs must
# stay what they were, so that this does not depend on the file system.
_MAX_STEM_BYTES = 180
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")


def source_name(path: str | os.PathLike[str]) -> str:
    r"""Name of an input in tables and messages: its path, with bytes that are not UTF-8 as visible escapes.

    Examples:
        >>> source_name("caf\udce9.mp4")
        'caf\\udce9.mp4'
        >>> source_name("café.mp4")
        'café.mp4'
    """
    return os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")


def source_path(name: str | os.PathLike[str]) -> Path:
    r"""Path of the file that `source_name` named; a file whose own name holds the escapes comes first.

    Examples:
        >>> str(source_path("caf\\udce9.mp4")) == "caf\udce9.mp4"
        True
        >>> source_path("clip.mp4").name
        'clip.mp4'
    """
    text = os.fspath(name)
    if _ESCAPED.search(text) is None or path_exists(text):
        return Path(text)
    return Path(_ESCAPED.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text))


def distinct_names(sources: Iterable[str]) -> dict[str, str]:
    """Source -> its file name, with as many of its folders as tell it from the others of that name.

    Examples:
        >>> distinct_names(["a/1/clip.mp4", "b/1/clip.mp4", "c/talk.mp4"])
        {'a/1/clip.mp4': 'a/1/clip.mp4', 'b/1/clip.mp4': 'b/1/clip.mp4', 'c/talk.mp4': 'talk.mp4'}
        >>> distinct_names(["/data/anna/clip.mp4", "/data/ben/clip.mp4"])["/data/ben/clip.mp4"]
        'ben/clip.mp4'
    """
    parts = {source: source.replace("\\", "/").rstrip("/").split("/") for source in dict.fromkeys(sources)}
    depth = dict.fromkeys(parts, 1)
    while True:
        names = {source: "/".join(own[-depth[source] :]) for source, own in parts.items()}
        count = Counter(names.values())
        repeated = [source for source, name in names.items() if count[name] > 1 and depth[source] < len(parts[source])]
        if not repeated:
            return {source: name if count[name] == 1 else source for source, name in names.items()}
        for source in repeated:
            depth[source] += 1


def path_exists(path: str | os.PathLike[str]) -> bool:
    r"""Whether a file, folder or link of that name exists; False for names that no file can have.

    Examples:
        >>> path_exists("x" * 5000), path_exists("a\0b")
        (False, False)
    """
    return os.path.lexists(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    r"""Whether a folder of that name exists; False for names that no file can have, unlike `Path.is_dir`.

    Examples:
        >>> is_folder("x" * 5000), is_folder("a\0b"), is_folder(".")
        (False, False, True)
    """
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises for over-long names


def is_regular_file(path: str | os.PathLike[str]) -> bool:
    r"""Whether a regular file of that name exists; False for names that no file can have, unlike `Path.is_file`.

    Examples:
        >>> is_regular_file("x" * 5000), is_regular_file("a\0b")
        (False, False)
    """
    return os.path.isfile(path)  # noqa: PTH113 - `Path.is_file` raises for over-long names


def shortened_name(name: str, max_bytes: int = _MAX_STEM_BYTES) -> str:
    """The name, or of a longer one its beginning with a digest of the whole, so that files named after it can exist.

    Args:
        name: Name without an ending.
        max_bytes: Highest number of bytes, at least 16.

    Examples:
        >>> shortened_name("clip")
        'clip'
        >>> shortened_name("笑" * 70).removeprefix("笑" * 57)
        '~302a1d0c'
    """
    encoded = os.fsencode(name)
    if len(encoded) <= max_bytes:
        return name
    digest = "~" + hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: max_bytes - len(digest)].decode("utf-8", "ignore") + digest


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """A regular file, open for reading.

    Args:
        path: Path of the file; links are followed.

    Raises:
        OSError: As the operating system reports, or the path names a pipe, a socket, a device or a folder.

    Examples:
        >>> open_regular("/dev/zero")
        Traceback (most recent call last):
        OSError: [Errno 22] no regular file; copy its content into one: '/dev/zero'
    """
    # Without O_NONBLOCK a pipe without a writer would block the opening itself.
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    file.close()
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "no regular file; copy its content into one", os.fspath(path))


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: As for `open_regular`.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a").write_bytes(b"content")
        ...     read_regular(Path(folder, "a"))
        b'content'
    """
    with open_regular(path) as file:
        return file.read()
