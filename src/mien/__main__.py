# SPDX-License-Identifier: Apache-2.0
"""``python -m mien`` is ``mien``."""

from mien.cli import main

main()
