# SPDX-License-Identifier: Apache-2.0
"""Smaller variants: what they keep, what they refuse, and that their loss is measured against their origin."""

import dataclasses
import hashlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import Analyzer, fit_crop
from mien.core import ConfigError, MetricValue, ModelError
from mien.evaluation import Report
from mien.inference import load_bundle, load_spec, model_card
from mien.training.export import variants
from mien.training.export.bundle_files import write_bundle
from mien.training.export.variants import Comparison, export_variant
from tests.helpers.face_clips import close_up
from tests.helpers.small_graphs import OUTPUTS, noise_crops, small_graph, small_spec

pytestmark = pytest.mark.filterwarnings("default")  # the quantizer warns about itself


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    graph = small_graph()
    write_bundle(tmp_path / "origin", graph, small_spec(graph))
    return tmp_path / "origin"


def test_a_variant_without_data_is_a_whole_bundle_without_figures(bundle: Path, tmp_path: Path) -> None:
    report = export_variant(bundle, "fp16", tmp_path / "half")
    spec = load_spec(tmp_path / "half")
    assert spec.name == "small-fp16"
    assert spec.sha256 == hashlib.sha256((tmp_path / "half" / "model.onnx").read_bytes()).hexdigest()
    assert spec.metrics == ()
    assert "predictions change by at most" in spec.provenance
    assert spec.tasks == load_spec(bundle).tasks
    assert not report.recommended  # nothing was measured
    assert set(load_bundle(tmp_path / "half").run(noise_crops(3)[..., 0])) == set(OUTPUTS)


@pytest.mark.parametrize("loss", [0.001, 0.02])
def test_the_verdict_rests_on_what_was_measured(
    loss: float, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def protocol(_: str, name: str, data: Path) -> Report:  # noqa: ARG001 - the signature of evaluate
        value = 0.8 - (loss if name == "small-int8" else 0)
        accepted_on = MetricValue(name="accuracy, plurality", n=9, value=value, low=0.7, high=0.9)
        other = MetricValue(name="F1 AU05 against the teacher", n=9, value=value - 0.3, low=0.1, high=0.9)
        return Report(
            protocol="ferplus",
            data="some faces",
            predictor=name,
            digest="",
            n_rows=9,
            dropped={},
            metrics=(accepted_on, other),
        )

    made = dataclasses.replace(
        variants.AFFECT,
        crops=lambda *_: noise_crops(160)[..., 0],
        load=lambda folder: load_spec(folder).name,
        protocols=("ferplus",),
    )
    monkeypatch.setattr(variants, "evaluate", protocol)
    monkeypatch.setattr(variants, "benchmark_for", lambda _: made)
    report = export_variant(bundle, "int8", tmp_path / "small8", tmp_path)
    assert report.comparisons[0].loss == pytest.approx(loss)
    assert [c.accepted_on for c in report.comparisons] == [True, False]
    assert report.recommended == (loss < 0.003)
    card = model_card(load_spec(tmp_path / "small8"))
    assert ("not recommended" in card) == (loss > 0.003)
    assert f"{100 * loss:.2f} points" in card
    assert "--model small-int8" in card


def test_wrong_use_is_refused_before_any_work(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        export_variant(bundle, "int8", tmp_path / "out")
    with pytest.raises(ConfigError, match="another folder"):
        export_variant(bundle, "fp16", bundle)
    with pytest.raises(ConfigError, match="int4"):
        export_variant(bundle, "int4", tmp_path / "out")
    with pytest.raises(ModelError, match="nowhere"):
        export_variant(tmp_path / "nowhere", "fp16", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("measure", "loss"),
    [("accuracy", -0.1), ("landmark error, followed: LFW", 0.1), ("rotation error in degrees", 0.1 * np.pi / 180)],
)
def test_more_is_a_gain_unless_it_is_an_error(measure: str, loss: float) -> None:
    metric = MetricValue(name=measure, data="d", n=1, value=0.9, low=0.8, high=1.0, command="c")
    assert Comparison(metric=metric, origin=0.8, accepted_on=True).loss == pytest.approx(loss)


@pytest.mark.parametrize("name", ["mien-light", "mien-points"])
def test_what_decides_is_measured(name: str) -> None:
    """By the names that the protocols give, which are those of the bundles' cards."""
    spec = load_spec(name)
    benchmark = variants.benchmark_for(spec)
    assert set(benchmark.acceptance_metrics) <= {metric.name for metric in spec.metrics}
    assert set(benchmark.protocols) <= {metric.command.split()[2] for metric in spec.metrics}


def test_a_landmark_net_has_variants_too(tmp_path: Path) -> None:
    report = export_variant("mien-points", "fp16", tmp_path / "half")
    assert report.same_expression is None
    assert 0 < report.largest_move < 0.02
    assert "expression" not in load_spec(tmp_path / "half").provenance


def test_a_landmark_net_sees_in_calibration_what_it_sees_at_work(shared_data: Path) -> None:
    origin = load_bundle("mien-points", threads=1)
    shown = variants.LANDMARKS.crops(origin, shared_data, 24)
    assert shown.shape == (24, origin.spec.input.size_px, origin.spec.input.size_px)
    believed = 1 / (1 + np.exp(-origin.run(shown)[origin.spec.task("face").output]))
    assert (believed > 0.5).mean() > 0.9


def test_affect_bundles_are_quantized_on_faces_as_analyzers_read_them(
    astronaut: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    face = close_up(astronaut)
    faces = [face, np.ascontiguousarray(face[20:, :-30])]
    samples = SimpleNamespace(
        names=("a", "b"), images=[cv2.imencode(".png", one[..., ::-1])[1].tobytes() for one in faces]
    )
    monkeypatch.setattr(variants, "load_held_out", lambda *_: samples)
    analyzer, seen = Analyzer("mien-light", threads=1), []
    monkeypatch.setattr(analyzer, "_affect_inference", SimpleNamespace(given=lambda found, _: seen.extend(found)))
    analyzer.crops(faces)
    shown = variants.AFFECT.crops(analyzer.bundle, Path(), 2)
    np.testing.assert_array_equal(shown, np.concatenate([one.crops for one in seen]))
    whole = np.stack([fit_crop(one, analyzer.spec) for one in faces])
    assert np.abs(shown.astype(int) - whole).mean(axis=(1, 2)).min() > 5
