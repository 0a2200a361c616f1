# SPDX-License-Identifier: Apache-2.0
"""The tree keeps its limits: sizes of folders and modules, unique names, a test file per module, few parameters."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.repository import ROOT

PACKAGE = ROOT / "src" / "mien"
MAX_MODULES, MAX_LINES, MIN_LINES, MAX_PARAMETERS = 15, 500, 40, 8
MIN_MIRRORED = 0.9

# Module under `MIN_LINES` lines -> why it is not part of its neighbour.
SMALL = {
    "_version.py": "pyproject.toml reads the version from it",
    "results/tables/arrow_compute.py": "a module of its own can load pyarrow.compute at the first use",
}


def modules() -> list[Path]:
    """All modules relative to the package, without the doors (``__init__.py``)."""
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def n_lines(module: Path) -> int:
    """Number of lines of a module."""
    return (PACKAGE / module).read_text("utf-8").count("\n")


def test_no_folder_has_too_many_modules() -> None:
    counts = Counter(module.parent.as_posix() for module in modules())
    assert {folder: n for folder, n in counts.items() if n > MAX_MODULES} == {}


def test_no_module_is_too_long() -> None:
    assert {str(module): n_lines(module) for module in modules() if n_lines(module) > MAX_LINES} == {}


def test_small_modules_have_a_reason() -> None:
    small = {module.as_posix() for module in modules() if n_lines(module) < MIN_LINES}
    assert small - set(SMALL) == set()
    assert set(SMALL) - small == set(), "no longer small: delete the reason"


def test_no_stem_occurs_twice() -> None:
    """A command may be named after the library module that it calls, and each table of records is a ``registry``."""
    library = Counter(module.stem for module in modules() if module.parts[0] != "cli" and module.stem != "registry")
    commands = Counter(module.stem for module in modules() if module.parts[0] == "cli")
    assert [stem for counts in (library, commands) for stem, n in counts.items() if n > 1] == []


def test_modules_have_a_test_file_at_the_same_place() -> None:
    tested = [module for module in modules() if module.name not in ("__main__.py", "_version.py")]
    missing = [
        str(module) for module in tested if not (ROOT / "tests" / module.parent / f"test_{module.name}").is_file()
    ]
    assert 1 - len(missing) / len(tested) >= MIN_MIRRORED, f"{len(missing)} of {len(tested)} modules: {missing}"


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """``module:line name`` and node of every function outside the command line."""
    for module in modules():
        if module.parts[0] == "cli":
            continue
        for node in ast.walk(ast.parse((PACKAGE / module).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}:{node.lineno} {node.name}", node


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Parameters of a function, without ``self``, callbacks and gathered keywords."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [item.arg for item in every if item.arg not in ("self", "cls") and not _is_callback(item)]


def _is_callback(parameter: ast.arg) -> bool:
    """Whether a parameter is a callable by its annotation or its name."""
    written = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    callables = ("Callable", "OnProblem", "OnProgress", "Emit", "Clock", "Progress")
    return parameter.arg.startswith("on_") or any(name in written for name in callables)


def test_functions_take_few_parameters() -> None:
    found = {name: len(parameters(node)) for name, node in functions()}
    assert len(found) > 1000
    assert {name: n for name, n in found.items() if n > MAX_PARAMETERS} == {}


def test_parameters_are_counted_without_self_and_callbacks() -> None:
    source = "def f(self, a, *, b: int, on_x, c: Callable[[int], None] | None = None, **rest): ..."
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    assert parameters(node) == ["a", "b"]
