# SPDX-License-Identifier: Apache-2.0
"""Importing mien is light, has no side effects, and every public name is where it is said to be."""

import ast
import importlib
import json
import pkgutil
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mien
from mien.core import MissingExtraError
from tests.helpers.repository import ROOT, run_python
from tests.helpers.requirements import import_names_of_extras

PACKAGES = ["mien", *(found.name for found in pkgutil.iter_modules(mien.__path__, "mien.") if found.ispkg)]


def imported_by(*arguments: str) -> set[str]:
    """Top-level names outside the standard library that a fresh interpreter imports for these arguments."""

    def all_imports(*run: str) -> set[str]:
        done = run_python("-X", "importtime", *run)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        names = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
        # The list also has what was tried and does not exist, such as the Jython module that pickle looks for.
        return {name for name in names if name in sys.stdlib_module_names or find_spec(name) is not None}

    # What the environment itself imports at the start (editable installs, tracing) is not mien's doing.
    return all_imports(*arguments) - all_imports("-c", "pass") - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("-c", "import mien"), {"mien"}),
        (("-c", "import mien; dir(mien); mien.__version__"), {"mien"}),
        (("-c", "import mien; mien.Faces"), {"mien", "numpy"}),
        (("-m", "mien", "--help"), {"mien", "click", "colorama", "numpy"}),
        (("-m", "mien", "--version"), {"mien", "click", "colorama", "numpy"}),
    ],
    ids=["door", "listing", "vocabulary", "help", "version"],
)
def test_the_door_is_light(arguments: tuple[str, ...], allowed: set[str]) -> None:
    assert imported_by(*arguments) <= allowed


def import_everything(**task: Any) -> dict[str, Any]:
    script = ROOT / "tests/helpers/import_everything.py"
    done = run_python(str(script), typed=json.dumps({"blocked": [], "loaded_before": []} | task))
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_imports_need_no_extra_and_change_nothing() -> None:
    extras = sorted(import_names_of_extras("mien"))
    assert {"numpy", "cv2", "av", "mien"}.isdisjoint(extras)
    first = import_everything(blocked=extras)
    # Only the workshop may need more than a plain installation when it is imported.
    assert [name for name in first["refused"] if not name.startswith("mien.training.")] == []
    second = import_everything(blocked=extras, loaded_before=first["others"])
    assert second["changed"] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_sorted_and_exist(name: str) -> None:
    package = importlib.import_module(name)
    names = package.__all__
    assert len(names) == len(set(names))
    assert names == sorted(names, key=_constants_classes_others)
    assert [public for public in names if not is_there(package, public)] == []


def is_there(package: ModuleType, public: str) -> bool:
    """Whether a package has a name; one that names the extra that brings it has it, too."""
    try:
        return getattr(package, public, None) is not None
    except MissingExtraError:
        return True


def test_lazy_door_agrees_with_what_type_checkers_see() -> None:
    assert mien.__file__ is not None
    tree = ast.parse(Path(mien.__file__).read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen | {"__version__"} == set(mien.__all__)
    assert set(mien.__all__) <= set(dir(mien))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mien.no_such_name


def _constants_classes_others(name: str) -> tuple[int, list[tuple[int, str]]]:
    """The order that ruff keeps ``__all__`` in, numbers in names by their value."""
    parts = [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), parts
