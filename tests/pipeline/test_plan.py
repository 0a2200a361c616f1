# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from mien.core import ConfigError
from mien.pipeline.plan import make_plan


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return paths


def tables(inputs: list[Path], out: Path | str) -> list[str]:
    return [plan.table.name for plan in make_plan(inputs, out).tables]


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl", ".ndjson", ".CSV"])
def test_a_table_ending_is_one_table_for_everything(tmp_path: Path, ending: str) -> None:
    inputs = touch(tmp_path, "b.mp4", "a.jpg")
    plan = make_plan(inputs, tmp_path / f"all{ending}")
    assert [each.table.name for each in plan.tables] == [f"all{ending}"]
    assert [media.path for media in plan.tables[0].inputs] == inputs


@pytest.mark.parametrize("out", ["results", "run.2026/", "there.csv"])
def test_folders_get_a_table_per_input(tmp_path: Path, out: str) -> None:
    (tmp_path / "there.csv").mkdir()
    plan = make_plan(touch(tmp_path, "a.mp4", "b.jpg"), f"{tmp_path}/{out}")
    assert [each.table for each in plan.tables] == [tmp_path / out / "a.parquet", tmp_path / out / "b.parquet"]


@pytest.mark.parametrize("names", [["a.mp4"], ["a.mp4", "b.mp4"], []])
def test_other_endings_are_refused_before_inputs_are_looked_for(tmp_path: Path, names: list[str]) -> None:
    inputs = touch(tmp_path, *names) or [tmp_path / "missing.mp4"]
    with pytest.raises(ConfigError, match=r"table\.xlsx: a table ends in one of .parquet, .*write .*table\.xlsx/"):
        make_plan(inputs, tmp_path / "table.xlsx")


def test_no_input_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no input given"):
        make_plan([], tmp_path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.mp4", "b.mp4"], ["a", "b"]),
        (["a.mp4", "a.jpg"], ["a.mp4", "a.jpg"]),
        (["x/a.mp4", "y/a.mp4"], ["x_a.mp4", "y_a.mp4"]),
        (["x/A.mp4", "y/a.mp4"], ["x_A.mp4", "y_a.mp4"]),
        (["x/Ame\u0301lie.mp4", "y/Am\u00e9lie.mp4"], ["x_Ame\u0301lie.mp4", "y_Am\u00e9lie.mp4"]),
        (["a.mp4", "a.jpg", "a.mp4.png"], ["a.mp4", "a.jpg", "a.mp4.png"]),
    ],
)
def test_tables_are_named_after_inputs(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    assert tables(touch(tmp_path, *names), tmp_path) == [f"{name}.parquet" for name in expected]


def test_no_two_inputs_share_a_table(tmp_path: Path) -> None:
    names = ["a/b/c.mp4", "a_b/c.mp4", "x/b/c.mp4", "x_b/c.mp4", "b/c.mp4", "b_c.mp4", "a/b_c.mp4", "C.MP4"]
    found = tables(touch(tmp_path, *names), tmp_path)
    assert len({name.casefold() for name in found}) == len(names)


def test_one_file_by_two_names_is_one_input(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.mp4")
    (tmp_path / "sub").mkdir()
    plan = make_plan([path, tmp_path / "sub" / ".." / "a.mp4", tmp_path / "*.mp4"], tmp_path)
    assert plan.n_named == 1


def test_names_that_nothing_answers_to_do_not_stop_the_others(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.mp4")
    plan = make_plan([tmp_path / "gone.mp4", path, tmp_path / "*.png"], tmp_path)
    assert [media.path for media in plan.inputs] == [path]
    assert [Path(failure.path).name for failure in plan.failures] == ["gone.mp4", "*.png"]
    assert "gone.mp4: no such file or folder" in plan.failures[0].reason
    assert plan.n_named == 3


def test_a_camera_has_a_table(tmp_path: Path) -> None:
    assert tables(["0"], tmp_path) == ["camera-0.parquet"]  # type: ignore[list-item]  # a number is a name too
