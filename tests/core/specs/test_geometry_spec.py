# SPDX-License-Identifier: Apache-2.0
"""The description of a geometry bundle is read strictly and survives JSON."""

import json

import pytest

from mien.core import ConfigError, GeometrySpec, MetricValue, ModelError

SPEC = GeometrySpec(
    geometry_version=1,
    name="mine",
    version="1",
    sha256="00",
    points="published",
    n_components=9,
    metrics=(MetricValue(name="CCC valence", n=5, value=0.5, low=0.1, high=0.9),),
)


def test_json_and_back() -> None:
    assert GeometrySpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": "eyes"}, "points must be one of"),
        ({"n_components": 0}, "n_components must be from 1 to 200, got 0"),
        ({"name": " "}, "name must be 1 to 200 printable characters"),
        ({"surprise": 1}, r"unknown keys \['surprise'\]"),
        ({"geometry_version": 2}, "geometry_version 2 is not 1; this mien cannot read it, update mien"),
    ],
)
def test_slips_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        GeometrySpec.from_json(SPEC.to_json() | changes)
    if "surprise" not in changes and "geometry_version" not in changes:
        with pytest.raises(ConfigError, match=message):
            GeometrySpec(**({"geometry_version": 1, "version": "1", "sha256": ""} | SPEC.to_json() | changes))  # type: ignore[arg-type]
