# SPDX-License-Identifier: Apache-2.0
"""Files that end before their container does."""

from pathlib import Path

import numpy as np
import pytest

from mien.media import VideoWriter, open_video
from mien.media.headers import n_bytes_missing


def write(path: Path) -> bytes:
    with VideoWriter(path, 64, 48, fps=25, threads=1) as writer:
        for index in range(50):
            noise = np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)
            writer.write(noise, index / 25)
    return path.read_bytes()


def test_a_cut_matroska_file_is_known_to_be_incomplete(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    whole = write(clip)
    assert n_bytes_missing(clip) == 0
    with open_video(clip) as video:
        assert len(list(video)) == 50
    assert video.report.complete
    clip.write_bytes(whole[:-1000])
    assert n_bytes_missing(clip) == 1000
    with open_video(clip) as video:
        assert 0 < len(list(video)) <= 50
    assert not video.report.complete
    assert "the file is cut off, 1000 bytes before its end" in video.report.messages[-1]


def test_a_range_before_the_cut_is_complete(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(write(clip)[:-1000])
    with open_video(clip, stop_s=0.2) as video:
        assert len(list(video)) == 5
    assert video.report.complete


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", 0),
        (b"RIFF", 0),
        (b"RIFF" + (100).to_bytes(4, "little") + bytes(100), 0),
        (b"RIFF" + (100).to_bytes(4, "little") + bytes(60), 40),
        (b"RIFF" + bytes(4) + bytes(60), 0),
        (bytes.fromhex("1a45dfa3"), 0),
        (bytes.fromhex("1a45dfa3 81 00 18538067 8a") + bytes(10), 0),
        (bytes.fromhex("1a45dfa3 81 00 18538067 8a") + bytes(4), 6),
        (bytes.fromhex("1a45dfa3 81 00 18538067 400a") + bytes(4), 6),
        (bytes.fromhex("1a45dfa3 81 00 18538067 01ffffffffffffff") + bytes(4), 0),
        (bytes.fromhex("1a45dfa3 81 00 00000000 8a"), 0),
    ],
    ids=[
        "empty",
        "short",
        "riff",
        "cut riff",
        "live riff",
        "bare",
        "mkv",
        "cut mkv",
        "long number",
        "live mkv",
        "other",
    ],
)
def test_what_headers_declare(tmp_path: Path, content: bytes, missing: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert n_bytes_missing(file) == missing
