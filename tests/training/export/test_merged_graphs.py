# SPDX-License-Identifier: Apache-2.0
"""Heads that are merged into the bundle that they read."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.inference import create_session, load_bundle  # noqa: E402 - needs torch
from mien.training.export.bundle_files import write_bundle  # noqa: E402 - needs torch
from mien.training.export.merged_graphs import merge_graphs, stretch_vectors  # noqa: E402 - needs torch
from mien.training.export.onnx_export import to_onnx  # noqa: E402 - needs torch
from mien.training.recipes.settings import ModelSettings, VectorSettings  # noqa: E402 - needs torch
from tests.helpers.small_graphs import noise_crops, small_graph, small_spec  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # the exporter warns about itself


class RawAndBounded(torch.nn.Module):
    """A dense layer of 44 inputs, and its tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(44, 3)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = self.layer(inputs)
        return values, torch.tanh(values)


def test_a_merged_graph_runs_the_head_on_features_and_scores(tmp_path: Path) -> None:
    graph = small_graph()
    write_bundle(tmp_path, graph, small_spec(graph))
    bundle = load_bundle(tmp_path, threads=1)
    features, scores = VectorSettings(part="features", n=32), VectorSettings(part="scores", n=12)
    model = ModelSettings(backbone="", vectors=(features, scores))
    torch.manual_seed(0)
    head = RawAndBounded()
    merged = merge_graphs(bundle, to_onnx(head, torch.zeros(2, 44), ["raw", "bounded"]), ("raw", "bounded"), model)
    crops = noise_crops(5)
    vectors = stretch_vectors(bundle.spec, bundle.run(crops[..., 0]), model)
    assert vectors.shape == (5, 44)
    with torch.inference_mode():
        raw, bounded = (output.numpy() for output in head(torch.from_numpy(vectors)))
    outputs = create_session(merged).run({"crops": crops})
    assert set(outputs) == {"raw", "bounded", "features"}
    np.testing.assert_allclose(outputs["raw"], raw, atol=1e-5)
    np.testing.assert_allclose(outputs["bounded"], bounded, atol=1e-5)
    np.testing.assert_allclose(outputs["features"], vectors[:, :32], atol=1e-6)
    with pytest.raises(ConfigError, match="cannot be merged into a bundle"):
        merge_graphs(bundle, graph, ("raw",), dataclasses.replace(model, clip="statistics"))
