# SPDX-License-Identifier: Apache-2.0
"""The experiment on regression with detection: systems, measures, verdicts, and a run on a few figures."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.claims import regression_detection as experiment
from benchmarks.systems.gains import Gain
from mien.training.data.training_set import TrainingSet
from tests.helpers.synthetic_data import create_landmark_samples

JOINTS, FACES = experiment.EXPERIMENTS


@pytest.mark.parametrize("chosen", experiment.EXPERIMENTS)
def test_systems_differ_in_detection_and_see_as_many_pictures(chosen: experiment.Experiment) -> None:
    alone, both, after = (
        experiment.system_recipe(chosen, system, seed=3, rows=64, epochs=4) for system in experiment.SYSTEMS
    )
    assert set(both.tasks) - set(alone.tasks) == {chosen.parts}
    assert set(after.tasks) == set(both.tasks)
    assert [sum(stage.epochs for stage in recipe.stages) for recipe in (alone, both, after)] == [4, 4, 4]
    assert after.stages[0].tasks == (chosen.parts,)
    assert chosen.points in after.stages[1].tasks
    assert chosen.parts not in after.stages[1].tasks
    if experiment.LIGHT in chosen.systems:
        light = experiment.system_recipe(chosen, experiment.LIGHT, seed=3, rows=64, epochs=4)
        assert light.losses[chosen.parts].weight == 0.01 * both.losses[chosen.parts].weight
        assert (light.heads, light.stages) == (both.heads, both.stages)
    for recipe in (both, after):
        assert recipe.losses[chosen.points] == alone.losses[chosen.points]
        assert (recipe.model, recipe.augmentation, recipe.seed) == (alone.model, alone.augmentation, 3)


def test_measures_of_exact_and_shifted_points() -> None:
    samples = create_landmark_samples(3)
    assert isinstance(samples, TrainingSet)
    truth = samples.targets["landmarks"]
    record = experiment.load_source  # records are those of real sets; one that is not FairFace counts as LFW
    assert callable(record)
    moved = truth.reshape(3, -1, 2) + np.array([0.03, 0.0], np.float32)
    found = experiment.measures(FACES, moved.reshape(3, -1), truth, _with_record(samples))
    np.testing.assert_allclose(found["landmark error"], 0.03 / 0.3, atol=1e-5)  # the eyes are 0.3 apart
    np.testing.assert_allclose(found["LFW"], 0.1, atol=1e-5)
    assert np.isnan(found["FairFace"]).all()


def _with_record(samples: TrainingSet) -> TrainingSet:
    from dataclasses import replace

    from mien.training.data.open_sources import LFW

    return replace(samples, records=(LFW,))


def test_the_share_of_parts_in_their_best_window() -> None:
    logits = np.zeros((2, 8), np.float32)
    logits[:, 1] = logits[:, 4] = 1  # part 1 at the upper right, part 2 at the upper left
    centres = np.array([[0.75, 0.25, 0.25, 0.25], [0.75, 0.75, 0.25, 0.25]], np.float32)
    assert experiment.parts_found(logits, centres) == 0.75


def test_means_by_group_ignore_what_does_not_count() -> None:
    values, groups = np.array([1.0, 3.0, np.nan, 8.0]), np.array([0, 0, 1, 2])
    statistic = experiment.mean_by_group(values, groups)
    np.testing.assert_allclose(statistic(np.array([[1.0, 1, 1], [0, 5, 1], [2, 0, 1]])), [4.0, 8.0, 16 / 5])


@pytest.mark.parametrize(
    ("low", "high", "per_seed", "expected"),
    [
        (0.1, 0.3, (0.2, 0.1, 0.3), "supported"),
        (0.1, 0.3, (0.5, 0.3, -0.1), "undecided"),
        (-0.1, 0.3, (0.2, 0.1, 0.3), "undecided"),
        (-0.3, -0.1, (-0.2, 0.1, -0.3), "not supported"),
    ],
)
def test_verdicts(low: float, high: float, per_seed: tuple[float, ...], expected: str) -> None:
    gain = Gain(name="", value=0.0, low=low, high=high, per_seed=per_seed, n=1, before=0.0, after=0.0)
    assert experiment.verdict(gain) == expected


def test_a_small_run_resumes_and_completes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(experiment, "_SIZE_PX", 32)
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n" + experiment._MARKS[0] + experiment._MARKS[1] + "\nthe end\n")
    arguments = ["--data", tmp_path, "--work", tmp_path / "work", "--page", page, "--only", "joints"]
    arguments += ["--figures", 64, "--epochs", 2]
    assert experiment.main([str(part) for part in arguments]) == 0
    text = page.read_text()
    assert "| heterogeneous: PCP higher than with regression alone |" in text
    assert "`faces`: not run." in text
    assert text.endswith("the end\n")
    assert capsys.readouterr().out.count(", seed ") == 12
    assert "| light (added afterwards): PCP higher than with regression alone |" in text
    monkeypatch.setattr(experiment, "Trainer", lambda *_, **__: pytest.fail("trained twice"))
    assert experiment.main([str(part) for part in arguments]) == 0
