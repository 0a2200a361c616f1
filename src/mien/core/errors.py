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
        >>> raise MissingExtraError("openvino", "openvino")
        Traceback (most recent call last):
        mien.core.errors.MissingExtraError: openvino is not installed; run: pip install 'mien[openvino]'
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'mien[{extra}]'")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Pickled form: an exception is otherwise rebuilt from its message alone, which fails in worker processes."""
        return type(self), (self.package, self.extra)
