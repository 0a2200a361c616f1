# SPDX-License-Identifier: Apache-2.0
"""The import contract between packages in pyproject.toml holds."""

import ast
import shutil
from pathlib import Path

from tests.helpers.repository import ROOT, run_python

_LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_packages_import_only_downwards() -> None:
    done = run_python("-c", _LINT, "--no-cache", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_upward_import_and_a_package_without_a_place_are_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "src" / "mien"
    shutil.copytree(ROOT / "src" / "mien", copy, ignore=shutil.ignore_patterns("__pycache__", "bundles"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (copy / "core" / "upward.py").write_text("import mien.cli.main\n", "utf-8")
    (copy / "newcomer").mkdir()
    (copy / "newcomer" / "__init__.py").touch()
    broken = f"import sys; sys.path.insert(0, {str(copy.parent)!r}); {_LINT}"
    done = run_python("-c", broken, "--no-cache", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "mien.core is not allowed to import mien.cli" in done.stdout
    assert "newcomer" in done.stdout


def test_packages_are_imported_through_their_doors() -> None:
    """Outside the command line, a package imports names from another one's ``__init__``, never from its modules."""
    package = ROOT / "src" / "mien"
    past_doors = []
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(package).parts[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            parts = imported.split(".")
            if own != "cli" and parts[0] == "mien" and len(parts) > 2 and parts[1] != own:
                past_doors.append(f"{path.relative_to(package)}:{node.lineno} {imported}")
    assert past_doors == []
