# SPDX-License-Identifier: Apache-2.0
"""Finished rows are kept, another budget becomes the table's, and the command line sets it."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.results.fill import fill_table, load_budget, main
from benchmarks.results.plan import BUDGET, Budget, list_rows, own_recipe
from benchmarks.results.records import Cost, Record, Records, Trained, load_records, save_records
from benchmarks.results.train_row import MEASURES, Run
from mien.core import ConfigError, DatasetError
from mien.training import ComputeSettings
from tests.helpers.results_rows import N_ROWS, trained, trained_run

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.results.fill.count_rows", lambda *_: N_ROWS)
    monkeypatch.setattr("benchmarks.results.fill.majority_metrics", lambda _: ())


def test_what_is_done_is_kept_and_other_rows_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch)
    page, seen = tmp_path / "results.md", []

    def train(run: Run, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append(run.recipe.name.partition("-48px")[0])
        if seen[-1] == "ddamfn":
            raise ConfigError("too small")
        if seen[-1] == "mtanet":
            raise KeyboardInterrupt
        return trained_run(run)

    names = ("mobilenet", "ddamfn", "expr-cnn-2020")
    failures = fill_table(tmp_path, tmp_path, page, names=names, passes=("train",), seeds=(1,), train=train)
    assert failures == {"ddamfn": "too small"}
    assert seen == list(names)
    text = page.read_text("utf-8")
    assert "| `mobilenet` (mobilenetv1_100) | 48 | 28,000 | 1 | 1 to 2 | 0.500<br>0.400 to 0.600 |" in text
    assert "| 1.5 |" in text
    assert "| `mobilenet` (mobilenetv1_100) | accuracy 0.6471 (AffectNet validation, 7 classes)" in text
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        fill_table(tmp_path, tmp_path, page, names=("mobilenet", "mtanet"), passes=("train",), seeds=(1,), train=train)
    assert seen == ["mtanet"]  # mobilenet was there
    assert load_records(tmp_path / "results.json")["mobilenet"] == Record(trained=trained(list_rows()["mobilenet"]))
    page.unlink()
    fill_table(tmp_path, tmp_path, page, passes=("page",), train=train)
    assert page.read_text("utf-8") == text  # written again from the records, without training
    seen.clear()


def test_a_larger_budget_is_the_tables_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch)
    page, seen = tmp_path / "results.md", []

    def train(run: Run, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append((run.recipe.name, run.recipe.model.input_px))
        return trained_run(run)

    names, large = ("mobilenet", "ddamfn"), Budget(images=100_000, size_px=112, batch=64)
    fill_table(tmp_path, tmp_path, page, names=names, passes=("train",), seeds=(1,), train=train)
    assert load_budget(page) == BUDGET
    assert "older" not in page.read_text("utf-8")
    fill_table(tmp_path, tmp_path, page, names=names[:1], passes=("train",), seeds=(1,), train=train, budget=large)
    assert load_budget(page) == large
    text = page.read_text("utf-8")
    assert "100,000 gray FER+ training faces (repetitions counted) at 112 px" in text
    assert "| `mobilenet` (mobilenetv1_100) | 112 | 100,000 |" in text
    assert "| 48 | 28,000, *older* | 1 | - | 0.500" in text  # the other row stays until it is trained anew
    assert "--rows ddamfn --only train`" in text
    assert "small budget" not in text
    fill_table(
        tmp_path, tmp_path, page, names=names, passes=("train",), seeds=(1,), train=train
    )  # no budget is named: the table's
    assert [px for _, px in seen] == [48, 48, 112, 112]
    assert [name.partition("-")[0] for name, _ in seen] == ["mobilenet", "ddamfn"] * 2
    assert "older" not in page.read_text("utf-8")


def test_the_command_line_changes_the_budget(tmp_path: Path) -> None:
    page = tmp_path / "r.md"
    arguments = [*map(str, ["--data", tmp_path, "--work", tmp_path, "--page", page, "--only", "page"])]
    assert main([*arguments, "--images", "5000", "--size", "64"]) == 0
    assert main([*arguments, "--batch", "16"]) == 0
    assert load_budget(page) == Budget(images=5000, size_px=64, batch=16)


def test_without_data_nothing_is_tried(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        fill_table(tmp_path, tmp_path / "work", tmp_path / "results.md", names=("mobilenet",))
    with pytest.raises(ConfigError, match="no passes"):
        fill_table(tmp_path, tmp_path, tmp_path / "results.md", passes=("trian",))


def test_the_command_line_says_what_is_missing(tmp_path: Path) -> None:
    arguments = [*map(str, ["--data", tmp_path, "--work", tmp_path, "--page", tmp_path / "r.md", "--only", "page"])]
    with pytest.raises(ConfigError):
        main([*arguments, "--rows", "resnet"])
    assert main(arguments) == 0
    assert "not yet run" in (tmp_path / "r.md").read_text("utf-8")


def test_seeds_and_own_recipes_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch)
    page, seen = tmp_path / "results.md", []

    def train(run: Run, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append((run.recipe.name, run.recipe.seed, run.n_faces))
        return trained_run(run, value=0.5 + 0.02 * run.recipe.seed)

    for _ in range(2):
        names, passes = ("mtanet", "ddamfn-norm-act"), ("train", "own")
        assert fill_table(tmp_path, tmp_path, page, names=names, passes=passes, seeds=(1, 2, 3), train=train) == {}
    assert [seed for _, seed, _ in seen] == [1, 1, 2, 2, 3, 3, 1]
    assert seen[-1] == ("mtanet-own-48px-28000", 1, 1400)  # 20 epochs of 1,400 faces
    assert len({name for name, _, _ in seen}) == len(seen)  # each has a folder of its own
    text = page.read_text("utf-8")
    # The mean of three seeds, from the lowest to the highest end.
    assert "| `mtanet` (seresnet50) | 48 | 28,000 | 3 | 1 to 2 | 0.540<br>0.420 to 0.660 |" in text
    assert "| `mtanet` by its own recipe | 48 | 28,000 | 1 | - | 0.520<br>0.420 to 0.620 |" in text
    assert "| `mobilenet` by its own recipe |" not in text
    assert "Own recipes not yet run: `co-teaching`, `ddamfn`" in text
    assert "- `mien-light`: auxiliary_rows, pseudo_labels, self_distillation, which use other data or networks" in text
    assert own_recipe(list_rows()["ddamfn-norm-act"], BUDGET) is None


def test_all_rows_are_those_that_the_table_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch)
    page, seen = tmp_path / "results.md", []

    def train(run: Run, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append(run.recipe.name)
        return trained_run(run)

    records = Records().with_row("co-teaching", as_trained=Cost(size_px=48, parameters=1, gflop=1.4, onnx_mb=1.0))
    save_records(tmp_path / "results.json", records.with_row("a-network-of-old", trained=None))
    fill_table(tmp_path, tmp_path, page, passes=("train",), seeds=(1,), train=train)
    assert "mobilenet-48px-28000" in seen
    assert "mobilenet-10k-112px" in seen
    assert not {"co-teaching-48px-28000", "mien-points-48px-28000"} & set(seen)
    assert "a-network-of-old" not in load_records(tmp_path / "results.json").rows
    fill_table(tmp_path, tmp_path, page, names=("noisyfer",), passes=("train",), seeds=(1,), train=train)
    assert seen[-1] == "co-teaching-48px-28000"  # named, so it is trained


@pytest.mark.slow
def test_a_row_from_faces_to_figures(shared_data: Path, tmp_path: Path) -> None:
    budget, page = Budget(images=640, size_px=32), tmp_path / "results.md"
    machine = ComputeSettings(threads=2, cache=tmp_path / "cache")
    failures = fill_table(shared_data, tmp_path, page, budget=budget, names=("expr-cnn-2020",), machine=machine)
    assert failures == {}
    record = load_records(tmp_path / "results.json")["expr-cnn-2020"]
    assert record.trained
    assert {figure.name for figure in record.trained.metrics} == set(MEASURES)
    parts = [record.trained.metric(name) for name in ("CCC valence", "CCC arousal", "macro F1, plurality")]
    v, a, f1 = [part.value for part in parts if part]
    units, total = record.trained.metric("mean AU F1 against the teacher"), record.trained.metric("P_MTL")
    assert units
    assert total
    assert total.value == pytest.approx((v + a) / 2 + f1 + units.value, abs=2e-4)
    assert record.trained.parity < 1e-4
