# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from mien.cli.main import mien
from mien.media import read_image
from tests.conftest import REPOSITORY
from tests.pipeline.postprocessing.test_time_attribution import write_table

PHOTO = str(REPOSITORY / "docs/sample/two_faces.jpg")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(mien, ["explain", *arguments])
    return result.exit_code, result.output


def test_a_photo_is_explained_in_text_picture_and_json(tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    code, text = run(PHOTO, "--face", "2", "--masks", "60", "--out", str(out), "--threads", "1")
    assert code == 0, text
    target, probability = text.split(":")[0].split()
    assert target == "happiness"
    assert float(probability) > 0.8
    assert "mouth +0." in text
    assert read_image(out).shape == (336, 1680, 3)
    code, text = run(PHOTO, "--face", "2", "--target", "AU12", "--method", "occlusion", "--json", "--threads", "1")
    assert code == 0, text
    assert json.loads(text)["target"] == "AU12"


def test_a_table_is_explained_by_stretches(tmp_path: Path) -> None:
    smile = np.full(20, 0.1)
    smile[5:9] = 0.9
    path = write_table(tmp_path / "t.parquet", smile)
    code, text = run(str(path), "--target", "happiness", "--smooth", "none")
    assert code == 0
    assert "0.50 to 0.80 s: 100% of the difference, 4 frames" in text
    code, text = run(str(path), "--target", "happiness")
    assert "0.20 to 1.10 s: 100% of the difference, 10 frames" in text
    code, text = run(str(path), "--target", "happiness", "--json")
    assert [one["track_id"] for one in json.loads(text)] == [4, 7]
    code, text = run(str(path), "--out", str(tmp_path / "x.png"))
    assert code == 2
