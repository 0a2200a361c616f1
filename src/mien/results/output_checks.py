# SPDX-License-Identifier: Apache-2.0
"""Refuses, before any work is done, outputs that would destroy something or that cannot be written."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ConfigError, DraftFile, OutputError, PathName, open_regular, path_exists, require_path
from mien.results.tables.manifest import manifest_path
from mien.results.tables.table_formats import TABLE_ENDINGS

MAX_NAME_BYTES = 255
"""Longest name of a file on common file systems, in bytes."""

# The longest names that grow out of that of a table: its manifest, and rows that were saved after a crash.
_TABLE_ROOM = len(".manifest.json")
_TABLE_COLUMNS = frozenset({"source", "frame", "time_s", "track_id", "success"})
_HEAD_BYTES = 65_536
_MANIFEST_HEAD_BYTES = 4096
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class OutputFile:
    """A file that a command is about to write.

    Attributes:
        option: Option that names it, for messages.
        path: Path of the file.
        is_table: Whether it is a table with a manifest beside it.
    """

    option: str
    path: Path
    is_table: bool = False


def check_output(
    option: str, path: PathName, inputs: Mapping[str, PathName] | None = None, *, replaces_tables: bool = False
) -> Path:
    """Checks the only output of a command; see `check_outputs`.

    Args:
        option: Option that names the output.
        path: Path of the file.
        inputs: Name of an input for the message, such as ``"TABLE"`` -> its path.
        replaces_tables: Whether an affect table of that name may be replaced.

    Returns:
        The path.

    Raises:
        ConfigError: The output would replace an input or an affect table, or is empty.
        OutputError: The place cannot be written.
    """
    require_path(path, option)
    file = OutputFile(option, Path(path))
    check_outputs([file], list((inputs or {}).items()))
    if not replaces_tables:
        refuse_table(file)
    return file.path


def check_outputs(outputs: Iterable[OutputFile], inputs: Iterable[tuple[str, PathName]] = ()) -> None:
    """Refuses outputs that would replace one another or an input, and places that cannot be written.

    Two paths are the same where they lead to one file, by a hard or symbolic link too, and outputs also where their
    names differ in upper and lower case or in composed letters only, which some file systems take for the same.

    Args:
        outputs: All files that the command is going to write.
        inputs: Pairs of a name for the message, such as ``"INPUT"``, and the path of an input.

    Raises:
        ConfigError: Two of the paths are the same.
        OutputError: A place cannot be written.

    Examples:
        >>> check_outputs([OutputFile("--out", Path("x.csv")), OutputFile("--openface", Path("X.csv"))])
        Traceback (most recent call last):
            ...
        mien.core.errors.ConfigError: --openface X.csv and --out x.csv are the same file; choose another name
    """
    known: dict[object, tuple[str, PathName]] = {}
    for name, path in inputs:
        for key in (_inode(path), os.path.realpath(path)):
            known.setdefault(key, (name, path))
    known.pop(None, None)
    tried: set[Path] = set()
    for output in outputs:
        path = output.path
        keys = {_inode(path), os.path.realpath(path), _folded(os.path.realpath(path)), _folded(_lexical(path))}
        for key in keys - {None}:
            if key in known:
                other, other_path = known[key]
                raise ConfigError(
                    f"{output.option} {path} and {other} {os.fspath(other_path)} are the same file; choose another name"
                )
        known |= dict.fromkeys(keys - {None}, (output.option, path))
        _check_place(output, tried)


def refuse_table(output: OutputFile) -> None:
    """Refuses to replace an affect table.

    Raises:
        ConfigError: A file of that name is an affect table.
    """
    if is_affect_table(output.path):
        raise ConfigError(
            f"{output.option} {output.path}: a table of that name exists, and only mien analyze replaces one;"
            " delete it first, or choose another name"
        )


def refuse_other_file(output: OutputFile) -> None:
    """Refuses to replace a file that is no affect table and has no manifest, which is then a file of the user.

    Raises:
        ConfigError: There is such a file, or the name of the manifest is taken by another file.
    """
    if is_affect_table(output.path):
        return
    manifest = manifest_path(output.path)
    has_manifest = path_exists(manifest)
    if has_manifest and not _is_manifest(manifest):
        raise ConfigError(f"{output.option}: {manifest} is no manifest of mien and would be replaced; move it first")
    if path_exists(output.path) and not has_manifest:
        raise ConfigError(
            f"{output.option} {output.path}: a file of that name exists and is no table of mien; choose another name"
        )


def is_affect_table(path: Path) -> bool:
    """Whether a file holds rows of affect in one of the formats of tables; its first bytes decide."""
    kind = TABLE_ENDINGS.get(path.suffix.lower())
    if kind is None or not _is_regular(path):
        return False
    try:
        if kind == "parquet":
            return set(pq.read_schema(path).names) >= _TABLE_COLUMNS
        with path.open("rb") as file:
            line = file.read(_HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()[:1]
        if not line:
            return False
        names = json.loads(line[0]) if kind == "jsonl" else [name.strip('" ') for name in line[0].split(",")]
        return set(names) >= _TABLE_COLUMNS
    except (OSError, ValueError, TypeError, RecursionError, pa.ArrowException):
        return False


def _is_manifest(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return b'"manifest_version"' in file.read(_MANIFEST_HEAD_BYTES)
    except OSError:
        return True  # what cannot be read is reported where it is written


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _inode(path: PathName) -> tuple[str, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may be text
    except (OSError, ValueError):
        return None
    return ("inode", found.st_dev, found.st_ino) if found.st_ino else None


def _lexical(path: Path) -> str:
    """The path without links in its folders; a link of the last name is kept, since writing replaces it."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - text all through


