# SPDX-License-Identifier: Apache-2.0
"""The error tree. Boundaries translate it: the command line to exit codes, a server to HTTP status.

Examples:
    >>> try:
    ...     raise InputError("photo.jpg: the file is empty")
    ... except MienError as error:
    ...     print(error)
    photo.jpg: the file is empty
"""

from __future__ import annotations

import os
from pathlib import Path


def install_command(extra: str, module: str | os.PathLike[str] = __file__) -> str:
    """The command that installs an extra: of the checkout where mien runs from one, else of the package.

    Args:
        extra: Name of the extra.
        module: Path of this file.

    Examples:
        >>> install_command("train", "/usr/lib/python3/site-packages/mien/core/errors.py")
        "pip install 'mien[train]'"
    """
    root = Path(module).resolve().parents[_DEPTH]
    if not ((root / "pyproject.toml").is_file() and (root / "src" / "mien").is_dir()):
        return f"pip install 'mien[{extra}]'"
    here = "." if root == Path.cwd() else str(root)
    return f"pip install '{here}[{extra}]'"


_DEPTH = 3  # of this file in a checkout: src/mien/core


class MienError(Exception):
    """Base of every error that mien raises on purpose."""


class InputError(MienError):
    """A file, image, video or array cannot be used as input."""


class OutputError(MienError):
    """A result cannot be written."""


class ConfigError(MienError):
    """Arguments, recipes or settings contradict each other or name something unknown."""


class ModelError(MienError):
    """A bundle is missing, damaged, of an unknown version, or of another kind than the task needs."""


class DatasetError(MienError):
    """A data set folder is incomplete or malformed."""


class JobError(MienError):
    """The process that worked on an item ended, or worker processes cannot be started."""


class MissingExtraError(MienError):
    """An optional dependency is not installed.

    Args:
        package: Package whose import failed, for example ``"pandas"``.
        extra: Extra of mien that installs it, for example ``"pandas"``.

    Examples:
        >>> error = MissingExtraError("openvino", "openvino")
        >>> str(error) == f"openvino is not installed; run: {install_command('openvino')}"
        True
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: {install_command(extra)}")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Pickled form: an exception is otherwise rebuilt from its message alone, which fails in worker processes."""
        return type(self), (self.package, self.extra)
