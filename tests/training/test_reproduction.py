# SPDX-License-Identifier: Apache-2.0
"""The table of results: every network has a row, all one budget, and what is done is neither lost nor done again."""

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.cli.main import mien
from mien.core import ConfigError, DatasetError, MetricValue
from mien.training import list_recipes, load_recipe
from mien.training.reproduction import BUDGET, Budget, Row, list_rows, load_budget, reproduce
from mien.training.reproduction.cost import create_untrained, measure_cost
from mien.training.reproduction.page import write_page
from mien.training.reproduction.plan import choose_rows, trained_name, under_budget
from mien.training.reproduction.records import Record, Records, Trained, load_records, save_records
from mien.training.reproduction.train import MEASURES, digest
from mien.training.run import ComputeSettings

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

N_ROWS = 28_000


def trained(row: Row, budget: Budget = BUDGET, n_rows: int = N_ROWS) -> Trained:
    """A row whose every figure is .5."""
    figures = tuple(
        MetricValue(measure=name, data="FER+ valid", n=3555, value=0.5, low=0.4, high=0.6, command="")
        for name in MEASURES
    )
    return Trained(
        digest=digest(under_budget(row, budget, n_rows), n_rows),
        images=budget.images,
        epochs=1,
        size_px=budget.size_px,
        seconds=60.0,
        cpu_seconds=90.0,
        device="cpu",
        threads=2,
        provenance="some day",
        parity=1e-6,
        figures=figures,
        recipe=trained_name(row, budget),
    )


def test_every_network_has_one_row() -> None:
    rows = list_rows()
    with_pixels = [name for name in list_recipes() if load_recipe(name).model.backbone]
    assert sorted(recipe for name in rows for recipe in rows[name].recipes) == with_pixels
    assert rows["emotieffnet-b0"].recipes == ("emotieffnet-b0", "mt-emotieffnet")
    assert rows["ddamfn"].recipes == ("ddamfn", "mt-ddamfn")
    assert rows["ddamfn-norm-act"].recipe.model.options["norm_act"] is True
    assert rows["mien-light-imagenet"].start == "imagenet"
    assert [row.name for row in choose_rows(["mt-ddamfn", "mobilenet"])] == ["ddamfn", "mobilenet"]
    assert [row.name for row in choose_rows(["ddamfn", "mt-ddamfn"])] == ["ddamfn"]
    with pytest.raises(ConfigError, match=r"no rows \['mobilnet'\]; known are \['ddamfn'"):
        choose_rows(["mobilnet"])


def test_one_budget_for_all() -> None:
    rows = [list_rows()[name] for name in list_rows()]
    recipes = [under_budget(row, BUDGET, N_ROWS) for row in rows]
    shared = {repr(dataclasses.replace(recipe, name="", model=recipes[0].model)) for recipe in recipes}
    assert len(shared) == 1
    for row, recipe in zip(rows, recipes, strict=True):
        kept = dataclasses.replace(row.recipe.model, input_px=BUDGET.size_px, start=row.start)
        assert recipe.model == kept  # the network is the recipe's, but for size and start
        assert (recipe.model.start == "scratch") is (row.name != "mien-light-imagenet")


@pytest.mark.parametrize(
    ("images", "expected"), [(28_000, (1, 28_000)), (28_558, (1, 28_558)), (100_000, (4, 25_000)), (320, (1, 320))]
)
def test_images_become_epochs(images: int, expected: tuple[int, int]) -> None:
    assert Budget(images=images).epochs(28_558) == expected


def test_a_budget_of_less_than_a_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="less than one step"):
        Budget(images=10)


def test_published_figures_name_their_data() -> None:
    rows = list_rows()
    figures = [figure for name in rows for _, figure in rows[name].published]
    assert len(figures) >= 20
    assert all("FER+" not in figure.data and figure.data for figure in figures)
    page = write_page(rows, Records())
    assert "`mt-emotieffnet`: accuracy 0.6193 (AffectNet validation, 8 classes)" in page
    assert page.count("| not yet run |") == len(rows)
    assert all(f"--rows {name}`" in page for name in rows)


