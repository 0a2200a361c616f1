# SPDX-License-Identifier: Apache-2.0
"""No copy of an input stays anywhere, neither beside the results nor where the system keeps temporary files."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.results import read_table
from tests.helpers.no_pixels import EXIT_CODE as NO_PIXELS_EXIT

_RUN = "import sys; from mien.cli import main; main(sys.argv[1:])"


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """A command with a temporary folder of its own."""
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "HOME", "XDG_CACHE_HOME"), str(folder))
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *map(str, arguments)],
        env={**os.environ, **places},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Where results go, and where temporary files would go."""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    temporary.mkdir()
    return out, temporary


def test_only_what_was_asked_for_is_written(clip: Path, folders: tuple[Path, Path]) -> None:
    out, temporary = folders
    before = {path: path.read_bytes() for path in clip.parent.iterdir()}
    arguments = ["--out", out / "t.parquet", "--overlay", out / "o.mp4", "--openface", out / "of.csv", "--threads", "1"]
    done = start(temporary, "analyze", clip, *arguments)
    assert done.communicate()[1]
    assert done.returncode == 0
    names = {"t.parquet", "t.parquet.manifest.json", "o.mp4", "of.csv", "of.csv.about.json"}
    assert {path.name for path in out.iterdir()} == names
    assert list(temporary.rglob("*")) == []
    assert {path: path.read_bytes() for path in clip.parent.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_after_a_crash_the_next_run_leaves_no_image(clip: Path, folders: tuple[Path, Path]) -> None:
    from tests.helpers.face_clips import write_loop

    out, temporary = folders
    long = write_loop(clip.with_name("long.mp4"), clip, 200)
    arguments = ["--out", out / "t.parquet", "--overlay", out / "o.mp4", "--overlay-anonymous", "--threads", "1"]
    crashed = start(temporary, "analyze", long, *arguments)
    deadline = time.monotonic() + 60
    while not list(out.glob(".mien-*.part.mp4")) and crashed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    crashed.send_signal(signal.SIGKILL)
    crashed.communicate()
    assert crashed.returncode == -signal.SIGKILL
    assert len(list(out.glob(".mien-*.part.mp4"))) == 1
    done = start(temporary, "analyze", clip, *arguments)
    done.communicate()
    assert done.returncode == 0
    assert read_table(out / "t.parquet").num_rows == 20
    left = {path.name for path in out.iterdir()} - {"t.recovered.parquet"}
    assert left == {"t.parquet", "t.parquet.manifest.json", "o.mp4"}
    assert list(temporary.rglob("*")) == []


@pytest.mark.skipif(os.name != "posix", reason="modes of this kind are POSIX")
def test_private_outputs_are_closed_to_others(mien, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    options = ["--overlay", out / "o.mp4", "--openface", out / "of", "--report", out / "r.html", "--threads", "1"]
    before = os.umask(0o022)
    try:
        assert mien("analyze", clip, "--out", out / "t.csv", *options, "--to", "0.2", "--private").code == 0
        assert mien("convert", out / "t.csv", "--out", out / "u.parquet", "--private").code == 0
        assert mien("features", clip, "--out", out / "f", "--every", "10", "--private").code == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    found = [out.parent, *out.parent.rglob("*")]
    assert len(found) > 9
    wrong = [path for path in found if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)]
    assert wrong == []


def run_watched(clip: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command whose written files are searched for pixels, even those that do not stay."""
    helper = Path(__file__).parent.parent / "helpers/no_pixels.py"
    command = [sys.executable, str(helper), str(clip), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run_without_pixels_writes_none_to_disk_even_for_a_moment(clip: Path, tmp_path: Path) -> None:
    outputs = ["--out", tmp_path / "t.parquet", "--report", tmp_path / "r.html", "--openface", tmp_path / "of.csv"]
    arguments = ["analyze", clip, *outputs, "--landmarks", "--intervals", "--threads", "1"]
    done = run_watched(clip, *arguments, "--no-pixels")
    assert done.returncode == 0, done.stderr
    written = {Path(line).name for line in done.stdout.splitlines()}
    assert any(name.endswith(".part.html") for name in written), "the watch must see files that do not stay"
    assert any("part" in name for name in written - {name for name in written if name.endswith(".html")})
    assert (tmp_path / "r.html").is_file()
    seen = run_watched(clip, *arguments)
    assert seen.returncode == NO_PIXELS_EXIT, "the watch must notice the key frames of a usual report"
    assert "r.html" in seen.stderr or ".html" in seen.stderr


def test_a_run_without_pixels_refuses_an_overlay(clip: Path, tmp_path: Path) -> None:
    outputs = ["--out", tmp_path / "t.parquet", "--overlay", tmp_path / "o.mp4"]
    done = run_watched(clip, "analyze", clip, *outputs, "--no-pixels")
    assert done.returncode == 2
    assert not list(tmp_path.glob("o*"))
