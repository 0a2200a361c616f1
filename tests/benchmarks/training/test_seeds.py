# SPDX-License-Identifier: Apache-2.0
"""Seeds part from the same weights, nothing is trained twice, and mean weights are means."""

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

import torch

from benchmarks.training import seeds
from mien.core import ConfigError
from mien.inference import load_spec
from mien.training import Recipe, load_recipe
from mien.training.engine.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from mien.training.export.bundle_files import write_bundle


def checkpoint(recipe: Recipe, value: float) -> Checkpoint:
    return Checkpoint(
        recipe=json.dumps(dataclasses.asdict(recipe)),
        labels={"expression": ["neutral"]},
        progress=Progress(stage=len(recipe.stages) - 1, epoch=1),
        network={"weight": torch.tensor([value, 0.0]), "steps": torch.tensor(int(value))},
        average={"module.weight": torch.tensor([value, 1.0]), "n_averaged": torch.tensor(7)},
        optimizer={},
        best=None,
    )


def test_the_shared_stages_are_trained_once_and_every_bundle_reaches_the_page(tmp_path: Path) -> None:
    study = seeds.Study(recipe=load_recipe("mien-light"), n_shared=5, seeds=(1, 2))
    trained: list[str] = []

    def pretrain(recipe: Recipe, _data: Path, work: Path) -> None:
        if not (work / "checkpoint.pt").is_file():  # as a training that is over
            trained.append(f"shared {len(recipe.stages)}")
            work.mkdir(parents=True)
            save_checkpoint(work / "checkpoint.pt", checkpoint(recipe, 0))

    def train(recipe: Recipe, _data: Path, out: Path, work: Path) -> None:
        found = load_checkpoint(work / "checkpoint.pt")
        assert found.recipe == json.dumps(dataclasses.asdict(recipe))  # else the engine refuses it
        over = " over" if found.progress.stage == len(recipe.stages) else ""
        trained.append(f"{recipe.seed} from {found.network['weight'][0]:g}{over}")
        save_checkpoint(work / "checkpoint.pt", checkpoint(recipe, 2.0 * recipe.seed))
        write_bundle(
            out, b"", dataclasses.replace(load_spec(), provenance=f"seed {recipe.seed}", limitations=recipe.limitations)
        )

    page = tmp_path / "page.md"
    for _ in range(2):
        seeds.run(study, tmp_path, tmp_path / "work", page, train, pretrain)
    assert trained == ["shared 5", "1 from 0", "2 from 0", "1 from 3 over"]
    text = page.read_text("utf-8")
    assert [row for row in ("seed 1", "seed 2", "mean", "standard deviation") if f"| {row} |" not in text] == []
    assert "mean weights of the seeds" in text
    assert "the seeds 1, 2" in load_spec(tmp_path / "work/mean/bundle").limitations[-1]


def test_means_are_of_weights_and_not_of_counters() -> None:
    recipe = load_recipe("mien-light")
    mean = seeds.mean_of([checkpoint(recipe, value) for value in (1.0, 2.0, 6.0)])
    assert mean.network["weight"].tolist() == [3.0, 0.0]
    assert mean.network["steps"] == 1
    assert mean.average["module.weight"].tolist() == [3.0, 1.0]
    assert mean.average["n_averaged"] == 7


@pytest.mark.parametrize(("n_shared", "chosen"), [(0, (1,)), (7, (1,)), (5, ()), (5, (1, 1))])
def test_a_study_without_sense_is_refused(n_shared: int, chosen: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError):
        seeds.Study(recipe=load_recipe("mien-light"), n_shared=n_shared, seeds=chosen)
