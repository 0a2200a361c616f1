# SPDX-License-Identifier: Apache-2.0
"""Speech models: blocks of sound give what the whole gives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mien.affect.audio.speech_model import OnnxAudio
from mien.core import ModelError
from mien.inference import FakeSession

FIELD, STRIDE = 400, 320


def convolve(inputs: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
    """Mean and maximum over windows, as the strided convolutions of a speech model step."""
    samples = inputs["sound"][0]
    windows = np.lib.stride_tricks.sliding_window_view(samples, FIELD)[::STRIDE]
    return {"states": np.stack([windows.mean(1), windows.max(1)], axis=1)[None]}


def speech_model(*, normalize: bool = False) -> OnnxAudio:
    session = FakeSession(convolve, input_names=("sound",), output_names=("states",))
    return OnnxAudio(session, "0", normalize=normalize)


@pytest.mark.parametrize("size", [150, 5000, 16000, 100_000])
def test_blocks_give_the_steps_of_the_whole(size: int) -> None:
    samples = np.random.default_rng(2).random(40_123, dtype=np.float32)
    model = speech_model()
    assert (model.stride, model.field, model.n_features) == (STRIDE, FIELD, 2)
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    parts = list(model.encode(blocks))
    whole = convolve({"sound": samples[None]})["states"][0]
    np.testing.assert_allclose(np.concatenate([vectors for _, vectors in parts]), whole, rtol=1e-6)
    np.testing.assert_allclose(np.concatenate([times for times, _ in parts]), np.arange(len(whole)) * 0.02)


def test_blocks_are_normalised() -> None:
    session = FakeSession(convolve, input_names=("sound",), output_names=("states",))
    model = OnnxAudio(session, "0")
    list(model.encode([np.linspace(3, 9, 20_000, dtype=np.float32)]))
    fed = session.calls[-1]["sound"]
    assert abs(fed.mean()) < 1e-4
    assert abs(fed.std() - 1) < 1e-3


def test_sound_too_short_for_a_step() -> None:
    assert list(speech_model().encode([np.zeros(FIELD - 1, np.float32)])) == []


def test_a_graph_of_another_form() -> None:
    def fixed(_: object) -> Mapping[str, npt.NDArray[Any]]:
        return {"states": np.zeros((1, 5, 2), np.float32)}

    with pytest.raises(ModelError, match="free number of samples"):
        OnnxAudio(FakeSession(fixed, input_names=("x",), output_names=("states",)), "0")
    flat = FakeSession(lambda _: {"y": np.zeros((1, 2), np.float32)}, input_names=("x",), output_names=("y",))
    with pytest.raises(ModelError, match="steps"):
        OnnxAudio(flat, "0")
