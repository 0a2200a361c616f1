# SPDX-License-Identifier: Apache-2.0
"""Runs the code cells of a notebook in this process, in a folder of their own, without Jupyter."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.helpers.repository import ROOT

EXAMPLES = ROOT / "examples"


def cells_of(name: str) -> list[dict[str, Any]]:
    """Cells of a notebook in ``examples/``."""
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))
    assert notebook["nbformat"] == 4
    cells: list[dict[str, Any]] = notebook["cells"]
    return cells


def run_notebook(name: str, folder: Path) -> dict[str, Any]:
    """Run a notebook in ``folder/examples``, with the sample beside it as in the repository, and return its names.

    The working folder must be ``folder/examples`` already: the test changes it with monkeypatch, which undoes it.
    """
    shutil.copytree(ROOT / "docs/sample", folder / "docs/sample")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells_of(name)):
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            exec(compile(code, f"{name}.ipynb, cell {number}", "exec"), namespace)
    return namespace