def test_what_is_done_is_kept_and_other_rows_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.training.reproduction.fill.count_rows", lambda *_: N_ROWS)
    page, seen = tmp_path / "results.md", []

    def train(row: Row, budget: Budget, n_rows: int, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append(row.name)
        if row.name == "ddamfn":
            raise ConfigError("too small")
        if row.name == "mtanet":
            raise KeyboardInterrupt
        return trained(row, budget, n_rows)

    names = ("mobilenet", "ddamfn", "expr-cnn-2020")
    failures = reproduce(tmp_path, tmp_path, page, names=names, passes=("train",), train=train)
    assert failures == {"ddamfn": "too small"}
    assert seen == list(names)
    text = page.read_text("utf-8")
    assert "| `mobilenet` (mobilenetv1_100) | 48 | 28,000 | 0.500<br>0.400 to 0.600 |" in text
    assert "| 1.5 | accuracy 0.6471 (AffectNet validation, 7 classes)" in text
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        reproduce(tmp_path, tmp_path, page, names=("mobilenet", "mtanet"), passes=("train",), train=train)
    assert seen == ["mtanet"]  # mobilenet was there
    assert load_records(tmp_path / "results.json")["mobilenet"] == Record(trained=trained(list_rows()["mobilenet"]))
    page.unlink()
    reproduce(tmp_path, tmp_path, page, passes=("page",), train=train)
    assert page.read_text("utf-8") == text  # written again from the records, without training
    seen.clear()


def test_a_larger_budget_is_the_tables_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.training.reproduction.fill.count_rows", lambda *_: N_ROWS)
    page, seen = tmp_path / "results.md", []

    def train(row: Row, budget: Budget, n_rows: int, data: Path, work: Path, machine: ComputeSettings) -> Trained:
        del data, work, machine
        seen.append((row.name, budget))
        return trained(row, budget, n_rows)

    names, large = ("mobilenet", "ddamfn"), Budget(images=100_000, size_px=112, batch=64)
    reproduce(tmp_path, tmp_path, page, names=names, passes=("train",), train=train)
    assert load_budget(page) == BUDGET
    assert "older" not in page.read_text("utf-8")
    reproduce(tmp_path, tmp_path, page, names=names[:1], passes=("train",), train=train, budget=large)
    assert load_budget(page) == large
    text = page.read_text("utf-8")
    assert "100,000 gray FER+ training faces (repetitions counted) at 112 px" in text
    assert "| `mobilenet` (mobilenetv1_100) | 112 | 100,000 |" in text
    assert "| 48 | 28,000, *older* | 0.500" in text  # the other row stays until it is trained anew
    assert "--rows ddamfn --only train`" in text
    assert "small budget" not in text
    reproduce(tmp_path, tmp_path, page, names=names, passes=("train",), train=train)  # no budget is named: the table's
    assert seen == [("mobilenet", BUDGET), ("ddamfn", BUDGET), ("mobilenet", large), ("ddamfn", large)]
    assert "older" not in page.read_text("utf-8")


def test_rows_of_before_their_network_began_otherwise_are_marked(tmp_path: Path) -> None:
    rows = list_rows()
    kept = dataclasses.replace(trained(rows["ddamfn"]), recipe="")  # as records were before rows had names
    same = dataclasses.replace(trained(rows["mobilenet"]), recipe="")
    records = Records().with_row("ddamfn", trained=kept).with_row("mobilenet", trained=same)
    save_records(tmp_path / "results.json", records)
    page = write_page(rows, load_records(tmp_path / "results.json"))
    assert page.count("*older*") == 2  # the row and what is said of it
    assert "| 48 | 28,000, *older* |" in page
    assert "--rows ddamfn --only train`" in page
    names = {trained_name(rows["ddamfn"], budget) for budget in (BUDGET, Budget(batch=64), Budget(size_px=112))}
    assert len(names) == 3  # each has a folder of its own: checkpoints of one are not those of another


def test_the_command_line_changes_the_budget(tmp_path: Path) -> None:
    page = tmp_path / "r.md"
    arguments = ["reproduce", "--data", tmp_path, "--work", tmp_path, "--page", page, "--only", "page"]
    assert CliRunner().invoke(mien, [*map(str, arguments), "--images", "5000", "--size", "64"]).exit_code == 0
    assert CliRunner().invoke(mien, [*map(str, arguments), "--batch", "16"]).exit_code == 0
    assert load_budget(page) == Budget(images=5000, size_px=64, batch=16)


def test_a_missed_parity_is_told() -> None:
    rows = list_rows()
    close = trained(rows["mobilenet"])
    far = dataclasses.replace(close, parity=1.2e-4)
    assert "misses" not in write_page(rows, Records().with_row("mobilenet", trained=close))
    assert "as torch to 1.2e-04, which misses 1e-04" in write_page(rows, Records().with_row("mobilenet", trained=far))


def test_without_data_nothing_is_tried(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        reproduce(tmp_path, tmp_path / "work", tmp_path / "results.md", names=("mobilenet",))
    with pytest.raises(ConfigError, match="no passes"):
        reproduce(tmp_path, tmp_path, tmp_path / "results.md", passes=("trian",))


@pytest.mark.parametrize(
    ("content", "message"), [("{", "JSON"), ('{"layout": 9}', "layout 9"), ('{"row": {}}', "unknown keys")]
)
def test_strange_records_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_records(path)


def test_cost_by_hand(tmp_path: Path) -> None:
    row = list_rows()["expr-cnn-2020"]
    recipe = under_budget(row, Budget(size_px=32), N_ROWS)
    graph = tmp_path / "graphs" / "cnn.onnx"
    cost = measure_cost(recipe, graph, threads=1)
    # Four stages of a 3x1 and a 1x3 convolution, then dense layers; 8 + 2 + 15 outputs.
    widths = [(1, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4)]
    macs = sum((n_in * n_out + n_out * n_out) * 3 * side * side for n_in, n_out, side in widths)
    macs += 512 * 2 * 2 * 512 + 512 * 256 + 256 * 25
    assert cost.gflop == pytest.approx(2 * macs / 1e9, abs=1e-4)
    assert cost.parameters == sum(p.numel() for p in create_untrained(recipe).parameters())
    assert cost.onnx_mb == pytest.approx(4 * cost.parameters / 1e6, rel=0.05)
    assert {(speed.runtime, speed.batch) for speed in cost.speeds} >= {("onnxruntime", 1), ("onnxruntime", 16)}
    assert all(speed.ms > 0 for speed in cost.speeds)
    save_records(tmp_path / "results.json", Records().with_row(row.name, as_trained=cost))
    records = load_records(tmp_path / "results.json")
    assert records[row.name].as_trained == cost
    assert f"| `expr-cnn-2020` | 32 | {cost.parameters:,} |" in write_page(list_rows(), records)
    written = graph.stat().st_mtime_ns
    measure_cost(recipe, graph, threads=1)
    assert graph.stat().st_mtime_ns == written  # exported once


def test_the_command_line_says_what_is_missing(tmp_path: Path) -> None:
    arguments = ["reproduce", "--data", tmp_path, "--work", tmp_path, "--page", tmp_path / "r.md", "--rows", "resnet"]
    done = CliRunner().invoke(mien, [*map(str, arguments), "--only", "page"])
    assert isinstance(done.exception, ConfigError)
    done = CliRunner().invoke(mien, [*map(str, arguments[:-2]), "--only", "page"])
    assert done.exit_code == 0, done.output
    assert "not yet run" in (tmp_path / "r.md").read_text("utf-8")


@pytest.mark.slow
def test_a_row_from_faces_to_figures(shared_data: Path, tmp_path: Path) -> None:
    budget, page = Budget(images=640, size_px=32), tmp_path / "results.md"
    machine = ComputeSettings(threads=2, cache=tmp_path / "cache")
    failures = reproduce(shared_data, tmp_path, page, budget=budget, names=("expr-cnn-2020",), machine=machine)
    assert failures == {}
    record = load_records(tmp_path / "results.json")["expr-cnn-2020"]
    assert record.trained
    assert {figure.measure for figure in record.trained.metrics} == set(MEASURES)
    parts = [record.trained.figure(name) for name in ("CCC valence", "CCC arousal", "macro F1, plurality")]
    v, a, f1 = [part.value for part in parts if part]
    units, total = record.trained.figure("mean AU F1 against the teacher"), record.trained.figure("P_MTL")
    assert units
    assert total
    assert total.value == pytest.approx((v + a) / 2 + f1 + units.value, abs=2e-4)
    assert record.trained.parity < 1e-4
