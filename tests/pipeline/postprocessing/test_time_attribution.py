# SPDX-License-Identifier: Apache-2.0
"""Stretches of every track of a table, and one sentence where there is nothing to explain."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, Faces, Frame, InputError
from mien.pipeline import explain_table
from mien.results import TableWriter, table_schema

LABELS = ("neutral", "happiness")


def write_table(path: Path, smile: np.ndarray) -> Path:
    """A table of one video with two tracks: the first with the given probabilities of happiness, the second without."""
    schema = table_schema(expression_labels=LABELS)
    with TableWriter(path, schema) as writer:
        for index, value in enumerate(smile):
            faces = Faces(
                boxes=[[0, 0, 9, 9], [20, 0, 29, 9]],
                track_ids=[4, 7],
                expression=[[1 - value, value], [0.9, 0.1]],
                expression_labels=LABELS,
            )
            shown = faces if np.isfinite(value) else Faces.empty(LABELS)
            writer.append("clip.mp4", Frame(index=index, time_s=index / 10, faces=shown))
    return path


def test_the_smile_that_made_the_mean_is_found(tmp_path: Path) -> None:
    smile = np.full(40, 0.1)
    smile[10:20], smile[30] = 0.9, 0.5
    smile[5] = np.nan
    first, second = explain_table(write_table(tmp_path / "t.parquet", smile), "happiness", smooth=None)
    assert (first.source, first.track_id, first.n_frames) == ("clip.mp4", 4, 39)
    longest = first.stretches[0]
    assert (longest.first_s, longest.last_s) == (pytest.approx(1.0), pytest.approx(1.9))
    assert longest.share == pytest.approx(8 / 8.4, abs=1e-3)
    assert second.stretches == ()
    assert first.to_dict()["stretches"][0]["n_frames"] == 10


def test_stretches_of_single_frames_are_joined_by_smoothing(tmp_path: Path) -> None:
    smile = np.tile([0.1, 0.9], 20)
    smile[:20] = 0.1
    path = write_table(tmp_path / "t.parquet", smile)
    raw, _ = explain_table(path, "happiness", smooth="none", n=50)
    smoothed, _ = explain_table(path, "happiness", n=50)
    assert len(raw.stretches) >= 10
    assert len(smoothed.stretches) == 1
    assert smoothed.mean == pytest.approx(raw.mean, abs=0.03)


def test_without_a_target_the_strongest_expression_is_explained(tmp_path: Path) -> None:
    found = explain_table(write_table(tmp_path / "t.csv", np.full(6, 0.8)))
    assert [one.target for one in found] == ["happiness", "neutral"]


def test_what_the_table_does_not_have_is_one_sentence(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.parquet", np.full(3, 0.5))
    with pytest.raises(ConfigError, match="explain one of neutral, happiness"):
        explain_table(path, "AU12")
    empty = write_table(tmp_path / "empty.parquet", np.full(3, np.nan))
    with pytest.raises(InputError, match="could be explained"):
        explain_table(empty)
