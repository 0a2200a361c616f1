# SPDX-License-Identifier: Apache-2.0
"""Stored vectors of labelled frames and clips, and vectors in NumPy files."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError, DatasetError
from mien.datasets import ClipSamples, create_example, load_dataset
from mien.results import FeatureInfo, FeatureWriter, FrameVectors
from mien.training.data.feature_sources import fit_recipe, load_vectors, stored_inputs
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import DataSettings, ModelSettings, SourceSettings, VectorSettings
from tests.helpers.synthetic_data import create_vector_recipe

N_FEATURES, N_SCORES = 3, 2


def write_shards(folder: Path, rows: dict[str, list[int]], *, digest: str = "d" * 64, crops: bool = True) -> None:
    """Vectors whose numbers are the frame's number: name of the source -> its frames."""
    names = tuple(f"score.{i}" for i in range(N_SCORES))
    info = FeatureInfo(
        made_by="net",
        digest=digest,
        n_features=N_FEATURES,
        score_names=names,
        settings={"crops": True} if crops else {},
    )
    with FeatureWriter(folder, info) as writer:
        for source, frames in rows.items():
            for frame in frames:
                writer.append(
                    FrameVectors(
                        source=source,
                        frame=frame,
                        time_s=frame / 25,
                        tracks=np.zeros(1, np.int64),
                        features=np.full((1, N_FEATURES), frame, np.float32),
                        scores=np.full((1, N_SCORES), -frame, np.float32),
                    )
                )
            writer.finish(source, n_frames=len(frames))


def recipe(*parts: str, clip: str = "frames", n_steps: int = 0, **sizes: int) -> Recipe:
    """A recipe for the given parts of stored vectors of one source."""
    n = {"features": N_FEATURES, "scores": N_SCORES} | sizes
    vectors = tuple(VectorSettings(part=part, n=n[part]) for part in parts)  # type: ignore[arg-type]
    model = ModelSettings(backbone="", vectors=vectors, clip=clip, n_steps=n_steps)  # type: ignore[arg-type]
    return create_vector_recipe(model=model, data=DataSettings(sources=(SourceSettings(name="affwild2-va"),)))


