# SPDX-License-Identifier: Apache-2.0
"""The command ``mien blend``."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.cli.research.blend import blend
from mien.cli.research.evaluate import evaluate
from mien.core import Faces
from mien.evaluation import (
    choose_compound_model,
    search_weights,
)
from tests.helpers.scored_tables import table_faces, write_tables, write_two_models


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[Path, list[Path]]:
    return write_two_models(tmp_path)


def test_weights_are_found_and_used(two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    found = search_weights("va", data, models)["va"]
    assert found.weights == (0.3, 0.7)
    assert found.score == pytest.approx(1, abs=1e-6)
    assert len(found.tried) == 11
    options = [part for path in models for part in ("--predictions", str(path))]
    result = CliRunner().invoke(blend, ["va", "--data", str(data), *options])
    assert "va  1.0000 with 0.3,0.7" in result.output
    assert "chosen on the valid rows that they are scored on" in result.output
    result = CliRunner().invoke(evaluate, ["va", "--data", str(data), *options, "--weights", "va=.3,.7", "--json"])
    assert json.loads(result.output)["metrics"][0]["value"] == pytest.approx(1, abs=1e-6)


def test_compound_models_are_chosen_by_frequencies(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("image_location\n" + "".join(f"v/{i:05d}.jpg\n" for i in range(1, 9)))
    probabilities = np.eye(8)[[1, 1, 3, 6, 1, 1, 5, 4]] * 0.5 + np.eye(8)[[2] * 8] * 0.3 + 0.2 / 8

    def shown(rows: np.ndarray) -> list[Faces]:
        return [replace(table_faces([0.0]), expression=row[None].astype(np.float32)) for row in rows]

    varied = write_tables(tmp_path / "varied", {"v": shown(probabilities)})
    always = write_tables(tmp_path / "always", {"v": shown(np.repeat(probabilities[:1], 8, axis=0))})
    found = choose_compound_model(tmp_path, [always, varied])
    assert list(found) == [str(varied), str(always)]
    result = CliRunner().invoke(
        blend, ["ce", "--data", str(tmp_path), "--predictions", str(always), "--predictions", str(varied)]
    )
    assert result.output.splitlines()[0].startswith(str(varied))
