# SPDX-License-Identifier: Apache-2.0
"""``mien evaluate``."""

from pathlib import Path

import pytest

from mien.evaluation import PROTOCOLS


def test_an_unknown_protocol_lists_the_known(mien, tmp_path: Path) -> None:
    ended = mien("evaluate", "ferplu", "--data", tmp_path)
    assert ended.code == 2
    assert "did you mean 'ferplus'" in ended.err


@pytest.mark.parametrize("protocol", ["ferplus", "lfw"])
def test_a_data_folder_without_data(mien, tmp_path: Path, protocol: str) -> None:
    assert protocol in PROTOCOLS
    ended = mien("evaluate", protocol, "--data", tmp_path / "nowhere")
    assert ended.code == 3
    assert "nowhere" in ended.err
    assert "Traceback" not in ended.err
