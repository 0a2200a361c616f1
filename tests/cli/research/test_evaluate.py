# SPDX-License-Identifier: Apache-2.0
"""The command ``mien evaluate``: options, output and exit codes."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.affect import box_mean
from mien.cli.research.evaluate import evaluate
from mien.core import ConfigError
from mien.evaluation import (
    PROTOCOLS,
    TablePredictor,
    search_thresholds_on,
)
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS
from mien.metrics import p_va
from tests.helpers.scored_tables import table_faces, write_tables, write_va_tree

AU_HEADER = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


def test_raw_videos_are_evaluated_with_one_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, 40)
    predicted = np.clip(truth + rng.normal(scale=0.3, size=40), -1, 1)
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([value]) for value in predicted]})
    data = write_va_tree(tmp_path, {"v": truth})
    arguments = ["va", "--data", str(data), "--predictions", str(tables), "--smooth", "va=2", "--json"]
    result = CliRunner().invoke(evaluate, arguments)
    report = json.loads(result.output)
    smooth = box_mean(predicted.astype(np.float32), 2)
    expected = p_va(np.stack([truth] * 2, 1).astype(np.float32), np.stack([smooth] * 2, 1))
    assert report["metrics"][0]["value"] == pytest.approx(expected, abs=1e-6)
    assert report["predictor"] == "tables"
    assert "--smooth va=2" in report["command"]


def test_thresholds_are_tuned_beside_those_at_one_half(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, (80, 12))
    probabilities = 0.1 + 0.15 * truth + rng.uniform(0, 0.1, (80, 12))  # present is above .25, never above .5
    place = tmp_path / "AU_Detection_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    (place / "v.txt").write_text("\n".join([AU_HEADER, *(",".join(map(str, row)) for row in truth)]) + "\n")
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.0], units=row.tolist()) for row in probabilities]})
    found = search_thresholds_on("au", tmp_path, TablePredictor([tables]))
    assert found.mean_f1_at_half == 0
    assert found.mean_f1 > 0.85
    arguments = ["au", "--data", str(tmp_path), "--predictions", str(tables)]
    shown = CliRunner().invoke(evaluate, [*arguments, "--search-thresholds"]).output
    assert f"tuned on these rows  {found.mean_f1:.4f}  (at 0.5: 0.0000)" in shown
    assert shlex.join(["mien", "evaluate", *arguments, "--search-thresholds"]) in shown.splitlines()
    tuned = shown.splitlines()[-1].removeprefix("--thresholds ")
    scored = CliRunner().invoke(evaluate, [*arguments, "--thresholds", tuned, "--json"]).output
    assert json.loads(scored)["metrics"][0]["value"] == pytest.approx(found.mean_f1, abs=1e-9)
    with pytest.raises(ConfigError, match="au and mtl"):
        search_thresholds_on("va", write_va_tree(tmp_path, {"v": [0.1]}), TablePredictor([tables]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--smooth", "va=3"], "need the official crops"),
        (["--search-thresholds"], "needs folders of affect tables"),
        (["--predictions", "{tables}", "--model", "mien-light"], "need the official crops"),
        (["--predictions", "{tables}", "--thresholds", "expr=0.8"], "is for --confident"),
        (["--predictions", "{tables}", "--weights", "pose=1"], "weights are for va, expr, au"),
        (["--predictions", "{tables}", "--thresholds", "a"], "numbers and commas"),
    ],
)
def test_options_that_do_not_fit(options: list[str], message: str, tmp_path: Path, mien) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.1])]})
    data = write_va_tree(tmp_path, {"v": [0.1]})
    given = [option.format(tables=tables) for option in options]
    ended = mien("evaluate", "va", "--data", data, *given)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())


def _write(path: Path, form: str, rows: list[str]) -> Path:
    path.write_text("\n".join([PREDICTION_FORMATS[form].header_line, *rows]) + "\n")
    return path


def _va_tree(folder: Path, videos: dict[str, list[tuple[float, float]]]) -> None:
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    for name, rows in videos.items():
        (place / f"{name}.txt").write_text("valence,arousal\n" + "".join(f"{v},{a}\n" for v, a in rows))


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, Path]:
    """The two videos of the golden value, one with an invalid row; predictions in another order, one row more."""
    _va_tree(
        tmp_path,
        {"b": [(0.1, 0.1), (0.2, 0.2), (-5, 0.9), (0.3, 0.3)], "a": [(-0.5, -0.5), (-0.4, -0.4), (-0.6, -0.6)]},
    )
    predictions_of = {"a": [-0.4, -0.5, -0.5], "b": [0.2, 0.2, 0.77, 0.4], "unlisted": [0.0]}
    rows = [f"{name}/{i:05d}.jpg,{v},{v}" for name, own in predictions_of.items() for i, v in enumerate(own, start=1)]
    return tmp_path, _write(tmp_path / "va.txt", "va", rows[::-1])


def test_command_line_prints_a_table_or_json(videos: tuple[Path, Path], mien) -> None:
    data, predictions = videos
    arguments = ["va", "--data", str(data), "--predictions", str(predictions)]
    result = CliRunner().invoke(evaluate, arguments)
    assert result.exit_code == 0, result.output
    assert "1 without valid valence and arousal" in result.output
    assert "P_VA" in result.output
    report = json.loads(CliRunner().invoke(evaluate, [*arguments, "--json"]).output)
    assert report["command"].startswith("mien evaluate va --data")
    assert len(report["digest"]) == 64
    assert report["metrics"][0]["n"] == 6
    assert mien("evaluate", *arguments, "--model", "mien-light").code == 2
    assert mien("evaluate", "lfw", *arguments[1:]).code == 2


def test_an_unknown_protocol_lists_the_known(mien, tmp_path: Path) -> None:
    ended = mien("evaluate", "ferplu", "--data", tmp_path)
    assert ended.code == 2
    assert "did you mean 'ferplus'" in ended.err


@pytest.mark.parametrize("protocol", ["ferplus", "lfw"])
def test_a_data_folder_without_data(mien, tmp_path: Path, protocol: str) -> None:
    assert protocol in PROTOCOLS
    ended = mien("evaluate", protocol, "--data", tmp_path / "nowhere")
    assert ended.code == 3
    assert "nowhere" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("protocol", "model", "fits"),
    [("ferplus", "mien-points", "mien-accurate"), ("landmarks", "mien-light", "mien-points")],
)
def test_a_bundle_of_another_kind_is_4_and_names_one_that_fits(
    mien, tmp_path: Path, protocol: str, model: str, fits: str
) -> None:
    ended = mien("evaluate", protocol, "--data", tmp_path, "--model", model)
    assert ended.code == 4
    assert f"name {fits}" in ended.err


def test_a_split_that_a_protocol_does_not_have(mien, tmp_path: Path) -> None:
    ended = mien("evaluate", "lfw", "--data", tmp_path, "--split", "valid")
    assert ended.code == 2
    assert "lfw evaluates train or test" in ended.err


def test_thresholds_are_searched_for_protocols_with_predictions_alone(mien, tmp_path: Path) -> None:
    ended = mien("evaluate", "nonsense", "--data", tmp_path, "--predictions", tmp_path, "--search-thresholds")
    assert ended.code == 2
    assert "--search-thresholds is for action units (au, mtl), not for 'nonsense'" in ended.err
