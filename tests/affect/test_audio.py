# SPDX-License-Identifier: Apache-2.0
"""Audio encoders: blocks give what the whole gives, and frames find their step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mien.affect import FakeAudioEncoder, align_audio, create_audio_encoder
from mien.affect.audio.speech_model import OnnxAudio
from mien.core import ConfigError, MissingExtraError, ModelError
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


def test_frames_take_the_step_of_the_recipe() -> None:
    assert align_audio(149, 75).tolist() == [int(i * 149 / 75) for i in range(75)]
    assert align_audio(3, 7).tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert align_audio(3, 0).tolist() == []
    with pytest.raises(ConfigError):
        align_audio(0, 3)


def test_encoders_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAudioEncoder()
    assert create_audio_encoder(fake) is fake
    with pytest.raises(ConfigError, match="egemaps"):
        create_audio_encoder("egemap")
    with pytest.raises(ConfigError, match="onnx=FILE"):
        create_audio_encoder("onnx")
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        create_audio_encoder(f"onnx={tmp_path / 'absent.onnx'}")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        create_audio_encoder(f"onnx={tmp_path / 'bad.onnx'}")
    monkeypatch.setitem(__import__("sys").modules, "opensmile", None)
    with pytest.raises(MissingExtraError, match=r"mien\[audio\]"):
        create_audio_encoder("egemaps")


def test_egemaps() -> None:
    pytest.importorskip("opensmile", reason="needs the extra audio")
    encoder = create_audio_encoder("egemaps")
    tone = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32) * 0.5
    parts = list(encoder.encode([tone, tone, tone[:100]]))
    assert [vectors.shape[1] for _, vectors in parts] == [25, 25]
    assert np.diff(parts[0][0]) == pytest.approx(0.01)
    assert parts[1][0][0] == pytest.approx(1.0)
    pitch = parts[0][1][20:-20, list(encoder.labels).index("F0semitoneFrom27.5Hz_sma3nz")]
    assert np.median(pitch) == pytest.approx(12 * np.log2(200 / 27.5), abs=0.5)
