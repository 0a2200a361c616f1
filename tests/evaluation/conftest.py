# SPDX-License-Identifier: Apache-2.0
"""The command line for tests of what a command decides."""

from tests.cli.conftest import mien

__all__ = ["mien"]
