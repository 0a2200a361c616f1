# SPDX-License-Identifier: Apache-2.0
"""The port of super-resolution: sizes, gray images, large images, what a network may not return, names and costs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from mien.core import ConfigError, Float32, Image, ModelError
from mien.synthesis import UPSCALERS, Upscaler, create_upscaler, measure_upscalers
from mien.synthesis.super_resolution.upscaler import BicubicNetwork

RNG = np.random.default_rng(0)
FACE = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)


class FakeNetwork:
    """Repeats every pixel four times in both directions, after a function of the pixels."""

    factor = 4
    digest = "fake"

    def __init__(self, slip: Float32 | None = None) -> None:
        self.seen: list[Float32] = []
        self.slip = slip

    def enlarge(self, pixels: Float32) -> Float32:
        self.seen.append(pixels)
        return self.slip if self.slip is not None else pixels.repeat(4, axis=1).repeat(4, axis=2)


def with_fake(**settings: int) -> Upscaler:
    return Upscaler(name="fake", network=FakeNetwork(), **settings)


def test_a_network_of_factor_4_is_reduced_to_the_scale() -> None:
    assert with_fake()(FACE).tolist() == FACE.repeat(2, axis=0).repeat(2, axis=1).tolist()
    assert with_fake(scale=4)(FACE).shape == (48, 40, 3)


def test_a_network_gets_rgb_in_0_to_1_channels_first() -> None:
    network = FakeNetwork()
    Upscaler(name="fake", network=network)(FACE)
    (pixels,) = network.seen
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    np.testing.assert_allclose(pixels[0] * 255, FACE[..., 0], atol=1e-4)


@pytest.mark.parametrize("image", [FACE[..., 0], np.repeat(FACE[..., :1], 3, axis=2)], ids=["(H, W)", "(H, W, 3)"])
def test_gray_stays_gray(image: Image) -> None:
    class Coloured(FakeNetwork):
        def enlarge(self, pixels: Float32) -> Float32:
            tint = np.array([-0.3, 0, 0.3], np.float32)[:, None, None]
            return super().enlarge(0.4 + 0.2 * pixels) + tint

    result = Upscaler(name="fake", network=Coloured())(image)
    assert result.ndim == image.ndim
    channel = result if result.ndim == 2 else result[..., 0]
    assert (result == (channel if result.ndim == 2 else channel[..., None])).all()
    expected = 0.4 * 255 + 0.2 * FACE[..., 0].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(channel, expected, atol=1)


def test_values_outside_are_clipped() -> None:
    class Overshoot(FakeNetwork):
        def enlarge(self, pixels: Float32) -> Float32:
            return 3 * super().enlarge(pixels) - 1

    result = Upscaler(name="fake", network=Overshoot(), scale=4)(FACE)
    expected = np.clip(3 * FACE.astype(float) - 255, 0, 255).repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_allclose(result, expected, atol=1)


def test_tiles_do_not_show_and_bound_the_input() -> None:
    """The overlap covers what bicubic interpolation sees, so that tiles give the same pixels as the whole image."""

    class Spy(BicubicNetwork):
        sides: ClassVar[list[int]] = []

        def enlarge(self, pixels: Float32) -> Float32:
            self.sides += pixels.shape[1:]
            return super().enlarge(pixels)

    image = RNG.integers(0, 256, (256, 150, 3), dtype=np.uint8)
    whole = BicubicNetwork(2).enlarge(image.transpose(2, 0, 1).astype(np.float32) / 255)
    expected = np.clip(whole.transpose(1, 2, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
    result = Upscaler(name="spy", network=Spy(2))(image)
    # Interpolation in float32 rounds otherwise at another offset.
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert len(Spy.sides) == 8
    assert max(Spy.sides) <= 128 + 2 * 10


def test_large_images_stay_unchanged() -> None:
    upscaler = with_fake(max_side_px=11)
    assert upscaler(FACE) is FACE
    assert upscaler(FACE[:11]).shape == (22, 20, 3)


@pytest.mark.parametrize(
    "slip", [np.zeros((3, 12, 10), np.float32), np.full((3, 48, 40), np.nan, np.float32)], ids=["shape", "nan"]
)
def test_a_network_that_fails_is_named(slip: Float32) -> None:
    with pytest.raises(ModelError, match="fake: expected finite pixels"):
        Upscaler(name="fake", network=FakeNetwork(slip))(FACE)


def test_bicubic_follows_a_ramp() -> None:
    ramp = np.tile(np.arange(8, dtype=np.uint8) * 20, (8, 1))
    result = create_upscaler("bicubic")(ramp)
    # The centre of pixel i of the result lies at (i + 0.5) / 2 - 0.5 of the source.
    np.testing.assert_allclose(result[8, 4:12], [20 * ((i + 0.5) / 2 - 0.5) for i in range(4, 12)], atol=1)


def test_the_digest_follows_everything_that_decides_the_result() -> None:
    digests = {with_fake().digest, with_fake(scale=4).digest, with_fake(max_side_px=9).digest}
    digests.add(Upscaler(name="bicubic", network=BicubicNetwork(2)).digest)
    assert len(digests) == 4
    assert create_upscaler("bicubic").digest == create_upscaler("bicubic").digest


@pytest.mark.parametrize(("scale", "threads"), [(1, 1), (5, 1), (2, 0)])
def test_numbers_out_of_range_are_errors(scale: int, threads: int) -> None:
    with pytest.raises(ConfigError, match="scale must be in"):
        create_upscaler("bicubic", scale=scale, threads=threads)


def test_costs_have_a_reason_where_a_network_cannot_run() -> None:
    good, bad = measure_upscalers(["bicubic", "missing.onnx"], sizes_px=[8], n_runs=1)
    assert good.cpu_ms is not None
    assert (bad.cpu_ms, bad.size_px) == (None, 8)
    assert "missing.onnx" in bad.reason


def test_every_network_has_its_licence() -> None:
    assert all(UPSCALERS[name].licence and UPSCALERS[name].summary for name in UPSCALERS)
