# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError, ModelError
from mien.inference import create_session, load_bundle
from mien.training import JoinSettings, join_bundles, joined_parts
from mien.training.export.bundle_files import write_bundle
from mien.training.export.joined_bundles import mirrored_graph
from tests.helpers.small_graphs import SIZE, small_graph, small_spec


def write(folder: Path, temperature: float, **changes: object) -> Path:
    spec = small_spec(small_graph())
    expression, *others = spec.tasks
    tasks = (dataclasses.replace(expression, temperature=temperature), *others)
    write_bundle(folder, small_graph(), dataclasses.replace(spec, **{"tasks": tasks, **changes}))  # type: ignore[arg-type]
    return folder


def test_logits_over_temperature_and_values_are_averaged_and_the_rest_is_the_first_ones(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 0.5), write(tmp_path / "b", 2.0)
    join_bundles(first, second, tmp_path / "joined", name="joined")
    crops = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)
    one = load_bundle(first).run(crops)
    joined = load_bundle(tmp_path / "joined")
    both = joined.run(crops)
    expression = joined.spec.task("expression")
    assert expression is not None
    assert expression.temperature == 1.0
    mean = one["expression_logits"] * (0.5 / 0.5 + 0.5 / 2.0)
    np.testing.assert_allclose(
        both["expression_logits"], mean, rtol=2e-3, atol=2e-3
    )  # weights of the second are halved
    np.testing.assert_allclose(both["valence_arousal"], one["valence_arousal"], rtol=2e-3, atol=2e-3)
    for name in ("action_unit_logits", "features"):
        np.testing.assert_array_equal(both[name], one[name])


def test_the_result_says_what_it_is_made_of(tmp_path: Path) -> None:
    first = write(tmp_path / "a", 0.5, limitations=("One.",))
    second = write(tmp_path / "b", 1.0, limitations=("Two.",))
    spec = join_bundles(first, second, tmp_path / "joined", name="joined", version="3")
    assert (spec.name, spec.version, spec.metrics) == ("joined", "3", ())
    assert spec.provenance.startswith("mean of small")
    assert spec.limitations == ("One.", "Two.")


def test_bundles_that_read_other_crops_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a", 1.0)
    crop = small_spec(small_graph()).crop
    moved = dataclasses.replace(crop, template=tuple((x + 0.01, y) for x, y in crop.template))
    second = write(tmp_path / "b", 1.0, crop=moved)
    with pytest.raises(ModelError, match="cannot be joined: their templates differ"):
        join_bundles(first, second, tmp_path / "joined", name="joined")


def test_the_parts_of_a_joined_graph_compute_what_they_did(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 1.0), write(tmp_path / "b", 1.0)
    join_bundles(first, second, tmp_path / "joined", name="joined", halve=False)
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 1), dtype=np.uint8)
    parts = joined_parts((tmp_path / "joined" / "model.onnx").read_bytes())
    assert len(parts) == 2
    for graph in parts:
        expected = create_session(small_graph()).run({"crops": crops})
        found = create_session(graph).run({"crops": crops})
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-5)
    assert joined_parts(small_graph()) == [small_graph()]


def test_a_result_keeps_neither_quality_nor_the_verdict_of_a_variant(tmp_path: Path) -> None:
    first = write(tmp_path / "a", 1.0, limitations=("One.", "Compared with small, the worst loss is small."))
    spec = join_bundles(first, write(tmp_path / "b", 1.0), tmp_path / "joined", name="joined")
    assert spec.limitations == ("One.",)
    assert spec.quality is None


def test_a_result_in_the_place_of_a_part_is_refused(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 1.0), write(tmp_path / "b", 1.0)
    with pytest.raises(ConfigError, match="is one of the two bundles itself"):
        join_bundles(first, second, second, name="joined")


def test_shares_weigh_the_networks_by_task(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 0.5), write(tmp_path / "b", 2.0)
    settings = JoinSettings(shares={"expression": 0.25})
    spec = join_bundles(first, second, tmp_path / "joined", name="joined", settings=settings, halve=False)
    assert "0.25 of the second in expression" in spec.provenance
    crops = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)
    one, both = load_bundle(first).run(crops), load_bundle(tmp_path / "joined").run(crops)
    mean = one["expression_logits"] * (0.75 / 0.5 + 0.25 / 2.0)
    np.testing.assert_allclose(both["expression_logits"], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(both["valence_arousal"], one["valence_arousal"], rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match="not for"):
        JoinSettings(shares={"action_units": 0.5})
    with pytest.raises(ConfigError, match="within"):
        JoinSettings(shares={"expression": 1.5})


def test_a_mirrored_result_is_the_mean_of_a_crop_and_its_mirror_image(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 0.5), write(tmp_path / "b", 1.0)
    plain = join_bundles(first, second, tmp_path / "plain", name="plain", halve=False)
    views = JoinSettings(mirrored=True)
    join_bundles(first, second, tmp_path / "views", name="views", settings=views, halve=False)
    crops = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)
    one = load_bundle(tmp_path / "plain")
    expected, other = one.run(crops), one.run(np.ascontiguousarray(crops[:, :, ::-1]))
    found = load_bundle(tmp_path / "views").run(crops)
    assert set(found) == set(expected) == set(plain.output_names)
    for name, values in expected.items():
        assert not np.allclose(values, other[name])
        np.testing.assert_allclose(found[name], (values + other[name]) / 2, atol=1e-5)
    assert len(joined_parts((tmp_path / "views" / "model.onnx").read_bytes())) == 2


def test_sides_change_sides_in_the_mirror() -> None:
    spec = small_spec(small_graph())
    units = spec.task("action_units")
    assert units is not None
    sides = dataclasses.replace(
        units,
        task="action_unit_sides",
        labels=("AU12_left", "AU12_right"),
        activation="identity",
        high=5.0,
        thresholds=(),
    )
    spec = dataclasses.replace(spec, tasks=(*(task for task in spec.tasks if task != units), sides))
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 1), dtype=np.uint8)
    plain, views = create_session(small_graph()), create_session(mirrored_graph(small_graph(), spec))
    one, two = (plain.run({"crops": own})[sides.output] for own in (crops, crops[:, :, ::-1]))
    found = views.run({"crops": crops})[sides.output]
    np.testing.assert_allclose(found[:, 0], (one[:, 0] + two[:, 1]) / 2, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], (one[:, 1] + two[:, 0]) / 2, atol=1e-5)


def test_the_parts_of_a_join_of_joins_are_all_networks(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", 1.0), write(tmp_path / "b", 1.0)
    join_bundles(first, second, tmp_path / "two", name="two", halve=False)
    join_bundles(tmp_path / "two", second, tmp_path / "three", name="three", halve=False)
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 1), dtype=np.uint8)
    parts = joined_parts((tmp_path / "three" / "model.onnx").read_bytes())
    assert len(parts) == 3
    expected = create_session(small_graph()).run({"crops": crops})
    for graph in parts:
        for name, values in create_session(graph).run({"crops": crops}).items():
            np.testing.assert_allclose(values, expected[name], atol=1e-5)
