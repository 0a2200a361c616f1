# SPDX-License-Identifier: Apache-2.0
"""Every action unit moves what its FACS name says, on the side that it should."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ACTION_UNITS, ConfigError
from mien.synthesis import COLLINEAR_UNITS, UNIT_ACTIONS, HeadBasis, UnitVector
from mien.synthesis.head.actions import SPEECH_ACTIONS
from mien.synthesis.rendering.truth import eyeballs, landmark_places

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Moved:
    """Basis, and offsets of vertices (V, 3) and landmarks (68, 3) in decimetres; x grows to the person's left."""

    b: HeadBasis
    v: Floats
    d: Floats


def moved(basis: HeadBasis, units: UnitVector) -> Moved:
    weights = np.zeros(len(basis.names))
    for name, weight in units.actions().items():
        weights[basis.index[f"action/{name}"]] = weight
    vertices = basis.vertices(weights)
    places = landmark_places(basis, vertices) - landmark_places(basis, basis.mean)
    return Moved(basis, vertices - basis.mean, places)


def at(basis: HeadBasis, place: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(basis.mean - np.array(place), axis=1) < 0.11)


# Unit -> what its name says of the mean head at intensity 1.
EFFECTS: dict[str, Callable[[Moved], bool]] = {
    "AU01": lambda m: m.d[[21, 22], 1].min() > 0.04 and abs(m.d[[17, 26], 1]).max() < 0.02,
    "AU02": lambda m: m.d[[18, 25], 1].min() > 0.015 and m.d[[18, 25], 1].min() > m.d[[21, 22], 1].max(),
    "AU04": lambda m: m.d[[19, 20, 21, 22, 23, 24], 1].max() < -0.03,
    "AU05": lambda m: m.d[[37, 38, 43, 44], 1].min() > 0.02 and abs(m.d[[48, 54]]).max() < 0.01,
    "AU06": lambda m: m.v[at(m.b, (0.45, 6.98, 1.25)), 1].mean() > 0.10 and 0.01 < m.d[[46, 47], 1].min() < 0.04,
    "AU07": lambda m: m.d[[40, 41, 46, 47], 1].min() > 0.03 and abs(m.d[[17, 26]]).max() < 0.01,
    "AU09": lambda m: m.d[[31, 35], 1].min() > 0.02 and m.d[[21, 22], 1].max() < -0.02,
    "AU10": lambda m: m.d[[50, 51, 52], 1].min() > 0.02 and abs(m.d[[57], 1]).max() < 0.02,
    "AU12": lambda m: m.d[[48, 54], 1].min() > 0.08 and m.d[54, 0] > 0.04 and m.d[48, 0] < -0.04,
    # The corners go back and hardly up: no smile.
    "AU14": lambda m: (
        m.d[[48, 54], 2].max() < -0.03
        and m.d[[48, 54], 1].max() < 0.25 * m.d[54, 0]
        and m.v[at(m.b, (0.38, 6.65, 1.3)), 2].mean() < -0.03
    ),
    "AU15": lambda m: m.d[[48, 54], 1].max() < -0.03 and abs(m.d[[51], 1]).max() < 0.02,
    "AU16": lambda m: m.d[57, 1] < -0.02 and abs(m.d[51, 1]) < 0.01,
    "AU17": lambda m: m.d[57, 1] > 0.03 and m.d[57, 2] > 0.01,
    "AU18": lambda m: m.d[54, 0] < -0.02 and m.d[48, 0] > 0.02 and m.d[[51, 57], 2].min() > 0.03,
    "AU19": lambda m: m.v[m.b.vertices_of("tongue"), 2].max() > 0.2,
    "AU20": lambda m: m.d[54, 0] > 0.03 and m.d[48, 0] < -0.03 and m.d[[48, 54], 1].max() < 0,
    "AU22": lambda m: m.d[51, 1] > 0.02 and m.d[57, 1] < -0.02 and m.d[54, 0] < 0 < m.d[48, 0],
    "AU23": lambda m: m.d[51, 1] < -0.03 and m.d[57, 1] > 0.03 and m.d[54, 0] < -0.02,
    "AU24": lambda m: m.d[51, 1] < -0.03 and m.d[57, 1] > 0.03 and abs(m.d[54, 0]) < 0.01,
    "AU25": lambda m: (m.d[[61, 62, 63], 1] - m.d[[67, 66, 65], 1]).min() > 0.02,
    "AU26": lambda m: m.d[8, 1] < -0.08 and abs(m.d[[27, 30], 1]).max() < 0.02,
    "AU27": lambda m: m.d[8, 1] < -0.16,
    "AU28": lambda m: m.d[51, 1] < -0.05 and m.d[51, 2] < -0.03,
    "AU29": lambda m: m.d[8, 2] > 0.05,
    "AU30": lambda m: m.d[8, 0] > 0.04,
    "AU34": lambda m: m.v[at(m.b, (0.5, 6.7, 1.1)), 2].mean() > 0.05,
    "AU45": lambda m: m.d[[37, 38, 43, 44], 1].max() < -0.08,
    "AU61": lambda m: m.v[iris(m.b), 0].mean() > 0.03,
    "AU62": lambda m: m.v[iris(m.b), 0].mean() < -0.03,
    "AU63": lambda m: m.v[iris(m.b), 1].mean() > 0.015,
    "AU64": lambda m: m.v[iris(m.b), 1].mean() < -0.03,
}


