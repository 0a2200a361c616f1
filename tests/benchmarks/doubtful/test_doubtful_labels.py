# SPDX-License-Identifier: Apache-2.0
"""The experiments on a few faces: a run ends in a page, a second one trains nothing, claims have verdicts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.doubtful import doubtful_labels, doubtful_page, label_runs
from benchmarks.doubtful.doubtful_claims import CLAIMS
from benchmarks.doubtful.doubtful_page import claim_gain, statistics_of
from benchmarks.doubtful.label_nets import PARTS, Budget, System, n_samples, run_folder, system_recipe
from benchmarks.doubtful.label_runs import Run, train_system
from benchmarks.doubtful.label_sets import Experiment
from mien.training import load_recipe
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.method_settings import AdversarialSettings, CoTeachingSettings, MaskedMembersSettings
from mien.training.recipes.settings import DataSettings, SourceSettings
from tests.helpers.synthetic_data import create_recipe, create_samples

pytestmark = pytest.mark.filterwarnings("default")

SMALL = Budget(
    faces=16,
    digits=16,
    epochs=1,
    more_faces=24,
    more_epochs=2,
    partial_epochs=1,
    digit_epochs=1,
    batch=8,
    pretext_faces=16,
    pretext_epochs=1,
    hidden=8,
)
PART = {part.name: part for part in PARTS}


def made_samples(_data: Path, _budget: Budget, seed: int) -> Experiment:
    recipe = create_recipe(data=DataSettings(sources=(SourceSettings(name="open-ferplus"),)))
    return Experiment(train=create_samples(20, recipe, seed), test=create_samples(12, recipe, 99), facts=("made",))


def test_claims_are_about_systems_and_measures_that_exist() -> None:
    assert {claim.part for claim in CLAIMS} == set(PART)
    for claim in CLAIMS:
        names = {system.name for system in PART[claim.part].systems}
        assert {claim.better, claim.other} <= names, claim
        assert claim.measure in doubtful_page._measures(PART[claim.part]), claim
    assert len({claim.claim for claim in CLAIMS}) == len(CLAIMS)


def test_every_system_is_the_papers_recipe_but_for_the_budget(tmp_path: Path) -> None:
    for part in PARTS:
        for system in part.systems:
            if system.members:
                continue
            recipe = system_recipe(part, system, 2, SMALL, tmp_path)
            published = load_recipe(system.recipe)
            assert recipe.optimizer == published.optimizer
            assert set(recipe.tasks) <= set(published.tasks)
            assert all(stage.keep == "last" for stage in recipe.stages), system.name
            assert {stage.batch for stage in recipe.stages} == {8}
            assert "affect_teacher" not in str(recipe)
    votes = {system.name: system_recipe(PART["votes"], system, 1, SMALL, tmp_path) for system in PART["votes"].systems}
    assert votes["plain"].stages[0].method is None
    assert votes["noisyfer"].stages[0].method == AdversarialSettings(weight=0.4, channels=8)
    assert votes["co-teaching"].stages[0].method == CoTeachingSettings(forget_rate=0.25)
    assert votes["smoothing"].losses["expression"].options == {"label_smoothing": 0.1}
    assert votes["noisyfer, single"].tasks == ("expression",)
    more = {
        system.name: system_recipe(PART["more votes"], system, 1, SMALL, tmp_path)
        for system in PART["more votes"].systems
    }
    assert list(more) == ["plain", "smoothing", "co-teaching", "noisyfer"]
    for name, recipe in more.items():
        stages = tuple(dataclasses.replace(stage, epochs=1) for stage in recipe.stages)
        assert dataclasses.replace(recipe, stages=stages) == votes[name]
        assert [stage.epochs for stage in recipe.stages] == [2]
    cotex = system_recipe(PART["transformers"], PART["transformers"].named("cotex"), 1, SMALL, tmp_path)
    assert cotex.stages[0].method == MaskedMembersSettings(mask_ratio=0.5)
    assert cotex.model.options["members"] == 2


def test_systems_start_from_others_and_means_are_of_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_runs, "unlabelled_faces", lambda *_: made_samples(tmp_path, SMALL, 5).train)
    monkeypatch.setattr(label_runs, "samples_of", lambda _part, data, budget, seed: made_samples(data, budget, seed))
    thirds, vits = PART["thirds"], PART["transformers"]
    for part, names in ((thirds, ("teacher", "student 1", "student 2", "students")), (vits, ("pretext", "cotex"))):
        for name in names:
            train_system(part, part.named(name), 1, SMALL, tmp_path, tmp_path)
    runs = [
        label_runs.load_run(thirds, thirds.named(name), 1, tmp_path) for name in ("student 1", "student 2", "students")
    ]
    one, two, both = (run.outputs for run in runs if run is not None)
    units = [1 / (1 + np.exp(-values["action_units"])) for values in (one, two)]
    assert both["action_units"] == pytest.approx(np.mean(units, axis=0) - 0.5, abs=1e-6)
    assert both["expression"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    folders = [
        run_folder(part, part.named(name), 1, tmp_path) for part, name in ((thirds, "teacher"), (vits, "pretext"))
    ]
    assert all((folder / "checkpoint.pt").is_file() for folder in folders)
    assert not (run_folder(vits, vits.named("cotex"), 1, tmp_path) / "checkpoint.pt").is_file()


def test_a_run_ends_in_a_page_and_a_second_one_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = dataclasses.replace(
        PART["thirds"],
        systems=tuple(PART["thirds"].named(name) for name in ("plain", "teacher")),
        samples=made_samples,
    )
    label_runs.samples_of.cache_clear()
    for module in (doubtful_labels, doubtful_page, label_runs):
        monkeypatch.setattr(module, "PARTS", (part,))
    claims = tuple(one for one in CLAIMS if (one.part, one.better, one.other) == ("thirds", "teacher", "plain"))
    monkeypatch.setattr(doubtful_page, "CLAIMS", claims)
    monkeypatch.setattr(doubtful_labels, "Budget", lambda: SMALL)
    arguments = ["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--page", str(tmp_path / "page.md")]
    assert doubtful_labels.main(arguments) == 0
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "## Two thirds of every label set hidden" in page
    assert "1 claims" in page
    assert "| teacher | `balancing-teacher` | none | 3 |" in page
    monkeypatch.setattr(label_runs, "Trainer", lambda *_, **__: pytest.fail("trained twice"))
    assert doubtful_labels.main(arguments) == 0
    assert (tmp_path / "page.md").read_text("utf-8") == page
    label_runs.samples_of.cache_clear()


def test_a_gain_is_paired_over_faces_and_needs_every_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.eye(8, dtype=np.float32)[np.arange(400) % 8]
    test = TrainingSet(
        groups=tuple(map(str, range(400))),
        inputs=np.zeros((400, 1), np.float32),
        targets={"expression": truth},
        labels={"expression": tuple("abcdefgh")},
        keypoints=np.full((400, 5, 2), np.nan, np.float32),
        primary=np.ones(400, bool),
    )
    monkeypatch.setattr(doubtful_page, "samples_of", lambda *_: Experiment(train=test, test=test))
    wrong = np.roll(truth, 1, axis=1)
    good = [Run({"expression": np.where(np.arange(400)[:, None] < 300 + seed, truth, wrong)}, 1.0) for seed in range(3)]
    poor = [Run({"expression": np.where(np.arange(400)[:, None] < 200 + seed, truth, wrong)}, 1.0) for seed in range(3)]
    claim = next(one for one in CLAIMS if one.better == "noisyfer" and one.other == "plain" and one.part == "votes")
    gain = claim_gain(claim, {"noisyfer": [*good], "plain": [*poor]}, tmp_path, SMALL)
    assert gain is not None
    assert gain.per_seed == pytest.approx((0.25, 0.25, 0.25))
    assert (gain.n, claim.verdict(gain)) == (400, "supported")
    turned = claim_gain(claim, {"noisyfer": [*poor], "plain": [*good]}, tmp_path, SMALL)
    assert claim.verdict(turned) == "not supported"
    two = claim_gain(claim, {"noisyfer": [*good[:2], None], "plain": [*poor]}, tmp_path, SMALL)
    assert claim.verdict(two) == "undecided"
    assert claim_gain(claim, {"noisyfer": [None] * 3, "plain": [*poor]}, tmp_path, SMALL) is None
    assert claim.verdict(None) == "not run"


def test_the_joint_measure_is_the_sum_of_its_parts() -> None:
    samples = made_samples(Path(), SMALL, 1).test
    rng = np.random.default_rng(0)
    outputs = {task: rng.normal(size=values.shape).astype(np.float32) for task, values in samples.targets.items()}
    known = {task: np.nan_to_num(values) for task, values in samples.targets.items()}
    found = statistics_of(dataclasses.replace(samples, targets=known), Run(outputs, 1.0))
    once = np.ones((1, len(samples)))
    parts = [float(found[name](once)[0]) for name in ("macro F1", "P_VA", "P_AU")]
    assert float(found["P_MTL"](once)[0]) == pytest.approx(sum(parts))


def test_the_enlarged_experiments_repeat_others_with_more_faces(tmp_path: Path) -> None:
    for name in ("votes", "halves", "thirds"):
        part, more = PART[name], PART[f"more {name}"]
        assert more.systems == part.systems[: len(more.systems)]
        assert (n_samples(part, SMALL), n_samples(more, SMALL)) == (16, 24)
        for system in more.systems:
            if not system.members:
                own = system_recipe(more, system, 1, SMALL, tmp_path)
                assert {stage.epochs for stage in own.stages} == {2}, system.name
        claims = {(claim.better, claim.other, claim.measure, claim.rule) for claim in CLAIMS if claim.part == name}
        repeated = [claim for claim in CLAIMS if claim.part == f"more {name}"]
        assert {(claim.better, claim.other, claim.measure, claim.rule) for claim in repeated} <= claims
        assert len(repeated) == {"votes": 3, "halves": 8, "thirds": 5}[name]


def test_names_of_folders_have_no_spaces(tmp_path: Path) -> None:
    system = System(name="noisyfer, single", recipe="noisyfer")
    assert (
        run_folder(PART["digits 0.2"], system, 3, tmp_path).relative_to(tmp_path).as_posix()
        == "digits-0.2/noisyfer-single/3"
    )
