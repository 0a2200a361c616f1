# SPDX-License-Identifier: Apache-2.0
"""The error tree. Boundaries translate it: the command line to exit codes, a server to HTTP status."""


class MienError(Exception):
    """Base of every error that mien raises on purpose."""


class InputError(MienError):
    """A file, image, video or array cannot be used as input."""


class OutputError(MienError):
    """A result cannot be written."""


class ConfigError(MienError):
    """Arguments, recipes or settings contradict each other or name something unknown."""


class ModelError(MienError):
    """A bundle is missing, damaged, of an unknown version or does not do what was asked of it."""


class DatasetError(MienError):
    """A data set folder is incomplete or malformed."""


class JobError(MienError):
    """Work on an item was lost with its process, or the processes for it cannot be started."""


class MissingExtraError(MienError):
    """An optional dependency is not installed.

    Args:
        package: the import that failed, for example ``"pandas"``.
        extra: the extra of mien that brings it, for example ``"pandas"``.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'mien[{extra}]'")
        self.package = package
        self.extra = extra
