# SPDX-License-Identifier: Apache-2.0
"""`Person`: a sampled identity, with its shape weights and what is visible of it apart from its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.synthesis.head.basis import HeadBasis

Floats = npt.NDArray[np.float32]

_AGES = ((12.0, "child"), (25.0, "young"), (90.0, "old"))
# sRGB skin colours from light to dark, in even steps; every ancestry draws from all of them.
_SKIN_TONES = (
    (246, 216, 198),
    (235, 196, 172),
    (215, 168, 138),
    (186, 138, 105),
    (146, 102, 74),
    (104, 70, 50),
    (68, 45, 34),
)
_HAIR_TONES = ((14, 11, 10), (38, 26, 19), (72, 48, 32), (124, 86, 52), (186, 150, 98), (140, 70, 40))
_GREY = (176, 174, 170)
_IRIS_TONES = ((52, 30, 18), (84, 54, 30), (112, 92, 52), (92, 112, 92), (88, 116, 148))
_TONE_OF_ANCESTRY = np.array([0.85, 0.40, 0.12])
_IDENTITY_SHARE = 0.16
_IDENTITY_SPREAD = 0.32
_MAX_ASYMMETRY = 0.12


@dataclass(frozen=True, eq=False)
class Person:
    """A sampled identity.

    Attributes:
        number: Number of the identity; faces with the same number show the same person.
        age_years: Age of the shape and of skin and hair.
        sex: ``"female"`` or ``"male"``.
        ancestry: Weights of African, Asian and European shapes; they sum to 1.
        weights: (S,) weights of the shapes of the head basis, without actions.
        skin_tone: Position on the scale from light (0) to dark (1) skin.
        skin_rgb: Linear RGB (3,) of the skin.
        hair_rgb: Linear RGB of the hair.
        brow_rgb: Linear RGB of brows and beard.
        iris_rgb: Linear RGB of the iris.
        hair: Cut of the hair.
        hairline_dm: Height of the hairline on the mean head.
        hair_height_dm: Thickness of the hair on the skull.
        hair_length_dm: How far long hair falls below the eyes.
        fringe_dm: Height to which hair falls over the forehead; 9 for none.
        beard: Cut of the beard.
        traits: Further values in [0, 1] for textures, in a fixed order; see `mien.synthesis.rendering.renderer`.
    """

    number: int
    age_years: float
    sex: Literal["female", "male"]
    ancestry: tuple[float, float, float]
    weights: npt.NDArray[np.float64]
    skin_tone: float
    skin_rgb: Floats
    hair_rgb: Floats
    brow_rgb: Floats
    iris_rgb: Floats
    hair: Literal["bald", "short", "long"]
    hairline_dm: float
    hair_height_dm: float
    hair_length_dm: float
    fringe_dm: float
    beard: Literal["none", "stubble", "moustache", "goatee", "full"]
    traits: npt.NDArray[np.float64]


def linear_rgb(srgb: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Linear RGB in [0, 1] of sRGB values in [0, 255].

    Examples:
        >>> linear_rgb([0, 128, 255]).round(3).tolist()
        [0.0, 0.216, 1.0]
    """
    value = np.asarray(srgb, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def sample_person(
    basis: HeadBasis, number: int, rng: np.random.Generator, age_years: tuple[float, float] = (14.0, 80.0)
) -> Person:
    """Draw an identity.

    Args:
        basis: Head basis.
        number: Number of the identity.
        rng: Generator of this identity alone.
        age_years: Youngest and oldest age.
    """
    sex: Literal["female", "male"] = "male" if rng.random() < 0.5 else "female"
    age = float(age_years[0] + (age_years[1] - age_years[0]) * rng.beta(1.1, 1.7))
    ancestry = rng.dirichlet([0.35] * 3)
    weights = _population_weights(basis, sex, age, ancestry, rng) + _detail_weights(basis, rng)
    old = np.clip((age - 30) / 45, 0, 1)
    # Half of the people have any tone, so that it does not tell the shape.
    of_ancestry = float(ancestry @ _TONE_OF_ANCESTRY + rng.normal(0, 0.1))
    tone = float(np.clip(of_ancestry if rng.random() < 0.5 else rng.random(), 0, 1))
    skin = _on_scale(_SKIN_TONES, tone) * np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.08))
    european = float(ancestry[2])
    shades = np.array([0.45, 0.25, 0.14, 0.08, 0.05, 0.03]) * np.array([1, 1, *[0.15 + 1.6 * european] * 4])
    hair = linear_rgb(_HAIR_TONES[rng.choice(6, p=shades / shades.sum())]) * np.exp(rng.normal(0, 0.15))
    grey = float(np.clip(rng.normal(1.2 * old - 0.25, 0.25), 0, 1))
    hair = hair + (linear_rgb(_GREY) - hair) * grey
    brow = (hair * 0.6 + linear_rgb((40, 28, 20)) * 0.4) * (0.9 if grey < 0.5 else 0.8)
    eyes = np.array([0.42, 0.30, 0.10, 0.08, 0.10]) * np.array([1, 1, *[0.1 + 2 * european] * 3])
    long = rng.random() < (0.62 if sex == "female" else 0.08)
    bald = not long and rng.random() < (0.03 if sex == "female" else 0.12 + 0.25 * old)
    fringe = float(rng.uniform(7.52, 7.85)) if not bald and rng.random() < 0.22 else 9.0
    beard = "none"
    if sex == "male" and age > 19:
        beard = str(rng.choice(["none", "stubble", "moustache", "goatee", "full"], p=[0.45, 0.27, 0.06, 0.09, 0.13]))
    return Person(
        number=number,
        age_years=age,
        sex=sex,
        ancestry=(float(ancestry[0]), float(ancestry[1]), float(ancestry[2])),
        weights=weights,
        skin_tone=tone,
        skin_rgb=np.clip(skin, 0.02, 0.9).astype(np.float32),
        hair_rgb=hair.astype(np.float32),
        brow_rgb=np.clip(brow, 0.004, 1).astype(np.float32),
        iris_rgb=linear_rgb(_IRIS_TONES[rng.choice(5, p=eyes / eyes.sum())]).astype(np.float32),
        hair="bald" if bald else "long" if long else "short",
        hairline_dm=float(rng.uniform(7.93, 8.10) + (0.10 * old if sex == "male" else 0.0)),
        hair_height_dm=float(rng.uniform(0.03, 0.20) if not long else rng.uniform(0.08, 0.18)),
        hair_length_dm=float(rng.uniform(0.6, 2.0)),
        fringe_dm=fringe,
        beard=beard,  # type: ignore[arg-type]  # one of the strings above
        traits=rng.random(16),
    )


