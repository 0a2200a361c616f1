# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call, print, exit code. Heavy imports stay inside the commands."""

from mien.cli.main import main

__all__ = ["main"]
