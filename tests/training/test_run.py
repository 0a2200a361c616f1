# SPDX-License-Identifier: Apache-2.0
"""The door `mien.training.train`: what it decides, what it refuses, and what the package exports."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import mien.training
from mien.cli.main import exit_code
from mien.cli.main import mien as command
from mien.core import ConfigError, OutputError
from mien.datasets import create_example
from mien.training import ComputeSettings, load_recipe, load_training_data, run, train
from tests.helpers.repository import ROOT


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The calls of the two kinds of training, which do nothing here."""
    calls: list[tuple[Any, ...]] = []
    for name in ("train_bundle", "train_head"):
        monkeypatch.setattr(run, name, lambda *given, name=name: calls.append((name, *given)))
    return calls


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mien-light", "train_bundle"),
        ("mien-points", "train_bundle"),
        ("hse-va", "train_head"),
        ("eri-sequence", "train_head"),
    ],
)
def test_the_recipe_decides_the_kind_of_training(name: str, kind: str, trained: list[tuple[Any, ...]]) -> None:
    train(name, "data", "out")
    assert trained[0][:4] == (kind, load_recipe(name), Path("data"), Path("out"))
    assert trained[0][4] == Path("out.work")


def test_outputs_are_checked_before_the_training(trained: list[tuple[Any, ...]], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("mine")
    with pytest.raises(ConfigError, match=r"model\.onnx in it is no part of a bundle"):
        train("mien-light", "data", tmp_path)
    (tmp_path / "new.work").write_text("mine")
    with pytest.raises(OutputError, match=r"new\.work"):
        train("mien-light", "data", tmp_path / "new")
    recipe = tmp_path / "bundle" / "model.json"
    recipe.parent.mkdir()
    recipe.write_text((ROOT / "src/mien/training/recipes/mien-light.toml").read_text("utf-8"))
    with pytest.raises(ConfigError, match=r"RECIPE .* are the same file"):
        train(recipe, "data", recipe.parent)
    assert not trained


def test_options_reach_the_training(trained: list[tuple[Any, ...]]) -> None:
    compute = ComputeSettings(threads=1)
    train("hse-va", "data", "out", compute, work="elsewhere", model="my-net", seed=7, refit=True)
    recipe = dataclasses.replace(load_recipe("hse-va"), seed=7).refit()
    assert trained == [("train_head", recipe, Path("data"), Path("out"), Path("elsewhere"), compute, "my-net")]


def test_a_recipe_may_be_an_object(trained: list[tuple[Any, ...]]) -> None:
    recipe = dataclasses.replace(load_recipe("mien-light"), ema_decay=0.9)
    train(recipe, "data", "out")
    assert trained[0][1] is recipe


def test_a_model_is_for_heads_in_python_and_on_the_command_line(trained: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ConfigError, match="mien-light trains on pictures") as raised:
        train("mien-light", "data", "out", model="my-net")
    assert exit_code(raised.value) == 2
    done = CliRunner().invoke(command, ["train", "mien-light", "--data", "d", "--out", "o", "--model", "my-net"])
    assert str(done.exception) == str(raised.value)
    assert trained == []


def test_the_command_calls_the_door(trained: list[tuple[Any, ...]]) -> None:
    arguments = ["train", "hse-va", "--data", "d", "--out", "o", "--refit", "--seed", "3", "--threads", "2"]
    done = CliRunner().invoke(command, [*arguments, "--precision", "bf16", "--cache", "c", "--work", "w"])
    assert done.exit_code == 0, done.output
    compute = ComputeSettings(threads=2, precision="bf16", cache=Path("c"))
    recipe = dataclasses.replace(load_recipe("hse-va"), seed=3).refit()
    assert trained == [("train_head", recipe, Path("d"), Path("o"), Path("w"), compute, None)]


def test_an_unknown_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such recipe"):
        train("no-such-recipe", tmp_path, tmp_path / "out")


def test_every_export_is_there() -> None:
    assert mien.training.__all__ == sorted(
        mien.training.__all__, key=lambda name: (not name.isupper(), name.islower(), name)
    )
    for name in mien.training.__all__:
        assert getattr(mien.training, name) is not None
        assert name in dir(mien.training)
    with pytest.raises(AttributeError, match="no attribute 'gaze'"):
        _ = mien.training.gaze


def test_recipes_are_read_without_torch() -> None:
    code = "import sys, mien.training as t; t.load_recipe('mien-light'); print({'torch', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_recipe_on_the_page_reads_and_fits_its_data(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/training.md").read_text("utf-8")
    (tmp_path / "recipe.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    create_example("affwild2-mtl", tmp_path)
    training_data = load_training_data(load_recipe(tmp_path / "recipe.toml"), tmp_path)
    assert set(training_data.train_set.targets) == set(load_recipe(tmp_path / "recipe.toml").tasks)


def test_the_page_of_keys_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/reference"))
    import recipe_keys

    try:
        assert (ROOT / "docs/reference/recipe-keys.md").read_text("utf-8") == "\n".join(recipe_keys.lines()) + "\n", (
            "run: make docs-train"
        )
    finally:
        sys.modules.pop("recipe_keys")
