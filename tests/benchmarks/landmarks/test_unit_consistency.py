# SPDX-License-Identifier: Apache-2.0
"""Consistency of action units: noise, ranks, moved crops and the tables, on data whose answers are known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.landmarks import unit_consistency as consistency
from mien.core import MetricValue
from tests.helpers.rendered_sets import write_rendered

UNITS = consistency.UNITS


def test_noise_is_what_a_straight_course_does_not_explain() -> None:
    rng = np.random.default_rng(0)
    course = np.linspace(0, 1, 4000)
    assert consistency.frame_noise(course) == pytest.approx(0, abs=1e-12)
    assert consistency.frame_noise(course + rng.normal(0, 0.05, 4000)) == pytest.approx(0.05, rel=0.05)


def test_ranks_are_within_groups_and_have_an_interval() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 200)
    level = 10.0 * groups
    first, second = level + rng.normal(size=400), level + rng.normal(size=400)
    value, low, high = consistency.ranks(first, second, groups)
    assert low < value < high
    assert abs(value) < 0.15  # the groups' levels alone correlate
    assert consistency.ranks(first, first, groups)[0] == 1
    first[::2] = np.nan
    assert consistency.ranks(first, first, np.where(groups == 1, -1, groups))[0] == 1


def test_a_moved_crop_moves_by_its_matrix() -> None:
    image = np.zeros((48, 48, 3), np.uint8)
    image[20:23, 30:33] = 255
    moved, matrix = consistency.moved_crop(image, np.random.default_rng(1))
    y, x = np.average(np.indices((48, 48)), axis=(1, 2), weights=moved[..., 0].astype(float) + 1e-9)
    np.testing.assert_allclose((x, y), matrix[:, :2] @ (31, 21) + matrix[:, 2], atol=0.3)
    assert not np.allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-3)


def test_exact_intensities_rank_with_a_geometry_that_follows_them(tmp_path: Path) -> None:
    path = write_rendered(tmp_path, 432) / "faces-00000.parquet"
    table = pq.read_table(path)
    points = np.array(table["landmarks"].to_pylist()).reshape(-1, 68, 2)
    points[:, [48, 54], 1] += 4 * table["AU15"].to_numpy()[:, None]  # corners of the mouth sink
    table = table.set_column(
        table.schema.get_field_index("landmarks"),
        "landmarks",
        pa.array(points.reshape(-1, 136).tolist(), pa.list_(pa.float32(), 136)),
    )
    pq.write_table(table, path)
    rows = consistency.exact_ranks(tmp_path)
    heading, cells = rows[0].split(" | "), rows[2].split(" | ")
    assert cells[heading.index("AU15")].startswith("1.00")


def test_the_table_of_clips_counts_tracks_and_frames() -> None:
    rng = np.random.default_rng(0)
    course = np.sin(np.linspace(0, 6, 80))
    scores = dict.fromkeys(UNITS, 0.5 + 0.3 * course)
    noisy = {unit: values + rng.normal(0, 0.1, 80) for unit, values in scores.items()}
    lines = consistency.tracks_table({"a.mp4": [(scores, scores), (noisy, scores)]})
    assert len(lines) == 2 + len(UNITS)
    clip, tracks, n, unit, noise, spread, rank = lines[2].strip("| ").split(" | ")
    assert (clip, tracks, n, unit) == ("a.mp4", "2", "160", "AU01")
    assert 0.03 < float(noise) < 0.07  # the mean of none and about 0.1
    assert 0.15 < float(spread) < 0.3
    assert 0.8 < float(rank) < 1


def test_the_table_of_rendered_persons_says_what_is_missed() -> None:
    values = {
        "AUC AU01": 0.8,
        "AUC AU04": 0.95,
        "mean AUC, 2 units": 0.875,
        "intensity error AU01": 0.5,
        "mean intensity error, 1 units": 0.5,
        "side AUC AU04": 0.9,
        "mean side AUC, 1 units": 0.9,
    }
    metrics = [MetricValue(name=name, value=value, low=value, high=value, n=9) for name, value in values.items()]
    heading, _, *rows, _, aims = consistency.rendered_table(metrics)
    assert heading == "|  | AUC | intensity error | side AUC |"
    first, second, mean = (row.strip("| ").split(" | ") for row in rows)
    assert first == ["AU01", "0.800 [0.800, 0.800]", "0.500 [0.500, 0.500]", "-"]
    assert second == ["AU04", "0.950 [0.950, 0.950]", "-", "0.900 [0.900, 0.900]"]
    assert mean[0] == "mean"
    assert mean[1].startswith("0.875")
    assert aims == "Aimed at: a mean AUC of 0.90 (missed), a mean error of 0.7 (met)."
