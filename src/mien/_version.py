# SPDX-License-Identifier: Apache-2.0
"""The one place where the version is written (kept apart so that ``core`` never imports ``mien``)."""

__version__ = "0.1.0"
