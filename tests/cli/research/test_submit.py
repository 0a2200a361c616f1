# SPDX-License-Identifier: Apache-2.0
"""The command ``mien submit``."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.affect import Analyzer
from mien.cli.main import mien
from mien.cli.research.submit import submit
from mien.core import Faces
from tests.helpers.submission_data import HEADERS, NAMES, write_crops, write_example_tables, write_list


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def crops_data(tmp_path: Path) -> Path:
    return write_crops(tmp_path)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(mien, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def test_a_submission_of_crops(crops_data: Path, analyzer: Analyzer) -> None:
    track = next(path.name for path in sorted((crops_data / "cropped_aligned").iterdir()))
    names = [f"{track}/{frame:05d}.jpg" for frame in range(1, 9)] + [f"ghost/{frame:05d}.jpg" for frame in (1, 2)]
    (crops_data / "list.txt").write_text("image_location\n" + "\n".join(names) + "\n")
    crops = crops_data / "cropped_aligned"
    printed = run("submit", "va", "--list", crops_data / "list.txt", "--crops", crops, "--out", crops_data / "va.txt")
    assert "10 rows" in printed
    rows = (crops_data / "va.txt").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == names
    assert [float(number) for number in rows[-1].split(",")[1:]] == [0, 0]
    first = analyzer.crops([crops / track / "00001.jpg"])
    np.testing.assert_allclose(float(rows[0].split(",")[1]), first.valence[0], atol=1e-5)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, dict[int, Faces]]:
    """The folder of `write_example_tables`, and the main faces of ``a.mp4``."""
    return tmp_path / "tables", write_example_tables(tmp_path / "tables")


def test_command_line_writes_and_checks(tables: tuple[Path, dict[int, Faces]], tmp_path: Path) -> None:
    listed = write_list(tmp_path / "list.txt", HEADERS["mtl"], NAMES)
    out = tmp_path / "mtl.txt"
    arguments = ["mtl", "--list", str(listed)]
    writing = [*arguments, "--predictions", str(tables[0]), "--out", str(out), "--smooth", "expr=50,va=50,au=3"]
    result = CliRunner().invoke(submit, writing)
    assert result.exit_code == 0, result.output
    assert "10 rows, 7 of them without a face" in result.output
    checked = CliRunner().invoke(submit, [*arguments, "--validate", str(out)])
    assert checked.exit_code == 0
    assert "10 rows, valid for mtl" in checked.output
    assert CliRunner().invoke(submit, arguments).exit_code == 2
    assert CliRunner().invoke(submit, [*writing, "--validate", str(out)]).exit_code == 2


def test_a_landmark_net_on_crops_is_4(mien, crops_data: Path) -> None:
    listed = write_list(crops_data / "list.txt", HEADERS["va"], NAMES)
    arguments = ["va", "--list", listed, "--crops", crops_data / "cropped_aligned", "--out", crops_data / "va.txt"]
    ended = mien("submit", *arguments, "--model", "mien-points")
    assert ended.code == 4
    assert "name mien-accurate or mien-light" in ended.err
    assert not (crops_data / "va.txt").exists()
