# SPDX-License-Identifier: Apache-2.0
"""eGeMAPS: openSMILE block by block."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mien.affect import create_audio_encoder
from mien.affect.audio.egemaps import EGemaps
from mien.core import ConfigError


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


class Smile:
    """Stands for openSMILE: one descriptor, the mean of every 10 ms."""

    feature_names = ("mean",)

    def process_signal(self, samples: np.ndarray, rate_hz: int) -> pd.DataFrame:
        assert rate_hz == 16_000
        steps = samples[: len(samples) // 160 * 160].reshape(-1, 160).mean(axis=1)
        start = pd.to_timedelta(np.arange(len(steps)) * 0.01, unit="s")
        return pd.DataFrame({"mean": steps}, index=pd.MultiIndex.from_arrays([start], names=["start"]))


def test_times_go_on_from_block_to_block_and_a_short_last_block_is_left_out() -> None:
    encoder = EGemaps(Smile(), "1.0")
    assert (encoder.n_features, encoder.labels) == (1, ("mean",))
    assert "1.0" in encoder.digest
    first, second = np.full(3200, 2, np.float32), np.full(1600, 3, np.float32)
    parts = list(encoder.encode([first, second, first[:100]]))
    np.testing.assert_allclose(np.concatenate([times for times, _ in parts]), np.arange(30) * 0.01, atol=1e-12)
    assert np.concatenate([vectors for _, vectors in parts])[:, 0].tolist() == [2.0] * 20 + [3.0] * 10


def test_egemaps_takes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", SimpleNamespace())
    with pytest.raises(ConfigError, match="takes no file, got 'x'"):
        create_audio_encoder("egemaps=x")
