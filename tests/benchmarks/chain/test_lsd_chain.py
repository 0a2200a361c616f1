# SPDX-License-Identifier: Apache-2.0
"""The page of the chain: rows with and without results, steps, budgets; and what the rows train."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from benchmarks.chain import lsd_chain
from benchmarks.chain.chain_rows import ROWS, Budget, pretrain_recipe, pretrained_file, recipe_of, row_file
from mien.core import ConfigError
from mien.training import load_recipe

N = 120
TRUTH = np.arange(N) % 6


def write_row(path: Path, share_right: float, n_epochs: int = 2) -> None:
    rng = np.random.default_rng(len(str(path)))
    logits = rng.normal(0, 0.1, (n_epochs, N, 6))
    right = rng.random((n_epochs, N)) < share_right
    for epoch in range(n_epochs):
        logits[epoch, np.arange(N), np.where(right[epoch], TRUTH, (TRUTH + 1) % 6)] += 1
    path.parent.mkdir(parents=True)
    np.savez(path, logits=logits, truth=TRUTH, names=np.array([f"{row}" for row in range(N)]))


def test_the_page_has_results_and_says_what_is_not_run(tmp_path: Path) -> None:
    write_row(pretrained_file("mien-light", tmp_path), 0.6, 1)
    for seed in (1, 2):
        write_row(row_file("light", seed, tmp_path), 0.8)
    write_row(row_file("synthetic", 1, tmp_path), 0.3)
    page = tmp_path / "page.md"
    page.write_text("# Chain\n\n<!-- rows -->\nold\n<!-- end of rows -->\n\nText.\n")
    lsd_chain.update_page(page, tmp_path, (1, 2, 3), Budget())
    text = page.read_text()
    assert text.startswith("# Chain\n")
    assert text.endswith("Text.\n")
    assert "old" not in text
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert {row.name for row in ROWS} <= set(lines)
    assert "120 test faces: anger 20, disgust 20" in text
    assert "for all of them has a macro F1 of 0.048 and an accuracy of 0.167" in text
    assert "| not run |" in lines["mt"]
    assert "| not run |" in lines["light-span"]
    assert lines["light"].split(" | ")[5] == "2"
    assert 0.7 < float(lines["light"].split(" | ")[6].split()[0]) < 0.9
    gain = lines["fine-tuning of mien-light, without super-resolution"].split(" | ")
    assert gain[1].startswith("+0.")
    assert gain[2:] == ["2", "+0.023 |"]
    assert lines["super-resolution of real training faces"].split(" | ")[1] == "not run"


def test_another_budget_is_refused(tmp_path: Path) -> None:
    lsd_chain.check_budget(Budget(), tmp_path / "work")
    lsd_chain.check_budget(Budget(), tmp_path / "work")
    with pytest.raises(ConfigError, match="choose another folder"):
        lsd_chain.check_budget(Budget(faces=9), tmp_path / "work")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_train_with_the_published_numbers(row: object, tmp_path: Path) -> None:
    recipe = recipe_of(row, 3, Budget(), tmp_path)  # type: ignore[arg-type]  # a row
    published = load_recipe("lsd-mt-emotieffnet")
    assert recipe.seed == 3
    assert recipe.model.input_px == 64
    assert [(s.epochs, s.optimizer) for s in recipe.stages] == [(s.epochs, s.optimizer) for s in published.stages]
    assert [s.batch for s in recipe.stages] == [16, 16]
    rates = [1e-3, 1e-3] if row.start == "imagenet" else [1e-3, 1e-4]  # type: ignore[attr-defined]
    assert [s.peak_lr for s in recipe.stages] == rates
    assert recipe.losses == published.losses
    (source,) = recipe.data.sources
    assert source.upscale == ""  # the images of the folder are large already


def test_the_multi_task_net_trains_its_own_tasks() -> None:
    recipe = pretrain_recipe(Budget(pretrain_epochs=(1, 2)))
    assert recipe.tasks == load_recipe("mt-emotieffnet").tasks
    assert [stage.epochs for stage in recipe.stages] == [1, 2]
    assert [stage.freeze_backbone for stage in recipe.stages] == [True, False]
