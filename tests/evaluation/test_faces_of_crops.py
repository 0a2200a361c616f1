# SPDX-License-Identifier: Apache-2.0
"""A bundle on official crops in place of tables: evaluated and submitted as one thing with its post-processing."""

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from mien.affect import Analyzer, Smoothing
from mien.cli.main import mien
from mien.core import ConfigError, InputError
from mien.datasets import create_example, load_dataset
from mien.evaluation import PREDICTION_FORMATS, BundleOnCropFolder, BundleOnCrops, TablePredictor, own_thresholds
from mien.inference import find_bundle


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    create_example("affwild2-va", tmp_path)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.glob("cropped_aligned/*/*.jpg")):  # no two alike, so that filters change something
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return tmp_path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(mien, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def test_the_same_answers_as_frame_by_frame(data: Path, analyzer: Analyzer) -> None:
    samples = load_dataset("affwild2-va", data, "valid")
    tables = TablePredictor([BundleOnCropFolder(analyzer, data / "cropped_aligned")])
    got = tables.predict_frames(PREDICTION_FORMATS["va"], samples)
    for track, rows in samples.track_rows():
        if (data / "cropped_aligned" / track).is_dir():
            expected = BundleOnCrops(analyzer).predict_frames(PREDICTION_FORMATS["va"], samples)
            np.testing.assert_allclose(got[rows], expected[rows], atol=1e-6)
    assert tables.name == "mien-light"


def test_a_track_without_crops_has_no_face(data: Path, analyzer: Analyzer) -> None:
    """Its neighbour's faces are not its own, whatever the name."""
    model = BundleOnCropFolder(analyzer, data / "cropped_aligned")
    videos = model.videos(["valence", "AU12"], per_frame=True)
    tracks = list(videos)
    assert len(videos[tracks[0]].frames)
    assert not len(videos[f"{tracks[0]}_right"].frames)
    with pytest.raises(InputError, match="no such folder"):
        BundleOnCropFolder(analyzer, data / "nowhere")


def test_a_submission_of_crops(data: Path, analyzer: Analyzer) -> None:
    track = next(path.name for path in sorted((data / "cropped_aligned").iterdir()))
    names = [f"{track}/{frame:05d}.jpg" for frame in range(1, 9)] + [f"ghost/{frame:05d}.jpg" for frame in (1, 2)]
    (data / "list.txt").write_text("image_location\n" + "\n".join(names) + "\n")
    crops = data / "cropped_aligned"
    said = run("submit", "va", "--list", data / "list.txt", "--crops", crops, "--out", data / "va.txt")
    assert "10 rows" in said
    rows = (data / "va.txt").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == names
    assert [float(number) for number in rows[-1].split(",")[1:]] == [0, 0]
    first = analyzer.crops([crops / track / "00001.jpg"])
    np.testing.assert_allclose(float(rows[0].split(",")[1]), first.valence[0], atol=1e-5)


def smoothing_bundle(folder: Path) -> Path:
    """The default bundle with a smoothing of its own."""
    shutil.copytree(find_bundle("mien-light"), folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(content | {"smoothing": "va=2"}))
    return folder


def test_the_bundles_own_smoothing(data: Path, tmp_path: Path) -> None:
    bundle = smoothing_bundle(tmp_path / "bundle")
    spec = Analyzer(bundle).spec
    assert Smoothing.of("bundle", spec) == Smoothing(va=2)
    with pytest.raises(ConfigError, match="recommends no smoothing"):
        Smoothing.of("bundle", dataclasses.replace(spec, smoothing=""))

    def p_va(*options: str) -> float:
        arguments = ("evaluate", "va", "--data", data, "--model", bundle, "--json", *options)
        return next(m["value"] for m in json.loads(run(*arguments))["metrics"] if m["name"] == "P_VA")

    assert p_va("--smooth", "bundle") == p_va("--smooth", "va=2") != p_va()


def test_thresholds_of_the_bundle(analyzer: Analyzer) -> None:
    task = analyzer.spec.task("action_units")
    assert task is not None
    task_format = PREDICTION_FORMATS["au-2020"]  # units that the default bundle has
    limits = own_thresholds(analyzer.spec, task_format)
    assert limits == tuple(task.thresholds[task.labels.index(entry.name)] for entry in task_format.fields)
    with pytest.raises(ConfigError, match="no thresholds for AU23"):
        own_thresholds(analyzer.spec, PREDICTION_FORMATS["au"])
    with pytest.raises(ConfigError, match="no action units"):
        own_thresholds(analyzer.spec, PREDICTION_FORMATS["va"])
