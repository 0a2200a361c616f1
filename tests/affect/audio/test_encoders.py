# SPDX-License-Identifier: Apache-2.0
"""Audio encoders by name, and the step of sound that belongs to a frame."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mien.affect import FakeAudioEncoder, align_audio, create_audio_encoder
from mien.core import ConfigError, MissingExtraError, ModelError


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
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingExtraError, match=r"\[audio\]"):
        create_audio_encoder("egemaps")


def test_the_fake_encoder_gives_a_vector_every_tenth_of_a_second() -> None:
    sound = np.repeat(np.float32([0.5, -1.0, 2.0]), 1600)
    parts = list(FakeAudioEncoder().encode([sound[:2000], sound[2000:], sound[:10]]))
    np.testing.assert_allclose(np.concatenate([times for times, _ in parts]), [0.0, 0.1, 0.2])
    np.testing.assert_allclose(np.concatenate([vectors for _, vectors in parts]), [[0.5, 0.5], [-1, 1], [2, 2]])


def test_an_object_without_the_methods_is_no_encoder() -> None:
    with pytest.raises(ConfigError, match="got int"):
        create_audio_encoder(3)  # type: ignore[arg-type]  # the mistake under test
