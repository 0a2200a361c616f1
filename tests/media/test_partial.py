# SPDX-License-Identifier: Apache-2.0
"""Files that show faces never stay behind under a temporary name."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.media import VideoWriter, save_image
from mien.media.images import partial_path

_KILLED = """
import os, signal, sys
import numpy as np
from mien.media import VideoWriter
writer = VideoWriter(sys.argv[1], 64, 48, threads=1)
for index in range(30):
    writer.write(np.full((48, 64, 3), index, np.uint8), index / 25)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_killed_overlay_is_gone_after_the_next_run(tmp_path: Path) -> None:
    target = tmp_path / "o [1].mp4"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(target)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".o [1].")
    with VideoWriter(target, 64, 48, threads=1) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX says whether a process runs")
def test_what_others_write_stays(tmp_path: Path) -> None:
    alive, dead = os.getppid(), 2**22 + 1  # beyond the highest number that Linux gives
    kept = [f".a.{alive}.part.png", f".b.{dead}.part.png", f".a.{dead}.part.jpg", ".a.x.part.png", "a.part.png"]
    for name in (*kept, f".a.{dead}.part.png"):
        (tmp_path / name).write_bytes(b"")
    save_image(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "a.png"])


def test_a_folder_that_is_absent_is_no_matter_here(tmp_path: Path) -> None:
    assert partial_path(tmp_path / "absent" / "a.png").parent == tmp_path / "absent"
