# SPDX-License-Identifier: Apache-2.0
"""Extraction that is interrupted, resumed and crashed: no vector is lost or doubled."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, InputError
from mien.media import save_image
from mien.pipeline import Progress, extract_features
from mien.results import open_features
from tests.helpers.run_results import code_of
from tests.helpers.vector_keys import keys

N_CRASHES = 10


def test_a_second_run_adds_nothing(crops: Path, tmp_path: Path) -> None:
    first = extract_features(crops / "a", tmp_path / "out", crops=True, threads=1)
    again = extract_features(crops, tmp_path / "out", crops=True, threads=1)
    assert (first.n_rows, again.n_rows_found, again.n_rows) == (8, 8, 16)
    assert len(set(keys(tmp_path / "out"))) == 16


def test_the_landmark_model_is_part_of_the_description(face: np.ndarray, tmp_path: Path) -> None:
    save_image(tmp_path / "photo.png", np.ascontiguousarray(face))
    extract_features(tmp_path / "photo.png", tmp_path / "out", landmark_model="none", threads=1)
    assert open_features(tmp_path / "out").info.settings["landmark_model"] is None
    with pytest.raises(ConfigError, match="landmark_model"):
        extract_features(tmp_path / "photo.png", tmp_path / "out", threads=1)


def test_another_bundle_or_setting_needs_another_folder(crops: Path, tmp_path: Path) -> None:
    extract_features(crops / "a_left", tmp_path, crops=True, threads=1)
    with pytest.raises(ConfigError, match="every: 1 there, 2 now"):
        extract_features(crops, tmp_path, crops=True, every=2, threads=1)


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


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")
def test_random_crashes_lose_and_double_no_row(crops: Path, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "helpers/crash_features.py"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    command = [sys.executable, script, crops, tmp_path, N_CRASHES, seed]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= N_CRASHES
    reference = open_features(tmp_path / "reference")
    expected = reference.load()
    for folder in tmp_path.iterdir():
        assert keys(folder) == keys(tmp_path / "reference")
        np.testing.assert_allclose(open_features(folder).load().features, expected.features, atol=1e-4)
        assert open_features(folder).records == reference.records
        assert not list(folder.glob("*.tmp"))
