# SPDX-License-Identifier: Apache-2.0
"""Smoothing and thresholds: given ones, and the bundle's own."""

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mien.affect import Analyzer, Smoothing
from mien.core import ConfigError
from mien.evaluation import PREDICTION_FORMATS, PostProcessing, evaluate, own_thresholds
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


def smoothing_bundle(folder: Path) -> Path:
    """The default bundle with a smoothing of its own."""
    shutil.copytree(find_bundle("mien-light"), folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(content | {"smoothing": "va=2"}))
    return folder


def test_the_bundles_own_smoothing(crops_data: Path, tmp_path: Path) -> None:
    analyzer = Analyzer(smoothing_bundle(tmp_path / "bundle"), threads=1)
    own, none = PostProcessing(smoothing="bundle"), dataclasses.replace(analyzer.spec, smoothing="")
    assert own.filter(analyzer.spec) == Smoothing(va=2)
    with pytest.raises(ConfigError, match="recommends no smoothing"):
        own.filter(none)
    p_va = {
        smoothing: evaluate("va", analyzer, crops_data, post_processing=PostProcessing(smoothing=smoothing)).metrics[0]
        for smoothing in ("bundle", "va=2", Smoothing(va=2), None)
    }
    assert p_va["bundle"] == p_va["va=2"] == p_va[Smoothing(va=2)] != p_va[None]


def test_settings_as_given() -> None:
    post = PostProcessing(smoothing="expr=50,va=10", thresholds=[0.4] * 12)
    assert post.filter() == Smoothing(expr=50, va=10)
    assert post.limits(PREDICTION_FORMATS["au"]) == (0.4,) * 12
    assert (PostProcessing().filter(), PostProcessing().limits(PREDICTION_FORMATS["au"])) == (None, ())
    assert [each.decides for each in (post, PostProcessing(), PostProcessing(thresholds="bundle"))] == [
        True,
        False,
        True,
    ]
    with pytest.raises(ConfigError, match="for tables give numbers"):
        PostProcessing(thresholds="bundle").limits(PREDICTION_FORMATS["au"])


def test_thresholds_of_the_bundle(analyzer: Analyzer) -> None:
    task = analyzer.spec.task("action_units")
    assert task is not None
    task_format = PREDICTION_FORMATS["au-2020"]  # units that the default bundle has
    limits = PostProcessing(thresholds="bundle").limits(task_format, analyzer.spec)
    assert limits == tuple(task.thresholds[task.labels.index(entry.name)] for entry in task_format.fields)
    fewer = replace(task, labels=task.labels[:4], thresholds=task.thresholds[:4])
    others = [each for each in analyzer.spec.tasks if not each.task.startswith("action_unit")]
    tasks = (*others, fewer)
    with pytest.raises(ConfigError, match="no thresholds for AU06"):
        own_thresholds(replace(analyzer.spec, tasks=tasks), PREDICTION_FORMATS["au"])
    with pytest.raises(ConfigError, match="no action units"):
        own_thresholds(analyzer.spec, PREDICTION_FORMATS["va"])
