# SPDX-License-Identifier: Apache-2.0
"""Comparisons with the authors' code are kept for each seed; the page has the largest difference and a verdict."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.parity import Difference
from benchmarks.systems import same_function
from benchmarks.systems.same_function import parity_lines, run_parity

SEEDS = (1, 2, 3)


def test_the_largest_difference_of_all_seeds_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def measure(_authors: Path, seed: int) -> list[Difference]:
        measured.append(seed)
        return [Difference("MCAN", "outputs, eval", seed * 1e-7), Difference("MCAN", "outputs, train", seed * 4e-6)]

    monkeypatch.setattr(same_function, "measure", measure)
    assert "Not run" in "\n".join(parity_lines(tmp_path, SEEDS))
    run_parity(tmp_path, tmp_path, SEEDS[:2])
    page = "\n".join(parity_lines(tmp_path, SEEDS))
    assert page.count("**undecided**") == 2
    run_parity(tmp_path, tmp_path, SEEDS)
    assert measured == [1, 2, 3]
    page = "\n".join(parity_lines(tmp_path, SEEDS))
    assert "| MCAN | outputs, eval | 3.0e-07 | 3 | **passed** |" in page
    assert "| MCAN | outputs, train | 1.2e-05 | 3 | **failed** |" in page


def test_a_missing_checkout_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_function, "measure", lambda *_: [Difference("MCAN", "no block.py", float("nan"))])
    run_parity(tmp_path, tmp_path, SEEDS)
    assert not list(tmp_path.iterdir())