def iris(basis: HeadBasis) -> npt.NDArray[np.int64]:
    """Front vertices of both eyeballs."""
    left, right = eyeballs(basis)
    return np.concatenate([eye[basis.mean[eye, 2] >= np.quantile(basis.mean[eye, 2], 0.9)] for eye in (left, right)])


def test_every_unit_has_a_test_of_its_effect() -> None:
    assert set(EFFECTS) == set(UNIT_ACTIONS)
    assert set(ACTION_UNITS.labels) <= set(UNIT_ACTIONS)
    assert all(UNIT_ACTIONS[unit].facs == name for unit, name in ACTION_UNITS.items())


@pytest.mark.parametrize("unit", UNIT_ACTIONS)
def test_a_unit_moves_what_its_name_says(basis: HeadBasis, unit: str) -> None:
    assert EFFECTS[unit](moved(basis, UnitVector({unit: 1.0})))


@pytest.mark.parametrize("unit", [unit for unit, entry in UNIT_ACTIONS.items() if entry.sided])
def test_a_side_moves_that_side_of_the_person(basis: HeadBasis, unit: str) -> None:
    for sides, sign in (((1.0, 0.0), 1), ((0.0, 1.0), -1)):
        energy = (moved(basis, UnitVector({unit: sides})).v ** 2).sum(1)
        inside = energy[sign * basis.mean[:, 0] > 0.02].sum() / energy.sum()
        assert inside > (0.7 if unit == "AU16" else 0.9)  # the middle of the lower lip belongs to both sides


def test_the_table_uses_every_facial_action(basis: HeadBasis) -> None:
    used = set(SPEECH_ACTIONS)
    for unit in UNIT_ACTIONS:
        used |= set(UnitVector({unit: 1.0}).actions())
    assert used == set(basis.actions)
    assert len(basis.actions) == 52


def test_intensity_grows_evenly_and_jaw_and_lids_stop() -> None:
    half, full = (UnitVector({"AU12": value}).actions()["mouthSmileLeft"] for value in (0.5, 1.0))
    assert full == pytest.approx(2 * half)
    assert UnitVector({"AU26": 1.0, "AU27": 1.0}).actions()["jawOpen"] == 1.0
    assert UnitVector({"AU45": 1.0}).actions()["eyeBlinkLeft"] == 0.95


def test_blend_is_linear_on_each_side() -> None:
    blend = UnitVector({"AU12": (1.0, 0.2)}).blend(UnitVector({"AU04": 0.8}), 0.25)
    assert blend.side("AU12", "left") == pytest.approx(0.75)
    assert blend.side("AU12", "right") == pytest.approx(0.15)
    assert blend["AU04"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("units", "message"),
    [({"AU99": 0.5}, "no action unit"), ({"AU25": (0.1, 0.2)}, "no sides"), ({"AU12": 1.2}, r"in \[0, 1\]")],
)
def test_wrong_vectors_are_errors(units: dict[str, float | tuple[float, float]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UnitVector(units)


def test_collinear_pairs_are_known_units() -> None:
    assert {unit for pair in COLLINEAR_UNITS for unit in pair} <= set(UNIT_ACTIONS)