def skin_colour_at(tone: float) -> Floats:
    """Linear RGB (3,) of the skin at a position on the scale from light (0) to dark (1)."""
    return np.clip(_on_scale(_SKIN_TONES, tone), 0.02, 0.9).astype(np.float32)


def weights_of(
    basis: HeadBasis, sex: str, age: float, ancestry: tuple[float, float, float], seed: int
) -> npt.NDArray[np.float64]:
    """Weights (S,) of the shapes of a person; the same seed gives the same details for another sex or age.

    Args:
        basis: Head basis.
        sex: ``"female"`` or ``"male"``.
        age: Age in years.
        ancestry: Weights of African, Asian and European shapes.
        seed: Seed of build and details.
    """
    of_population = _population_weights(basis, sex, age, np.array(ancestry), np.random.default_rng([seed, 0]))
    return of_population + _detail_weights(basis, np.random.default_rng([seed, 1]))


def _on_scale(colours: tuple[tuple[int, int, int], ...], position: float) -> npt.NDArray[np.float64]:
    scale = linear_rgb(colours)
    place = np.clip(position, 0, 1) * (len(colours) - 1)
    low = min(int(place), len(colours) - 2)
    return np.asarray(scale[low] + (scale[low + 1] - scale[low]) * (place - low))


def _population_weights(
    basis: HeadBasis, sex: str, age: float, ancestry: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Weights of the shapes of age, sex, ancestry and build."""
    years = [limit for limit, _ in _AGES]
    at_age = {name: float(np.interp(age, years, np.eye(3)[i])) for i, (_, name) in enumerate(_AGES)}
    share = rng.uniform(0.8, 1.0)
    of_sex = {"male": share if sex == "male" else 1 - share}
    of_sex["female"] = 1 - of_sex["male"]
    muscle, weight = _build(rng.uniform(0.1, 0.9), "muscle"), _build(rng.uniform(0.1, 0.9), "weight")
    weights = np.zeros(len(basis.names))
    for name, i in basis.index.items():
        if not name.startswith("macro/"):
            continue
        words = name.removeprefix("macro/").split("-")
        value = of_sex[words[1]] * at_age.get(words[2], 0.0)
        if words[0] == "universal":
            value *= muscle[words[3]] * weight[words[4]]
        else:
            value *= ancestry[("african", "asian", "caucasian").index(words[0])]
        weights[i] = value
    return weights


def _build(position: float, noun: str) -> dict[str, float]:
    """Weights of the least, average and greatest amount at a position in [0, 1]."""
    return {
        f"min{noun}": max(0.0, 1 - 2 * position),
        f"average{noun}": 1 - abs(2 * position - 1),
        f"max{noun}": max(0.0, 2 * position - 1),
    }


def _detail_weights(basis: HeadBasis, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Weights of details, alike on both sides but for a little asymmetry."""
    weights = np.zeros(len(basis.names))
    drawn: dict[str, float] = {}
    for name, i in basis.index.items():
        if name.startswith("identity/"):
            detail = name.removeprefix("identity/")
            key = detail[2:] if detail.startswith(("l-", "r-")) else detail
            if key not in drawn:
                size = 0.5 if key.startswith(("head", "neck", "measure")) else 1.0
                drawn[key] = abs(rng.normal()) * _IDENTITY_SPREAD * size if rng.random() < _IDENTITY_SHARE else 0.0
            weights[i] = drawn[key] * (rng.uniform(0.85, 1.15) if key != detail else 1.0)
        elif name.startswith("asymmetry/") and rng.random() < 0.2:
            weights[i] = rng.uniform(0, _MAX_ASYMMETRY)
    return weights
