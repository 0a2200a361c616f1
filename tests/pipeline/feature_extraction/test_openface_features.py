# SPDX-License-Identifier: Apache-2.0
"""Vectors of OpenFace's files: its own numbers, frames from 1, and no vector where it failed."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.pipeline import extract_features
from mien.pipeline.feature_extraction.openface_features import OPENFACE_COLUMNS
from mien.results import open_features
from tests.helpers.run_results import code_of


def write_csv(path: Path, *, n: int = 6, failed: tuple[int, ...] = (2,), without: str = "") -> np.ndarray:
    """An OpenFace file of n frames; (n, 35) its numbers."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(0, 5, (n, 17)).round(2), rng.integers(0, 2, (n, 18))], axis=1)
    names = [name for name in OPENFACE_COLUMNS if name != without]
    lines = [", ".join(["frame", "face_id", "timestamp", "confidence", "success", *names])]
    for row in range(n):
        success = row + 1 not in failed
        numbers = [f"{v:g}" for v, name in zip(values[row], OPENFACE_COLUMNS, strict=True) if name != without]
        cells = [str(row + 1), "0", f"{row / 30:.3f}", "0.98" if success else "0", str(int(success)), *numbers]
        lines.append(", ".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return values


def test_the_numbers_are_openfaces_own(tmp_path: Path) -> None:
    assert len(OPENFACE_COLUMNS) == 35
    folder = tmp_path / "csv"
    folder.mkdir()
    values = write_csv(folder / "video1_left.csv")
    result = extract_features(str(folder), tmp_path / "out", from_openface=True)
    assert code_of(result) == 0
    rows = open_features(tmp_path / "out").load()
    assert rows.sources == ("video1_left",)
    assert rows.frame.tolist() == [1, 3, 4, 5, 6]  # OpenFace failed in the second
    np.testing.assert_allclose(rows.features, values[[0, 2, 3, 4, 5]], atol=1e-4)
    again = extract_features(str(folder), tmp_path / "out", from_openface=True)
    assert again.n_rows == again.n_rows_found == 5


def test_what_is_no_openface_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", without="AU12_r")
    failed = extract_features(str(tmp_path / "a.csv"), tmp_path / "out", from_openface=True)
    assert "there is no column AU12_r" in failed.failures[0].reason
    missing = extract_features(str(tmp_path / "b.csv"), tmp_path / "out2", from_openface=True)
    assert "no CSV file of OpenFace" in missing.failures[0].reason
    with pytest.raises(ConfigError, match="neither crops nor sound"):
        extract_features(str(tmp_path), tmp_path / "out3", from_openface=True, crops=True)
    with pytest.raises(ConfigError, match="leave --every out"):
        extract_features(str(tmp_path), tmp_path / "out3", from_openface=True, every=5)
