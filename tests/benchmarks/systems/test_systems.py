# SPDX-License-Identifier: Apache-2.0
"""The command runs the parts that it is asked for, and writes the page in any case."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems import systems
from benchmarks.systems.systems_page import Found


def test_parts_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(systems, "train_net", lambda net, seed, *_: ran.append((net.name, seed)))
    for name in ("train_heads", "run_time", "run_clips", "run_mtanet", "run_folds", "run_parity"):
        monkeypatch.setattr(systems, name, lambda *_, name=name: ran.append(name))
    monkeypatch.setattr(systems, "collect", lambda *_: Found({}, {}))
    page = tmp_path / "page.md"
    arguments = [*map(str, ["--data", tmp_path, "--work", tmp_path, "--page", page])]
    assert systems.main([*arguments, "--only", "nets", "clips", "--nets", "base", "--seeds", "1", "3"]) == 0
    assert ran == [("base", 1), ("base", 3), "run_clips"]
    assert "0 passed" in page.read_text("utf-8")
    ran.clear()
    assert systems.main([*arguments, "--only"]) == 0
    assert ran == []
    assert systems.main([*arguments, "--only", "parity"]) == 0
    assert ran == []  # without the authors' code
    assert systems.main([*arguments, "--only", "parity", "--authors", str(tmp_path)]) == 0
    assert ran == ["run_parity"]
