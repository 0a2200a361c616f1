# SPDX-License-Identifier: Apache-2.0
"""Training sets: columns that fit, `take`, joining with records, and pictures decoded into a cache."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError, DatasetError
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_set import join_sets
from tests.helpers.synthetic_data import create_landmark_samples, create_recipe, create_samples, create_vector_recipe

ONE, TWO = (SourceRecord(title=title, licence="") for title in ("one", "two"))


@pytest.mark.parametrize("rows", [[5, 0, 3], np.arange(12) % 2 == 0, np.array([], np.intp)])
@pytest.mark.parametrize("kind", ["pictures", "vectors", "landmarks"])
def test_take_chooses_rows_of_every_column(kind: str, rows: object) -> None:
    samples = {
        "pictures": lambda: create_samples(12, create_recipe()),
        "vectors": lambda: create_samples(12, create_vector_recipe()),
        "landmarks": lambda: create_landmark_samples(12),
    }[kind]()
    samples = dataclasses.replace(samples, records=(ONE, TWO), record=(np.arange(12) > 5).astype(np.intp))
    taken, chosen = samples.take(rows), np.arange(12)[np.asarray(rows)]
    assert taken.groups == tuple(samples.groups[row] for row in chosen)
    assert len(taken) == len(taken.inputs) == len(chosen)
    for name in ("keypoints", "primary", "record"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(samples, name)[chosen])
    for task, values in samples.targets.items():
        np.testing.assert_array_equal(taken.targets[task], values[chosen])
    if len(chosen) and kind != "vectors":
        np.testing.assert_array_equal(taken.inputs[0], samples.inputs[chosen[0]])


def test_columns_that_do_not_fit_are_refused() -> None:
    samples = create_samples(12, create_vector_recipe())
    with pytest.raises(ConfigError, match="'primary'"):
        dataclasses.replace(samples, primary=np.ones(3, bool))
    with pytest.raises(ConfigError, match="'record'"):
        dataclasses.replace(samples, record=np.zeros(3, np.intp))


def test_joined_sets_keep_their_records_and_unknown_tasks() -> None:
    samples = create_samples(6, create_vector_recipe())
    first = dataclasses.replace(samples, records=(ONE,))
    bare = {"expression": samples.targets["expression"]}
    second = dataclasses.replace(
        samples, records=(TWO, ONE), record=np.array([0, 0, 0, 1, 1, 1]),
        targets=bare, labels={"expression": samples.labels["expression"]},
    )  # fmt: skip
    joined = join_sets([first, second])
    assert joined.records == (ONE, TWO)
    assert joined.record.tolist() == [0] * 6 + [1] * 3 + [0] * 3
    assert not joined.known("action_units")[6:].any()
    np.testing.assert_array_equal(joined.known("action_units")[:6], samples.known("action_units"))
    assert join_sets([first]) is first
    with pytest.raises(ConfigError, match="name expression differently"):
        join_sets([first, dataclasses.replace(second, labels={"expression": tuple("abcdefgh")})])
    with pytest.raises(DatasetError, match="no set"):
        join_sets([])
    with pytest.raises(DatasetError, match="cannot be joined"):
        join_sets([samples, create_samples(6, create_recipe())])


def test_a_cached_set_leaves_damaged_pictures_out(tmp_path: Path) -> None:
    samples = create_samples(6, create_recipe())
    damaged = dataclasses.replace(samples.inputs, origins=(b"", *samples.inputs.origins[1:]))
    cached = dataclasses.replace(samples, inputs=damaged).cached(tmp_path, 64)
    assert cached.groups == samples.groups[1:]
    np.testing.assert_array_equal(cached.inputs[0], samples.inputs[1])
    assert len(samples.cached(tmp_path, 64)) == 6
    vectors = create_samples(6, create_vector_recipe())
    assert vectors.cached(tmp_path, 64) is vectors


def test_joined_sets_unite_their_action_units_and_number_their_domains() -> None:
    samples = create_samples(6, create_vector_recipe())
    rendered = dataclasses.replace(
        samples,
        targets={"action_units": np.full((6, 2), 0.5, np.float32)},
        labels={"action_units": ("AU12", "AU09")},
        records=(dataclasses.replace(ONE, own_statistics=True),),
    )
    joined = join_sets([dataclasses.replace(samples, records=(TWO,)), rendered])
    names = joined.labels["action_units"]
    assert names == tuple(sorted({*samples.labels["action_units"], "AU09"}))
    own = [names.index(name) for name in samples.labels["action_units"]]
    np.testing.assert_array_equal(joined.targets["action_units"][:6, own], samples.targets["action_units"])
    assert np.isnan(joined.targets["action_units"][:6, names.index("AU09")]).all()
    assert (joined.targets["action_units"][6:, [names.index("AU09"), names.index("AU12")]] == 0.5).all()
    assert np.isnan(joined.targets["action_units"][6:, names.index("AU01")]).all()
    assert np.isnan(joined.targets["expression"][6:]).all()
    assert joined.domains.tolist() == [0] * 6 + [1] * 6
    assert samples.domains.tolist() == [0] * 6
