# SPDX-License-Identifier: Apache-2.0
"""The report on weak labels: paired by seed, each claim with its verdict."""

from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.claims.multimodal import _METRICS, recipe_for, report
from benchmarks.claims.verdicts import KeptResults


def filled(path: Path) -> KeptResults:
    """Results of two seeds in which the weak system is 0.1 better than the strong, and that than the single ones."""
    kept = KeptResults(path)
    emotion, sarcasm = (_METRICS[task] for task in ("emotion", "sarcasm"))
    for seed in (1, 2):
        base = 0.3 + 0.01 * seed
        found = {"single emotion": dict.fromkeys(emotion, base), "single sentiment": {"sentiment Pearson": base}}
        found["single sarcasm"] = dict.fromkeys(sarcasm, base)
        for name, more in (("strong", 0.1), ("weak", 0.2)):
            found[name] = dict.fromkeys((*emotion, "sentiment Pearson", *sarcasm), base + more + 0.001 * seed)
        for number, name in enumerate(("text alone", "late fusion", "early fusion")):
            found[f"planted, {name}"] = dict.fromkeys(emotion, base + number * (1 + seed))
        for name, metrics in found.items():
            kept.get(f"{name}, seed {seed}", partial(dict, metrics))
    return kept


def test_claims_follow_from_the_paired_differences(tmp_path: Path) -> None:
    lines = report(filled(tmp_path / "kept.json"), 2)
    verdicts = {line.split("|")[1].strip(): line.split("|")[3].strip() for line in lines if line.count("|") == 4}
    assert verdicts["multi-task on true labels beats single tasks"] == "supported"
    assert verdicts["weak labels beat true labels alone"] == "supported"
    assert verdicts["planted: late fusion beats early fusion"] != "supported"
    assert any("multi-task, weak" in line and "0.516" in line for line in lines)


def test_results_of_50_steps_have_a_table_once_all_seeds_are_there(tmp_path: Path) -> None:
    kept = filled(tmp_path / "kept.json")
    assert "50 steps, as published:" not in report(kept, 2)
    names = ("single emotion", "single sentiment", "single sarcasm", "strong", "weak")
    for seed in (1, 2):
        for name in names:
            metrics = {key: 1 - value for key, value in kept.get(f"{name}, seed {seed}", dict).items()}
            kept.get(f"{name}, seed {seed}, 50 steps", partial(dict, metrics))
    lines = report(kept, 2)
    later = lines[lines.index("50 steps, as published:") :]
    verdicts = [line.split("|")[3].strip() for line in later if line.startswith("| weak labels beat single tasks")]
    assert verdicts == ["not supported"]
    recipe = recipe_for(["emotion"], ["goemotions"], seed=1, epochs=1, steps=50)
    assert recipe.model.sequences is not None
    assert recipe.model.sequences.steps == 50


def test_recipes_have_the_tasks_and_sets_of_their_system() -> None:
    recipe = recipe_for(["emotion", "sarcasm"], ["goemotions", "mustard"], seed=7, epochs=3)
    assert recipe.tasks == ("emotion", "sarcasm")
    assert [source.folder for source in recipe.data.valid] == ["goemotions", "mustard"]
    assert recipe.model.sequences is not None
    assert [one.name for one in recipe.model.sequences.modalities] == ["text"]
    assert (recipe.seed, recipe.stages[0].epochs, recipe.stages[0].stop_after) == (7, 3, 4)
