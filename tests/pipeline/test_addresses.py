# SPDX-License-Identifier: Apache-2.0
"""Runs over network addresses: only when asked, and without a secret in anything that is written."""

from pathlib import Path

import pytest

import mien
from mien.core import ConfigError
from tests.helpers.local_server import served


def test_a_video_at_an_address(encoded_clip: bytes, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "clip.mp4").write_bytes(encoded_clip)
    out = tmp_path / "results"
    with served(site) as host:
        address = f"http://anna:sesame@{host}/clip.mp4?key=sesame"
        with pytest.raises(ConfigError, match="uses no network unless asked"):
            mien.analyze(address, out, threads=1)
        assert not out.exists()
        result = mien.analyze([address, site / "clip.mp4"], out, threads=1, network=True)
    assert not result.failures
    fetched, local = (mien.read_table(path) for path in result.tables)
    assert fetched["source"][0].as_py().startswith(f"http://{host}/clip.mp4?~")
    for name in ("time_s", "expression_happiness", "x0"):
        assert fetched[name].to_pylist() == pytest.approx(local[name].to_pylist(), abs=1e-6)
    written = b"".join(path.read_bytes() for path in out.iterdir())
    assert b"sesame" not in written
    assert all("sesame" not in path.name for path in out.iterdir())


def test_a_part_of_a_video_at_an_address_in_memory(encoded_clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(encoded_clip)
    with served(tmp_path) as host:
        result = mien.analyze(f"http://{host}/clip.mp4", threads=1, network=True, stop_s=0.2, every=2)
        frames = list(mien.Analyzer(threads=1).video(f"http://{host}/clip.mp4", network=True, stop_s=0.2, every=2))
    assert result.table["frame"].to_pylist() == [frame.index for frame in frames] == [0, 2, 4]


def test_what_has_no_end_needs_a_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no end"):
        mien.analyze("rtsp://127.0.0.1:1/live", network=True)
    with pytest.raises(ConfigError, match="uses no network unless asked"):
        list(mien.live("rtsp://127.0.0.1:1/live"))
    with pytest.raises(ConfigError, match="uses no network unless asked"):
        list(mien.Analyzer(threads=1).video("rtsp://127.0.0.1:1/live"))
    result = mien.analyze("rtsp://127.0.0.1:1/live", tmp_path / "t.csv", network=True, threads=1)
    assert "check the address and the network" in result.failures[0].reason
