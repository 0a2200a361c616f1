# SPDX-License-Identifier: Apache-2.0
"""Heads over frames on stored vectors: rows of crops, sound and OpenFace, and blends with models of more frames."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mien.core import DIMENSIONS, HEAD_VERSION, ConfigError, HeadInput, HeadSpec, InputError, ModelError
from mien.datasets import load_affwild2_va
from mien.evaluation import (
    PREDICTION_FORMATS,
    HeadOnFrames,
    PostProcessing,
    TablePredictor,
    create_predictor,
    sound_rows,
)
from mien.results import FeatureInfo, FeatureWriter, FrameVectors, open_features
from tests.helpers.scored_tables import table_faces, write_tables, write_va_tree

VA = PREDICTION_FORMATS["va"]


def write_shards(folder: Path, rows: dict[str, dict[int, tuple[float, float]]], **settings: object) -> Path:
    """Vectors of two numbers: source -> frame -> vector."""
    info = FeatureInfo(made_by="net", digest="net", n_features=2, settings=settings)
    with FeatureWriter(folder, info) as writer:
        for source, frames in rows.items():
            for frame, vector in frames.items():
                writer.append(
                    FrameVectors(
                        source=source,
                        frame=frame,
                        time_s=0.0,
                        tracks=np.full(1, -1, np.int64),
                        features=np.float32([vector]),
                        scores=np.empty((1, 0), np.float32),
                    )
                )
            writer.finish(source, n_frames=len(frames))
    return folder


def write_head_of_identity(folder: Path, **changes: object) -> Path:
    """A head whose valence and arousal are the two numbers of the vector."""
    onnx = pytest.importorskip("onnx", reason="needs onnx to make a graph")
    make = onnx.helper.make_tensor_value_info
    ends = [make(name, onnx.TensorProto.FLOAT, ["n", 2]) for name in ("vectors", "valence_arousal")]
    weight = onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "weight")
    nodes = [onnx.helper.make_node("MatMul", ["vectors", "weight"], ["valence_arousal"])]
    graph = onnx.helper.make_graph(nodes, "head", ends[:1], ends[1:], [weight])
    data = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    fields: dict[str, object] = {
        "head_version": HEAD_VERSION,
        "name": "identity",
        "version": "1",
        "sha256": hashlib.sha256(data).hexdigest(),
        "task": "valence_arousal",
        "labels": DIMENSIONS,
        "inputs": (HeadInput(made_by="net", digest="net", part="features", n=2, per_frame=True),),
        "input": "vectors",
        "output": "valence_arousal",
        "unit": "from -1 to 1",
    }
    from mien.training.export.bundle_files import write_head

    write_head(folder, data, HeadSpec(**(fields | changes)))  # type: ignore[arg-type]  # typed as the fields
    return folder


def test_frames_that_openface_does_not_know_are_left_to_the_other_model(tmp_path: Path) -> None:
    """p = w p_first + (1 - w) p_OpenFace where OpenFace succeeded, else p_first; nothing is interpolated."""
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([value]) for value in (0.1, 0.2, 0.3, 0.4)]})
    shards = write_shards(tmp_path / "of", {"v": {1: (0.9, 0.9), 4: (0.8, 0.8)}}, openface=True)
    head = write_head_of_identity(tmp_path / "head")
    samples = load_affwild2_va(write_va_tree(tmp_path, {"v": [0] * 4}), "valid")
    post = PostProcessing(weights={"va": (0.6,)})
    blended = create_predictor([tables, head], VA, features=[shards], post_processing=post)
    got = blended.predict_frames(VA, samples)[:, 0]
    assert got == pytest.approx([0.6 * 0.1 + 0.4 * 0.9, 0.2, 0.3, 0.6 * 0.4 + 0.4 * 0.8], abs=1e-6)
    # Vectors of crops are interpolated instead, as crops themselves are.
    crops = write_shards(tmp_path / "crops", {"v": {1: (0.9, 0.9), 4: (0.6, 0.6)}}, crops=True)
    alone = create_predictor([head], VA, features=[crops]).predict_frames(VA, samples)[:, 0]
    assert alone == pytest.approx([0.9, 0.8, 0.7, 0.6], abs=1e-6)


def test_sound_is_aligned_and_shared_by_the_tracks_of_a_video(tmp_path: Path) -> None:
    steps = {step: (step / 10, -step / 10) for step in range(8)}
    shards = write_shards(tmp_path / "sound", {"clips/v.mp4": steps}, audio=True)
    head = HeadOnFrames(write_head_of_identity(tmp_path / "head"), [shards])
    for track in ("v", "v_left", "v_right"):
        got = head.scores(DIMENSIONS, track, 4)
        assert got[:, 0] == pytest.approx([0.0, 0.2, 0.4, 0.6], abs=1e-6)  # int(i * 8 / 4)
        assert head.knows(track, 4).all()
    rows = open_features(shards).load()
    assert sound_rows(rows, "v", 16).tolist() == [i * 8 // 16 for i in range(16)]
    with pytest.raises(InputError, match="other: 0 sources are called other"):
        head.scores(DIMENSIONS, "other", 4)


def test_a_head_leaves_other_tasks_to_other_models(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.2])] * 2})
    head = write_head_of_identity(tmp_path / "head")
    shards = write_shards(tmp_path / "s", {"v": {1: (0.6, 0.6), 2: (0.6, 0.6)}}, crops=True)
    both = TablePredictor([tables, HeadOnFrames(head, [shards])])
    mtl, frames = PREDICTION_FORMATS["mtl"], np.array([1, 2])
    alone = TablePredictor([tables])
    for decoder, single in zip(both.decoders(mtl), alone.decoders(mtl), strict=True):
        got = both.track_scores(decoder, both.load(mtl), "v", frames)
        expected = alone.track_scores(single, alone.load(mtl), "v", frames)
        if decoder.task == "va":
            expected = (expected + 0.6) / 2
        assert got == pytest.approx(expected, abs=1e-6)


def test_what_is_refused(tmp_path: Path) -> None:
    head = write_head_of_identity(tmp_path / "head")
    faces = write_shards(tmp_path / "faces", {"v": {0: (0.0, 0.0)}}, crops=False)
    with pytest.raises(InputError, match="neither of official crops nor of sound nor of OpenFace"):
        HeadOnFrames(head, [faces]).scores(DIMENSIONS, "v", 2)
    with pytest.raises(ModelError, match="the folders of features have none"):
        HeadOnFrames(head, [])
    with pytest.raises(ConfigError, match="is of single frames, its inputs are not"):
        write_head_of_identity(tmp_path / "x", inputs=(HeadInput(made_by="n", digest="n", part="features", n=2),))
    with pytest.raises(ConfigError, match="there are no action units AU99"):
        write_head_of_identity(tmp_path / "x", task="action_units", labels=("AU01", "AU99"))
