# SPDX-License-Identifier: Apache-2.0
"""The checkout around the package."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def project_files() -> list[Path]:
    """Tracked files and new ones that are not ignored, relative to the root; deleted ones are left out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in sorted(set(listing.split("\0")) - {""}) if (ROOT / name).is_file()]


def run_python(*arguments: str, cwd: Path | None = None, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter of this environment, with ``typed`` on its standard input.

    Its output is captured; its exit code is the caller's to judge.
    """
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, input=typed, capture_output=True, text=True, check=False)
