# SPDX-License-Identifier: Apache-2.0
"""Sampled persons are reproducible, varied, and their skin tone does not give their shape away."""

import numpy as np
import pytest

from mien.synthesis import HeadBasis, sample_person
from mien.synthesis.head.person import Person, linear_rgb


def people(basis: HeadBasis, n: int) -> list[Person]:
    return [sample_person(basis, i, np.random.default_rng([4, i]), (14.0, 80.0)) for i in range(n)]


def test_the_same_generator_gives_the_same_person(basis: HeadBasis) -> None:
    first, second = (sample_person(basis, 7, np.random.default_rng(7)) for _ in range(2))
    assert (first.weights == second.weights).all()
    assert (first.skin_rgb == second.skin_rgb).all()
    assert (first.hair, first.beard, first.age_years) == (second.hair, second.beard, second.age_years)


def test_people_differ_in_everything(basis: HeadBasis) -> None:
    drawn = people(basis, 300)
    assert {person.sex for person in drawn} == {"female", "male"}
    assert {person.hair for person in drawn} == {"bald", "short", "long"}
    assert {person.beard for person in drawn} == {"none", "stubble", "moustache", "goatee", "full"}
    assert all(14 <= person.age_years <= 80 for person in drawn)
    assert all(person.beard == "none" for person in drawn if person.sex == "female")
    tones = np.array([person.skin_tone for person in drawn])
    assert np.histogram(tones, 4, (0, 1))[0].min() > 30
    ancestry = np.array([person.ancestry for person in drawn])
    assert np.allclose(ancestry.sum(1), 1)
    assert abs(np.corrcoef(tones, ancestry[:, 1])[0, 1]) < 0.5


def test_weights_are_those_of_a_mean_population_without_actions(basis: HeadBasis) -> None:
    for person in people(basis, 20):
        macro = {name: person.weights[i] for name, i in basis.index.items() if name.startswith("macro/")}
        build = sum(weight for name, weight in macro.items() if name.startswith("macro/universal"))
        assert build <= 1.001  # the average build is the mean head and has no shape
        assert sum(macro.values()) - build == pytest.approx(1)
        assert all(person.weights[i] == 0 for name, i in basis.index.items() if name.startswith("action/"))
        asymmetry = [person.weights[i] for name, i in basis.index.items() if name.startswith("asymmetry/")]
        assert max(asymmetry) <= 0.12


def test_linear_rgb_inverts_the_srgb_curve() -> None:
    values = np.array([0.0, 10.0, 127.0, 255.0])
    light = linear_rgb(values)
    back = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.allclose(back, values, atol=1e-3)
