# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from mien.core import ConfigError
from mien.inference import load_bundle
from mien.pipeline.feature_extraction.feature_source import FaceVectors


@pytest.fixture(scope="module")
def vectors() -> FaceVectors:
    return FaceVectors.of(load_bundle(threads=1))


def test_vectors_are_those_of_the_bundle(vectors: FaceVectors) -> None:
    info = vectors.info("d" * 64, float16=True, settings={"every": 1})
    assert (info.made_by, info.digest, info.n_features, info.dtype) == (
        "mien-light",
        "d" * 64,
        vectors.n_features,
        "float16",
    )
    assert info.score_names[0].startswith("expression.")
    assert len(info.score_names) == len(set(info.score_names))


def test_outputs_become_features_and_scores_in_the_order_of_the_tasks(vectors: FaceVectors) -> None:
    outputs = {
        task.output: np.full((2, len(task.labels)), number, np.float32)
        for number, task in enumerate(vectors.spec.tasks)
    }
    outputs[vectors.spec.features] = np.zeros((2, vectors.n_features), np.float32)
    frame = vectors.frame(outputs, source="a", frame=3, time_s=0.1, tracks=np.array([0, 1]))
    expected = [number for number, task in enumerate(vectors.spec.tasks) for _ in task.labels]
    np.testing.assert_array_equal(frame.scores, [expected] * 2)
    assert (frame.source, frame.frame, frame.time_s, frame.failure) == ("a", 3, 0.1, "")


def test_a_frame_without_a_face_and_one_that_failed_have_no_rows(vectors: FaceVectors) -> None:
    n_scores = sum(len(task.labels) for task in vectors.spec.tasks)
    empty = vectors.frame({}, source="a", frame=0, time_s=0.0, tracks=np.empty(0, np.int64))
    failed = vectors.failed("a", 1, "00001.jpg: is damaged")
    for frame in (empty, failed):
        assert frame.features.shape == (0, vectors.n_features)
        assert frame.scores.shape == (0, n_scores)
    assert np.isnan(failed.time_s)
    assert failed.failure == "00001.jpg: is damaged"


def test_a_bundle_without_an_embedding_is_refused() -> None:
    bundle = load_bundle("mien-points", threads=1)
    with pytest.raises(ConfigError, match="mien-points gives no embedding"):
        FaceVectors.of(bundle).info("d", float16=False, settings={})
