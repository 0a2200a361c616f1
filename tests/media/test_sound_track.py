# SPDX-License-Identifier: Apache-2.0
"""The sound of a written video is that of its source, at the same moments."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import InputError
from mien.media import VideoWriter, audio_blocks
from tests.helpers.beeps import RATE_HZ, beep_of, write_beep


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov"])
def test_the_sound_is_at_its_moment(tmp_path: Path, ending: str) -> None:
    source = write_beep(tmp_path / "source.mp4", beep_s=1.0)
    with VideoWriter(tmp_path / f"o{ending}", 64, 48, fps=10, sound_of=source) as writer:
        writer.begin_sound(0.4)  # the video begins there
        for index in range(12):
            writer.write(np.full((48, 64, 3), 50, np.uint8), index / 10)
    assert beep_of(tmp_path / f"o{ending}") == pytest.approx(0.6, abs=0.07)
    sound = np.concatenate(list(audio_blocks(tmp_path / f"o{ending}", rate_hz=RATE_HZ)))
    assert len(sound) / RATE_HZ == pytest.approx(1.2, abs=0.15)  # as long as the video


def test_a_file_without_sound_leaves_nothing_behind(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "silent.mp4", 64, 48) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    with pytest.raises(InputError, match=r"silent\.mp4: has no audio"):
        VideoWriter(tmp_path / "o.mp4", 64, 48, sound_of=tmp_path / "silent.mp4")
    with pytest.raises(InputError, match="cannot be opened"):
        VideoWriter(tmp_path / "o.mp4", 64, 48, sound_of=tmp_path / "gone.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["silent.mp4"]


def test_a_discarded_video_leaves_no_draft(tmp_path: Path) -> None:
    source = write_beep(tmp_path / "source.mp4", beep_s=1.0)
    writer = VideoWriter(tmp_path / "o.mp4", 64, 48, sound_of=source)
    writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    writer.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]
