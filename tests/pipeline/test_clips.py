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


def test_a_neutral_face_smiles_and_stops(shared_data: Path, tmp_path: Path) -> None:
    result = mien.analyze(shared_data / "video" / "single_face.mp4", tmp_path / "table.csv")
    table = mien.read_table(result.tables[0])
    expression, smile = table["expression"].to_pylist(), table["AU12"].to_pylist()
    assert (expression[0], expression[40], expression[-1]) == ("neutral", "happiness", "neutral")
    assert smile[40] - smile[0] > 0.4
    assert smile[40] - smile[-1] > 0.4
