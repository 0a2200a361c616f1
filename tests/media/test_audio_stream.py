# SPDX-License-Identifier: Apache-2.0
"""Sampling rate, channels and length of audio, and files without any."""

from pathlib import Path

import av
import numpy as np
import pytest

from mien.core import ConfigError, InputError
from mien.media import audio_blocks


def write_tone(path: Path, *, rate_hz: int = 44_100, layout: str = "stereo", seconds: float = 2.5) -> Path:
    """A tone of 440 Hz in every channel."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate_hz, layout=layout)
        tone = 16_000 * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)
        n_channels = 2 if layout == "stereo" else 1
        frame = av.AudioFrame.from_ndarray(
            np.repeat(tone, n_channels)[None].astype(np.int16), format="s16", layout=layout
        )
        frame.sample_rate = rate_hz
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(("rate_hz", "layout"), [(44_100, "stereo"), (16_000, "mono"), (8_000, "mono")])
def test_mono_at_the_asked_rate(tmp_path: Path, rate_hz: int, layout: str) -> None:
    path = write_tone(tmp_path / "tone.wav", rate_hz=rate_hz, layout=layout)
    blocks = list(audio_blocks(path, block_s=0.7))
    assert [len(block) for block in blocks[:-1]] == [11_200] * 3
    samples = np.concatenate(blocks)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(40_000, abs=40)
    spectrum = np.abs(np.fft.rfft(samples[:16_000]))
    assert spectrum.argmax() == 440
    assert np.abs(samples).max() == pytest.approx(16_000 / 32_768, abs=0.06)


def test_a_video_without_audio_is_refused(shared_data: Path) -> None:
    with pytest.raises(InputError, match="has no audio; give a file with an audio stream"):
        list(audio_blocks(shared_data / "video" / "webcam_talk.mp4"))


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 99])
def test_files_without_media_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.wav"):
        list(audio_blocks(tmp_path / "x.wav"))


def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "tone.wav")
    path.write_bytes(path.read_bytes()[:200_000])
    assert sum(map(len, audio_blocks(path))) == pytest.approx(200_000 / 4 / 44_100 * 16_000, rel=0.01)


def test_settings_out_of_range(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "tone.wav")
    for settings in ({"rate_hz": 0}, {"block_s": 0.0}, {"block_s": float("nan")}):
        with pytest.raises(ConfigError):
            list(audio_blocks(path, **settings))


def test_real_speech_lasts_as_long_as_its_video(shared_data: Path) -> None:
    for path in sorted((shared_data / "video").glob("grid_*.mpg")):
        samples = np.concatenate(list(audio_blocks(path)))
        assert len(samples) / 16_000 == pytest.approx(3.0, abs=0.15)
        assert np.abs(samples).max() > 0.05
