# SPDX-License-Identifier: Apache-2.0
"""Affect tables as answers: raw videos, left and right tracks, counts off by one, blends and what is tuned on them."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.affect import Smoothing, box_mean
from mien.cli.research.blend import blend
from mien.cli.research.evaluate import evaluate
from mien.core import EXPRESSIONS, ConfigError, Faces, Frame, InputError
from mien.datasets import ACTION_UNITS_12, load_affwild2_va
from mien.evaluation import (
    PREDICTION_FORMATS,
    TablePredictor,
    choose_compound_model,
    search_thresholds_of,
    search_weights,
)
from mien.evaluation.protocols import challenges
from mien.metrics import p_va
from mien.results import TableWriter, table_schema

AU_HEADER = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


def _faces(va: Sequence[float], *, x: Sequence[float] = (), units: Sequence[float] = ()) -> Faces:
    """Faces whose valence and arousal are one number each, side by side where ``x`` says."""
    n = len(va)
    left = np.array(x or [0.0] * n)
    boxes = np.stack([left, np.zeros(n), left + 40, np.full(n, 40.0)], axis=1)
    return Faces(
        boxes=boxes,
        track_ids=np.arange(n),
        valence=np.array(va),
        arousal=np.array(va),
        expression=np.full((n, 8), 1 / 8),
        action_units=np.tile(np.array(units or [0.5] * 12), (n, 1)),
        expression_labels=EXPRESSIONS,
        action_unit_labels=ACTION_UNITS_12,
    )


def _tables(folder: Path, videos: Mapping[str, Sequence[Faces]]) -> Path:
    folder.mkdir(exist_ok=True)
    for video, frames in videos.items():
        with TableWriter(folder / f"{video}.parquet", table_schema(action_unit_labels=ACTION_UNITS_12)) as writer:
            for index, faces in enumerate(frames):
                writer.append(f"batch1/{video}.mp4", Frame(index=index, time_s=index / 30, faces=faces))
    return folder


def _va_tree(folder: Path, tracks: Mapping[str, Sequence[float]]) -> Path:
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    for name, values in tracks.items():
        (place / f"{name}.txt").write_text("valence,arousal\n" + "".join(f"{v},{v}\n" for v in values))
    return folder


def test_pitfall_12_left_and_right_are_the_sides_of_one_raw_video(tmp_path: Path) -> None:
    two = [_faces([0.1 * i, -0.1 * i], x=[200, 10]) for i in range(3)]
    alone = [_faces([0.7], x=[195])]  # the face at the left is lost here
    tables = _tables(tmp_path / "tables", {"v": [*two, *alone], "w": two})
    data = _va_tree(tmp_path, {"v_left": [0] * 4, "v_right": [0] * 4, "w": [0] * 3, "w_right": [0] * 3})
    samples = load_affwild2_va(data, "valid")
    got = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    own = {track: got[rows] for track, rows in samples.track_rows()}
    assert own["v_left"] == pytest.approx([0, -0.1, -0.2, -0.2], abs=1e-6)
    assert own["v_right"] == pytest.approx([0, 0.1, 0.2, 0.7], abs=1e-6)
    assert own["w_right"] == pytest.approx([0, 0.1, 0.2], abs=1e-6)
    assert own["w"] == pytest.approx([0, -0.1, -0.2], abs=1e-6)  # the other one of the two


@pytest.mark.parametrize("n_listed", [3, 4, 5])
def test_pitfall_13_lists_may_be_a_frame_longer_or_shorter_than_the_video(n_listed: int, tmp_path: Path) -> None:
    tables = _tables(tmp_path / "tables", {"v": [_faces([0.1 * i]) for i in range(4)]})
    samples = load_affwild2_va(_va_tree(tmp_path, {"v": [0] * n_listed}), "valid")
    got = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    assert got == pytest.approx([0, 0.1, 0.2, 0.3, 0.3][:n_listed], abs=1e-6)


def test_raw_videos_are_evaluated_with_one_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, 40)
    guess = np.clip(truth + rng.normal(scale=0.3, size=40), -1, 1)
    tables = _tables(tmp_path / "tables", {"v": [_faces([value]) for value in guess]})
    data = _va_tree(tmp_path, {"v": truth})
    arguments = ["va", "--data", str(data), "--predictions", str(tables), "--smooth", "va=2", "--json"]
    result = CliRunner().invoke(evaluate, arguments)
    report = json.loads(result.output)
    smooth = box_mean(guess.astype(np.float32), 2)
    expected = p_va(np.stack([truth] * 2, 1).astype(np.float32), np.stack([smooth] * 2, 1))
    assert report["metrics"][0]["value"] == pytest.approx(expected, abs=1e-6)
    assert report["predictor"] == "tables"
    assert "--smooth va=2" in report["command"]


def test_a_video_that_nobody_analysed_is_named(tmp_path: Path) -> None:
    tables = _tables(tmp_path / "tables", {"v": [_faces([0.1])]})
    with pytest.raises(InputError, match="video x_left of the list"):
        challenges.evaluate_va(TablePredictor([tables]), _va_tree(tmp_path, {"x_left": [0.1]}))
    with pytest.raises(ConfigError, match="at least one folder"):
        TablePredictor([])


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[Path, list[Path]]:
    """Truth = .3 of the first system and .7 of the second."""
    rng = np.random.default_rng(1)
    first, second = rng.uniform(-1, 1, (2, 60)).astype(np.float32).astype(np.float64)
    data = _va_tree(tmp_path, {"v": 0.3 * first + 0.7 * second})
    models = {"a": first, "b": second}
    return data, [_tables(tmp_path / name, {"v": [_faces([v]) for v in own]}) for name, own in models.items()]


def test_weights_are_found_and_used(two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    found = search_weights("va", data, models)["va"]
    assert found.weights == (0.3, 0.7)
    assert found.score == pytest.approx(1, abs=1e-6)
    assert len(found.tried) == 11
    options = [part for path in models for part in ("--predictions", str(path))]
    result = CliRunner().invoke(blend, ["va", "--data", str(data), *options])
    assert "va  1.0000 with 0.3,0.7" in result.output
    assert "chosen on the valid rows that they are scored on" in result.output
    result = CliRunner().invoke(evaluate, ["va", "--data", str(data), *options, "--weights", "va=.3,.7", "--json"])
    assert json.loads(result.output)["metrics"][0]["value"] == pytest.approx(1, abs=1e-6)


def test_a_blend_is_smoothed_before_it_is_scored(two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    found = search_weights("va", data, models, smoothing=Smoothing(va=2))["va"]
    predictor = TablePredictor(models, smoothing=Smoothing(va=2), weights={"va": found.weights})
    assert challenges.evaluate_va(predictor, data).metrics[0].value == pytest.approx(found.score, abs=1e-9)
    assert found.score < 1


def test_each_emotion_has_weights_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    models = rng.uniform(0, 1, (2, 30, 6)).round(3)
    shares = np.array([0.0, 0.1, 0.4, 0.5, 0.9, 1.0])
    names = [f"{index:05d}" for index in range(30)]

    def write(name: str, values: np.ndarray) -> Path:
        rows = [",".join([key, *(f"{v:.6f}" for v in row)]) for key, row in zip(names, values, strict=True)]
        (tmp_path / name).write_text("\n".join([PREDICTION_FORMATS["emi"].header_line, *rows]) + "\n")
        return tmp_path / name

    write("valid_split.csv", shares * models[0] + (1 - shares) * models[1])
    paths = [write(f"{k}.csv", own) for k, own in enumerate(models)]
    found = search_weights("emi", tmp_path, paths)
    assert [search.weights[0] for search in found.values()] == pytest.approx(shares)
    assert list(found) == ["admiration", "amusement", "determination", "empathic pain", "excitement", "joy"]
    with pytest.raises(ConfigError, match="nothing to smooth"):
        search_weights("emi", tmp_path, paths, smoothing=Smoothing(va=1))


def test_thresholds_are_tuned_beside_the_figure_at_one_half(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, (80, 12))
    probabilities = 0.1 + 0.15 * truth + rng.uniform(0, 0.1, (80, 12))  # present is above .25, never above .5
    place = tmp_path / "AU_Detection_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    (place / "v.txt").write_text("\n".join([AU_HEADER, *(",".join(map(str, row)) for row in truth)]) + "\n")
    tables = _tables(tmp_path / "tables", {"v": [_faces([0.0], units=row.tolist()) for row in probabilities]})
    found = search_thresholds_of("au", tmp_path, TablePredictor([tables]))
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
        search_thresholds_of("va", _va_tree(tmp_path, {"v": [0.1]}), TablePredictor([tables]))


def test_compound_systems_are_chosen_by_frequencies(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("image_location\n" + "".join(f"v/{i:05d}.jpg\n" for i in range(1, 9)))
    probabilities = np.eye(8)[[1, 1, 3, 6, 1, 1, 5, 4]] * 0.5 + np.eye(8)[[2] * 8] * 0.3 + 0.2 / 8

    def shown(rows: np.ndarray) -> list[Faces]:
        return [replace(_faces([0.0]), expression=row[None].astype(np.float32)) for row in rows]

    varied = _tables(tmp_path / "varied", {"v": shown(probabilities)})
    always = _tables(tmp_path / "always", {"v": shown(np.repeat(probabilities[:1], 8, axis=0))})
    found = choose_compound_model(tmp_path, [always, varied])
    assert list(found) == [str(varied), str(always)]
    result = CliRunner().invoke(
        blend, ["ce", "--data", str(tmp_path), "--predictions", str(always), "--predictions", str(varied)]
    )
    assert result.output.splitlines()[0].startswith(str(varied))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--smooth", "va=3"], "need the official crops"),
        (["--search-thresholds"], "needs folders of affect tables"),
        (["--predictions", "{tables}", "--model", "mien-light"], "give one of"),
        (["--predictions", "{tables}", "--weights", "pose=1"], "weights are for va, expr, au"),
        (["--predictions", "{tables}", "--thresholds", "a"], "numbers and commas"),
    ],
)
def test_options_that_do_not_fit(options: list[str], message: str, tmp_path: Path, mien) -> None:
    tables = _tables(tmp_path / "tables", {"v": [_faces([0.1])]})
    data = _va_tree(tmp_path, {"v": [0.1]})
    given = [option.format(tables=tables) for option in options]
    ended = mien("evaluate", "va", "--data", data, *given)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
