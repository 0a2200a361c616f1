# SPDX-License-Identifier: Apache-2.0
"""The door of `mien.results`, and the arrows between its subfolders: each imports only what stands before it."""

import ast
from pathlib import Path

import pytest

import mien.results

ROOT = Path(mien.results.__file__).parent
ORDER = ("files", "tables", "openface", "table_reader", "summaries", "reports")
FEATURES = ("files", "tables")


def imported(path: Path) -> set[str]:
    """First part below `mien.results` of everything that a module imports from there."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module.split(".")[2] for node in nodes if (node.module or "").startswith("mien.results.")}


def test_every_public_name_exists() -> None:
    assert len(set(mien.results.__all__)) == len(mien.results.__all__)
    assert [name for name in mien.results.__all__ if not hasattr(mien.results, name)] == []


@pytest.mark.parametrize("part", [*ORDER, "features"])
def test_no_arrow_points_upward(part: str) -> None:
    allowed = {part, *(FEATURES if part == "features" else ORDER[: ORDER.index(part)])}
    modules = [ROOT / f"{part}.py"] if (ROOT / f"{part}.py").exists() else sorted((ROOT / part).glob("*.py"))
    assert modules
    upward = {path.name: found - allowed for path in modules if (found := imported(path)) - allowed}
    assert upward == {}
