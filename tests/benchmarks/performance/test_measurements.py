# SPDX-License-Identifier: Apache-2.0
"""Which parts of the speed page a run measures."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.performance import measurements


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that were measured; pages go to the folder of the test."""
    names: list[str] = []

    def part(name: str) -> Any:
        return lambda _inputs: names.append(name) or {}

    monkeypatch.setattr(measurements, "PARTS", {name: part(name) for name in ("speed", "cold", "memory")})
    monkeypatch.setattr(measurements, "ROOT", tmp_path)
    monkeypatch.setattr(measurements, "write_performance_page", lambda _kept, _root: None)
    (tmp_path / "docs/research").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return names


def _run(folder: Path, weights: str) -> None:
    about = measurements._about() | {"bundles": weights or measurements._about()["bundles"]}
    kept = {name: {"about": about} for name in ("speed", "cold")}
    (folder / "docs/research/performance.json").write_text(json.dumps(kept))
    (folder / "work/done.json").write_text('["speed", "cold"]')
    (folder / "clip.mp4").touch()
    options = {"--data": folder, "--work": folder / "work", "--clip": folder / "clip.mp4"}
    assert measurements.main([str(text) for option in options.items() for text in option]) == 0


def test_a_stopped_run_goes_on_with_the_other_parts(measured: list[str], tmp_path: Path) -> None:
    _run(tmp_path, "")
    assert measured == ["memory"]


def test_parts_of_other_weights_are_measured_again(measured: list[str], tmp_path: Path) -> None:
    _run(tmp_path, "mien-light 0123456789ab")
    assert measured == ["speed", "cold", "memory"]