def test_rows_are_matched_by_track_and_frame(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_dataset("affwild2-va", tmp_path, "train")
    first, second = samples.tracks
    write_shards(tmp_path / "features", {second: [2, 1], "another": [1], first: [1, 4]})
    vectors, found = stored_inputs(samples, tmp_path, recipe("features", "scores"))
    expected = [
        (samples.tracks[track], frame) in {(first, 1), (first, 4), (second, 1), (second, 2)}
        for track, frame in zip(samples.track_index, samples.frame, strict=True)
    ]
    assert found.tolist() == expected
    frames = samples.frame[found].astype(float)
    values = vectors[np.arange(len(vectors))]
    np.testing.assert_array_equal(values[:, 0], frames)
    np.testing.assert_array_equal(values[:, -1], -frames)
    assert values.shape == (4, N_FEATURES + N_SCORES)


def clips(*names: str) -> ClipSamples:
    return ClipSamples(
        dataset="emi",
        split="train",
        names=names,
        intensities=np.ones((len(names), 1), np.float32),
        labels=("joy",),
        videos=(None,) * len(names),
        videos_found=False,
    )


def test_clips_become_statistics_or_sequences_of_their_frames(tmp_path: Path) -> None:
    write_shards(tmp_path / "features", {"a.mp4": [0, 1, 2], "b.mp4": [3, 5], "other.mp4": [9]})
    samples = clips("b", "ghost", "a")
    vectors, found = stored_inputs(samples, tmp_path, recipe("features", clip="statistics"))
    assert found.tolist() == [True, False, True]
    assert vectors.shape == (2, 4 * N_FEATURES)
    np.testing.assert_allclose(np.unique(vectors[0]), [1, 3, 4, 5])  # deviation, minimum, mean, maximum
    assert {0.0, 1.0, 2.0} < set(np.unique(vectors[1]).tolist())
    vectors, _ = stored_inputs(samples, tmp_path, recipe("features", clip="sequence", n_steps=2))
    assert vectors.shape == (2, 2 * N_FEATURES)
    assert vectors[0].tolist() == [3, 3, 3, 5, 5, 5]


def test_labels_and_vectors_must_be_of_the_same_kind(tmp_path: Path) -> None:
    write_shards(tmp_path / "features", {"a": [0]})
    with pytest.raises(ConfigError, match="has labels of clips; set"):
        stored_inputs(clips("a"), tmp_path, recipe("features"))
    create_example("affwild2-va", tmp_path)
    frames = load_dataset("affwild2-va", tmp_path, "train")
    with pytest.raises(DatasetError, match=r"has labels of frames; .* needs labels of whole clips"):
        stored_inputs(frames, tmp_path, recipe("features", clip="statistics"))
    with pytest.raises(DatasetError, match="no row of affwild2-va train has a vector"):
        stored_inputs(frames, tmp_path, recipe("features"))
    with pytest.raises(DatasetError, match="do not have the length 7"):
        stored_inputs(frames, tmp_path, recipe("features", features=7))
    write_shards(tmp_path / "video" / "features", {frames.tracks[0]: [1]}, crops=False)
    with pytest.raises(DatasetError, match="not of official crops"):
        stored_inputs(frames, tmp_path / "video", recipe("features"))


def test_the_recipe_takes_the_lengths_of_the_stored_vectors(tmp_path: Path) -> None:
    write_shards(tmp_path / "features", {"a": [0]})
    fitted, made = fit_recipe(recipe("scores", "features", features=1280, scores=10), tmp_path)
    assert [stretch.n for stretch in fitted.model.vectors] == [N_SCORES, N_FEATURES]
    assert [info.made_by for info in made] == ["net", "net"]
    with pytest.raises(DatasetError, match="mien features CROPS --crops"):
        fit_recipe(recipe("features"), tmp_path / "absent")


def test_all_sources_need_vectors_of_one_bundle(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        write_shards(tmp_path / name / "features", {"a": [0]}, digest=f"{number}" * 64)
    sources = tuple(SourceSettings(name="affwild2-va", folder=name) for name in ("first", "second"))
    two = dataclasses.replace(recipe("features"), data=DataSettings(sources=sources))
    with pytest.raises(ConfigError, match=r"first.*second.* come from different bundles"):
        fit_recipe(two, tmp_path)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Two rows of 12 numbers with one task."""
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train/inputs.npy", np.arange(24, dtype=np.float16).reshape(2, 12))
    np.save(tmp_path / "train/valence_arousal.npy", np.array([[0.5, np.nan], [-0.5, 1.0]]))
    (tmp_path / "labels.json").write_text('{"valence_arousal": ["valence", "arousal"], "action_units": ["AU12"]}')
    return tmp_path


SOURCE = SourceSettings(name="vectors")


def test_numpy_files_are_mapped_and_their_rows_grouped(arrays: Path) -> None:
    samples = load_vectors(SOURCE, arrays, create_vector_recipe())
    assert isinstance(samples.inputs, np.memmap)
    assert samples.labels == {"valence_arousal": ("valence", "arousal")}  # a task without its file has no labels
    np.testing.assert_array_equal(samples.targets["valence_arousal"], np.array([[0.5, np.nan], [-0.5, 1]], np.float32))
    assert samples.groups == ("0", "1")
    np.save(arrays / "train/groups.npy", np.array(["video", "video"]))
    assert load_vectors(SOURCE, arrays, create_vector_recipe()).groups == ("video", "video")


def test_numpy_files_that_do_not_fit_are_named(arrays: Path) -> None:
    with pytest.raises(DatasetError, match=r"inputs\.npy has shape \(2, 12\), the recipe needs \(N, 13\)"):
        load_vectors(SOURCE, arrays, create_vector_recipe(model=ModelSettings(backbone="", n_inputs=13)))
    np.save(arrays / "train/valence_arousal.npy", np.zeros((3, 2)))
    with pytest.raises(DatasetError, match=r"valence_arousal\.npy has shape \(3, 2\), expected \(2, 2\)"):
        load_vectors(SOURCE, arrays, create_vector_recipe())
    (arrays / "labels.json").write_text(json.dumps(["valence"]))
    with pytest.raises(DatasetError, match=r"labels\.json: expected a JSON object"):
        load_vectors(SOURCE, arrays, create_vector_recipe())
    (arrays / "labels.json").unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(arrays / "labels.json")  # a pipe does not block
        with pytest.raises(DatasetError, match=r"labels\.json: expected a JSON object"):
            load_vectors(SOURCE, arrays, create_vector_recipe())
    np.save(arrays / "train/inputs.npy", np.array([{"code": "runs when unpickled"}]), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"inputs\.npy: cannot be read as a NumPy file"):
        load_vectors(SOURCE, arrays, create_vector_recipe())