def _folded(path: str) -> str:
    return "folded " + unicodedata.normalize("NFC", path).casefold()


def _check_place(output: OutputFile, tried: set[Path]) -> None:
    """Refuses a place where no file can be written; nothing that is created stays.

    Raises:
        OutputError: It cannot be written.
    """
    path = output.path
    advice = "check that the folder exists and may be written to"
    n_bytes = len(os.fsencode(path.name)) + (_TABLE_ROOM if output.is_table else 0)
    if n_bytes > MAX_NAME_BYTES:
        raise OutputError(f"cannot write {path}: its name is {n_bytes - MAX_NAME_BYTES} bytes too long; shorten it")
    try:
        mode = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        mode = stat.S_IFREG  # nothing is there, or a link that leads nowhere and is replaced
    if mode != stat.S_IFREG:
        raise OutputError(f"cannot write {path}: it is {_KINDS.get(mode, 'no regular file')}; choose another name")
    check_folder(path.parent, path, advice, tried)


def check_folder(folder: Path, path: Path, advice: str, tried: set[Path] | None = None) -> None:
    """Refuses a folder that can neither be written nor created, without creating it.

    Whether the folder, or the one that it would be created in, can be written is tried with a file that is deleted.

    Args:
        folder: Folder of the output.
        path: Output to name in the message.
        advice: Advice for the user.
        tried: Folders that can be written, which are not tried again; the one that is tried joins them.

    Raises:
        OutputError: Files cannot be written there.
    """
    for existing in (folder, *folder.parents):
        try:
            mode = existing.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot write {path}: {reason}; {advice}") from error
        if not stat.S_ISDIR(mode):
            what = "File exists" if existing == path else "Not a directory"
            raise OutputError(f"cannot write {path}: {what}; {advice}")
        if tried is not None and existing in tried:
            return
        if reason := _refusal(existing):
            raise OutputError(f"cannot write {path}: {reason}; {advice}")
        if tried is not None:
            tried.add(existing)
        return


def _refusal(folder: Path) -> str:
    """Why no file can be written into an existing folder; empty if one can, which a file shows that is deleted again.

    Permissions alone do not tell: some file systems, such as /proc and /sys, refuse even those who may do everything.
    """
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        return "Permission denied"
    try:
        DraftFile(folder / "probe").discard()
    except OSError as error:
        return error.strerror or str(error)
    return ""
