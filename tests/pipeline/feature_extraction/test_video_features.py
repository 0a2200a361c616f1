# SPDX-License-Identifier: Apache-2.0
"""Vectors of videos and of their sound."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer, FakeAudioEncoder
from mien.core import InputError
from mien.pipeline import extract_features
from mien.pipeline.feature_extraction.extraction import run_extraction
from mien.pipeline.feature_extraction.video_features import SoundExtractor, sound_of_frames
from mien.results import open_features
from tests.helpers.run_results import code_of
from tests.helpers.vector_keys import keys


def test_a_clip_interrupted_between_two_frames(clip: Path, tmp_path: Path) -> None:
    analyzer = Analyzer(threads=1)
    whole = extract_features(clip, tmp_path / "whole", threads=1)
    n_calls = 0

    def stop(_: object) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(clip, tmp_path / "cut", threads=1, on_progress=stop)
    resumed = extract_features(clip, tmp_path / "cut", threads=1)
    assert resumed.n_rows_found == 4
    assert keys(tmp_path / "cut") == keys(tmp_path / "whole")
    assert resumed.records == whole.records
    rows, frames = open_features(tmp_path / "whole").load(), list(analyzer.video(clip))
    assert rows.time_s.tolist() == [frame.time_s for frame in frames]
    assert rows.track.tolist() == [int(frame.faces.track_ids[0]) for frame in frames]
    np.testing.assert_allclose(open_features(tmp_path / "cut").load().features, rows.features, atol=1e-4)


def extract(clips: Path, out: Path) -> int:
    """Exit code of the extraction by the fake encoder."""
    extractor = SoundExtractor(FakeAudioEncoder(), float16=False)
    result = run_extraction(
        extractor, [str(clips)], out, rows_per_shard=20, on_progress=lambda _: None, on_event=lambda _: None
    )
    return code_of(result)


def test_real_speech(shared_data: Path, tmp_path: Path) -> None:
    assert extract(shared_data / "video" / "grid_*.mpg", tmp_path) == 0
    sound = open_features(tmp_path).load()
    assert [Path(name).stem for name in sound.sources] == ["grid_bbaf2n", "grid_brbk7n", "grid_lbax4n"]
    rows = sound.rows_of(sound.sources[1])
    assert sound.frame[rows].tolist() == list(range(len(rows)))
    np.testing.assert_allclose(sound.time_s[rows], np.arange(len(rows)) / 10)
    loudness = sound.features[rows, 1]
    assert loudness[8:22].mean() > 3 * loudness[:3].mean()  # the sentence stands between two silences
    of_frames = sound_of_frames(sound, "grid_brbk7n", 75)
    np.testing.assert_array_equal(of_frames, sound_of_frames(sound, "grid_brbk7n_left", 75))
    np.testing.assert_array_equal(of_frames[:, 1], loudness[[int(i * len(rows) / 75) for i in range(75)]])
    with pytest.raises(InputError, match="unknown"):
        sound_of_frames(sound, "unknown", 75)


def test_a_video_without_sound(shared_data: Path, tmp_path: Path) -> None:
    assert extract(shared_data / "video" / "webcam_talk.mp4", tmp_path) == 3


def test_a_video_with_lost_frames_is_a_failure_and_keeps_its_vectors(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[start : start + 3000] = bytes(3000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    result = extract_features(damaged, tmp_path / "out", threads=1)
    assert not result.complete
    assert "frames are lost" in result.failures[0].reason
    assert result.n_rows > 0
    assert result.records[0].n_frames > 0
