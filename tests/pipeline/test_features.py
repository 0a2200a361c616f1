# SPDX-License-Identifier: Apache-2.0
"""Features of crops, clips and photos: the same numbers as the analyzer's, and none lost or doubled by a kill."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer, activate
from mien.core import ConfigError, InputError
from mien.media import save_image
from mien.pipeline import Progress, extract_features
from mien.results import open_features
from tests.helpers.run_results import code_of

N_KILLS = 10


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory, face: np.ndarray) -> Path:
    """Three tracks with gaps, one crop of another size, one cut off."""
    folder = tmp_path_factory.mktemp("crops")
    for track, numbers in (("a", range(1, 9)), ("a_left", (2, 5, 90)), ("b", range(1, 7))):
        (folder / track).mkdir()
        for number in numbers:
            save_image(folder / track / f"{number:05d}.jpg", np.roll(face, 3 * number, axis=1)[::2, ::2])
    (folder / "b" / "00004.jpg").write_bytes((folder / "b" / "00004.jpg").read_bytes()[:500])
    return folder


def keys(folder: Path) -> list[tuple[str, int, int]]:
    found = open_features(folder).load()
    names = np.array(found.sources)[found.source_index]
    return list(zip(names.tolist(), found.frame.tolist(), found.track.tolist(), strict=True))


def test_crops_give_what_the_analyzer_gives(crops: Path, tmp_path: Path) -> None:
    result = extract_features(crops, tmp_path / "out", crops=True, threads=1)
    assert code_of(result) == 1
    assert [failure.path for failure in result.failures] == ["b"]
    assert "00004.jpg" in result.failures[0].reason
    assert [(record.source, record.n_frames, record.n_rows) for record in result.records] == [
        ("a", 8, 8),
        ("a_left", 3, 3),
        ("b", 6, 5),
    ]
    assert keys(tmp_path / "out")[8:12] == [("a_left", 2, -1), ("a_left", 5, -1), ("a_left", 90, -1), ("b", 1, -1)]
    stored = open_features(tmp_path / "out")
    found = stored.load()
    analyzer = Analyzer(threads=1, features=True)
    faces = analyzer.crops([crops / "a" / f"{number:05d}.jpg" for number in range(1, 9)])
    np.testing.assert_allclose(found.features[:8], faces.features, atol=1e-4)
    task = analyzer.spec.task("valence_arousal")
    assert task is not None
    values = activate(found.scores[:8, stored.info.scores_of("valence_arousal")], task)
    np.testing.assert_allclose(values, np.stack([faces.valence, faces.arousal], axis=1), atol=1e-5)
    assert stored.info.digest == analyzer.bundle_digest


def test_a_second_run_adds_nothing(crops: Path, tmp_path: Path) -> None:
    first = extract_features(crops / "a", tmp_path / "out", crops=True, threads=1)
    again = extract_features(crops, tmp_path / "out", crops=True, threads=1)
    assert (first.n_rows, again.n_rows_found, again.n_rows) == (8, 8, 16)
    assert len(set(keys(tmp_path / "out"))) == 16


def test_what_reads_the_points_is_part_of_what_the_vectors_are(face: np.ndarray, tmp_path: Path) -> None:
    save_image(tmp_path / "photo.png", np.ascontiguousarray(face))
    extract_features(tmp_path / "photo.png", tmp_path / "out", landmark_model="none", threads=1)
    assert open_features(tmp_path / "out").info.settings["landmark_model"] is None
    with pytest.raises(ConfigError, match="landmark_model"):
        extract_features(tmp_path / "photo.png", tmp_path / "out", threads=1)


def test_half_precision_and_every(crops: Path, tmp_path: Path) -> None:
    whole = extract_features(crops / "a", tmp_path / "whole", crops=True, threads=1)
    half = extract_features(crops / "a", tmp_path / "half", crops=True, float16=True, every=4, threads=1)
    assert (whole.n_rows, half.n_rows) == (8, 2)
    rows, halved = open_features(tmp_path / "whole").load(), open_features(tmp_path / "half").load()
    assert halved.features.dtype == np.float16
    assert halved.frame.tolist() == [4, 8]
    np.testing.assert_allclose(halved.features, rows.features[[3, 7]], rtol=2e-3, atol=1e-3)


def test_another_bundle_or_setting_needs_another_folder(crops: Path, tmp_path: Path) -> None:
    extract_features(crops / "a_left", tmp_path, crops=True, threads=1)
    with pytest.raises(ConfigError, match="every: 1 there, 2 now"):
        extract_features(crops, tmp_path, crops=True, every=2, threads=1)


def test_two_folders_of_one_track(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "a").mkdir(parents=True)
    with pytest.raises(ConfigError, match="both the track a"):
        extract_features([crops, tmp_path / "other"], tmp_path / "out", crops=True, threads=1)


def test_a_clip_interrupted_between_two_frames(clip: Path, tmp_path: Path) -> None:
    analyzer = Analyzer(threads=1)
    whole = extract_features(clip, tmp_path / "whole", threads=1)
    n_told = 0

    def stop(_: object) -> None:
        nonlocal n_told
        n_told += 1
        if n_told == 4:
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


def test_another_input_may_come_between(crops: Path, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(crops / "a", tmp_path, crops=True, threads=1, on_progress=stop)
    extract_features(crops / "a_left", tmp_path, crops=True, threads=1)
    extract_features(crops / "a", tmp_path, crops=True, threads=1)
    assert sorted(keys(tmp_path)) == [("a", n, -1) for n in range(1, 9)] + [("a_left", n, -1) for n in (2, 5, 90)]


def test_a_resumed_run_still_tells_what_was_lost_before(crops: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.n_frames == 5:  # the damaged crop is the fourth
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(crops / "b", tmp_path, crops=True, threads=1, on_progress=stop)
    resumed = extract_features(crops / "b", tmp_path, crops=True, threads=1)
    assert [record.messages for record in resumed.records] == [("1 frames could not be read",)]


def test_photos_and_what_cannot_be_read(photo: Path, tmp_path: Path) -> None:
    result = extract_features([photo, tmp_path / "nothing.mp4"], tmp_path / "out", threads=1)
    assert (result.n_rows, code_of(result), len(result.failures)) == (1, 1, 1)
    nothing = extract_features(tmp_path / "nothing.mp4", tmp_path / "empty", threads=1)
    assert code_of(nothing) == 3
    with pytest.raises(InputError, match="no feature vectors here"):
        open_features(tmp_path / "empty")


@pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are POSIX")
def test_random_kills_lose_and_double_no_row(crops: Path, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[1] / "helpers/crash_features.py"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    command = [sys.executable, script, crops, tmp_path, N_KILLS, seed]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= N_KILLS
    reference = open_features(tmp_path / "reference")
    expected = reference.load()
    for folder in tmp_path.iterdir():
        assert keys(folder) == keys(tmp_path / "reference")
        np.testing.assert_allclose(open_features(folder).load().features, expected.features, atol=1e-4)
        assert open_features(folder).records == reference.records
        assert not list(folder.glob("*.tmp"))
