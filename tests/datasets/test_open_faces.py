# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import ConfigError, DatasetError
from mien.datasets import concatenate, load_ferplus, load_lfw, load_open_faces, load_pictures, load_votes, person


@pytest.mark.parametrize(
    ("name", "stem"),
    [("Ricardo_Lagos_0003.jpg", "ricardo_lagos"), ("HrithikRoshan_35.jpg", "hrithikroshan"), ("A-B_1.jpg", "a-b")],
)
def test_person_of_a_file_name(name: str, stem: str) -> None:
    assert person(name) == stem


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.parquet: no such file"):
        load_pictures(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DatasetError, match=r"text\.parquet: not a Parquet file"):
        load_pictures(tmp_path / "text.parquet")
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "short.parquet")
    with pytest.raises(DatasetError, match=r"\['image'\] are missing"):
        load_pictures(tmp_path / "short.parquet")


def test_ferplus_valid(shared_data: Path) -> None:
    assert load_votes(shared_data / "ferplus/valid.parquet").shape == (3579, 10)
    samples = load_ferplus(shared_data, "valid")
    assert 3500 < len(samples) <= 3555
    np.testing.assert_allclose(samples.expression.sum(axis=1), 1, atol=1e-5)
    assert np.abs(samples.valence_arousal).max() < 0.8
    assert 0.02 < np.isnan(samples.action_units).mean() < 0.1


def test_nobody_both_teaches_and_tests(shared_data: Path) -> None:
    parts = load_lfw(shared_data, "train"), load_lfw(shared_data, "test")
    taught, tested = ({person(name) for name in part.names} for part in parts)
    assert not taught & tested
    assert 0.2 < len(tested) / len(taught | tested) < 0.3


def test_calibration_faces_are_not_taught(shared_data: Path) -> None:
    faces = load_open_faces(shared_data, calibration_rows=100)
    assert len(faces.calibration) == 100
    assert not set(faces.calibration.names) & set(faces.train.names)
    assert faces.voted.sum() + 100 == len(load_ferplus(shared_data, "train"))
    assert np.isnan(faces.train.valence_arousal[~faces.voted]).all()


def test_samples_refuse_columns_that_do_not_fit(shared_data: Path) -> None:
    samples = load_lfw(shared_data, "test")
    both = concatenate([samples.take([3]), samples.take(np.arange(len(samples)) == 5)])
    assert both.names == (samples.names[3], samples.names[5])
    with pytest.raises(ConfigError, match="expression must have shape"):
        type(samples)(**{**vars(samples), "expression": samples.expression[:-1]})
