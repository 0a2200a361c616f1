# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every file and every error, found by walking them."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien
from mien.cli.main import EXIT_CODES, exit_code
from mien.core import MienError
from tests.helpers.repository import ROOT

SPDX = "# SPDX-License-Identifier: Apache-2.0"


def test_every_module_names_its_licence(files: list[Path]) -> None:
    modules = [path for path in files if path.suffix == ".py"]
    assert modules
    assert [str(path) for path in modules if not _text(path).startswith(f"{SPDX}\n")] == []


def test_every_suppressed_warning_says_which(files: list[Path]) -> None:
    bare = ("# type: ignore\n", "# noqa\n")
    modules = [path for path in files if path.suffix == ".py" and path != Path(__file__).relative_to(ROOT)]
    assert [str(path) for path in modules if any(mark in _text(path) for mark in bare)] == []


def error_classes() -> list[type[MienError]]:
    """Every subclass of `MienError` in every module that can be imported here."""
    for found in pkgutil.walk_packages(mien.__path__, "mien."):
        if found.name != "mien.__main__":
            try:
                importlib.import_module(found.name)
            except ModuleNotFoundError:
                assert found.name.startswith("mien.training."), found.name
    return sorted(set(_subclasses(MienError)), key=lambda kind: kind.__name__)


def test_every_error_has_an_exit_code() -> None:
    classes = error_classes()
    assert set(EXIT_CODES) <= set(classes)
    unmapped = [kind.__name__ for kind in classes if not any(base in EXIT_CODES for base in kind.__mro__)]
    assert unmapped == []
    assert set(EXIT_CODES.values()) == {2, 3, 4, 5}


@pytest.mark.parametrize("kind", EXIT_CODES, ids=lambda kind: kind.__name__)
def test_a_subclass_has_the_exit_code_of_its_parent(kind: type[MienError]) -> None:
    child = type("Child", (kind,), {})
    assert exit_code(BaseException.__new__(child)) == EXIT_CODES[kind]  # whatever its arguments are


def _subclasses(kind: type[MienError]) -> Iterator[type[MienError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("mien."):
            yield child
            yield from _subclasses(child)


def _text(path: Path) -> str:
    return (ROOT / path).read_text("utf-8")
