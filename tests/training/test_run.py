# SPDX-License-Identifier: Apache-2.0
"""From a researcher's folder to a bundle by the command line, and the page of all keys."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.affect import Analyzer
from mien.cli.main import mien
from mien.datasets import create_example
from mien.inference import load_spec
from mien.training import load_recipe
from mien.training.data.sources import load_training_data

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

ROOT = Path(__file__).resolve().parents[2]

RECIPE = """
name = "my-rafdb"
[data]
sources = [{ name = "rafdb" }]
valid = [{ name = "rafdb", split = "test" }]
expressions = "raf_basic"
[model]
backbone = "mobilenetv3_small_050"
colour = "rgb"
input_px = 64
[heads.expression]
[losses.expression]
name = "soft_cross_entropy"
[[stages]]
epochs = 1
peak_lr = 1e-3
keep = "best"
best_by = "expression accuracy"
"""


def test_a_folder_becomes_a_bundle(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "bundle"
    arguments = ["--data", tmp_path / "data", "--out", out, "--cache", tmp_path / "cache", "--seed", 7]
    done = CliRunner().invoke(mien, ["train", *map(str, [tmp_path / "recipe.toml", *arguments])])
    assert done.exit_code == 0, done.output
    spec = load_spec(out)
    assert spec.recipe == "my-rafdb"
    assert "seed 7" in spec.provenance
    assert spec.training_sources[0].n == 2
    assert "decide who may use the weights" in spec.weights_notice
    assert any("selected on the validation set" in limit for limit in spec.limitations)
    faces = Analyzer(out).crops([np.zeros((50, 40, 3), np.uint8)])
    assert set(faces.expression_labels) == {
        "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
    }  # fmt: skip
    assert str(tmp_path).encode() not in (out / "model.onnx").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["--devices=2", "--precision=bf16"])
def test_several_processes_and_half_precision_end_in_a_bundle(tmp_path: Path, machine: str) -> None:
    create_example("rafdb", tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    # A process of its own: the helpers of a run on several devices start the same command again.
    command = [sys.executable, "-m", "mien", "train", tmp_path / "recipe.toml", "--data", tmp_path / "data"]
    arguments = ["--out", tmp_path / "bundle", "--cache", tmp_path / "cache", "--threads", 1, machine]
    subprocess.run([str(part) for part in [*command, *arguments]], check=True, timeout=300)
    assert Analyzer(tmp_path / "bundle").crops([np.zeros((50, 40, 3), np.uint8)]).expression.shape == (1, 7)


def test_the_recipe_on_the_page_reads_and_fits_its_data(tmp_path: Path) -> None:
    page = (ROOT / "docs/training.md").read_text("utf-8")
    (tmp_path / "recipe.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    create_example("affwild2-mtl", tmp_path)
    training_data = load_training_data(load_recipe(tmp_path / "recipe.toml"), tmp_path)
    assert set(training_data.train_set.targets) == set(load_recipe(tmp_path / "recipe.toml").tasks)


def test_the_page_of_keys_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import recipe_keys

    try:
        assert (ROOT / "docs/recipe-keys.md").read_text("utf-8") == "\n".join(recipe_keys.lines()) + "\n", (
            "run: make docs-train"
        )
    finally:
        sys.modules.pop("recipe_keys")
