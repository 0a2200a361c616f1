# SPDX-License-Identifier: Apache-2.0
"""The default bundle on real clips, judged by what a viewer sees in them."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import mien


@pytest.fixture(scope="module")
def cry_to_laugh(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> mien.RunResult:
    out = tmp_path_factory.mktemp("clips") / "cry_to_laugh.parquet"
    return mien.analyze(shared_data / "video" / "cry_to_laugh.mp4", out)


def test_she_cries_behind_her_hand_and_then_laughs(cry_to_laugh: mien.RunResult) -> None:
    table = mien.read_table(cry_to_laugh.tables[0])
    valence = table["valence"].to_numpy()
    n_frames = pc.max(table["frame"]).as_py() + 1
    assert len(valence) == n_frames  # one face in every frame
    cries, laughs = valence[60:211], valence[2 * n_frames // 3 :]
    assert np.mean(laughs) - np.mean(cries) >= 0.5
    assert pc.count_distinct(table["track_id"]).as_py() == 1


def test_a_neutral_face_begins_to_smile(shared_data: Path, tmp_path: Path) -> None:
    result = mien.analyze(shared_data / "video" / "single_face.mp4", tmp_path / "table.csv")
    table = mien.read_table(result.tables[0])
    assert table["expression"][0].as_py() == "neutral"
    assert table["expression"][-1].as_py() == "happiness"
    assert table["AU12"][-1].as_py() - table["AU12"][0].as_py() > 0.4
