# SPDX-License-Identifier: Apache-2.0
"""Smoothing and thresholds: given ones, and the bundle's own."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from mien.affect import Analyzer, Smoothing
from mien.cli.main import mien
from mien.core import ConfigError
from mien.evaluation import PREDICTION_FORMATS, own_thresholds
from mien.inference import find_bundle
from tests.helpers.submission_data import (
    write_crops,
)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def crops_data(tmp_path: Path) -> Path:
    return write_crops(tmp_path)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(mien, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


def smoothing_bundle(folder: Path) -> Path:
    """The default bundle with a smoothing of its own."""
    shutil.copytree(find_bundle("mien-light"), folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(content | {"smoothing": "va=2"}))
    return folder


def test_the_bundles_own_smoothing(crops_data: Path, tmp_path: Path) -> None:
    bundle = smoothing_bundle(tmp_path / "bundle")
    spec = Analyzer(bundle).spec
    assert Smoothing.of("bundle", spec) == Smoothing(va=2)
    with pytest.raises(ConfigError, match="recommends no smoothing"):
        Smoothing.of("bundle", dataclasses.replace(spec, smoothing=""))

    def p_va(*options: str) -> float:
        arguments = ("evaluate", "va", "--data", crops_data, "--model", bundle, "--json", *options)
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
