# SPDX-License-Identifier: Apache-2.0
"""The door of mien.synthesis: lazy, complete, and one sentence without the extra."""

import ast
import json
from pathlib import Path

import pytest

from mien import synthesis
from mien.core import install_command
from tests.helpers.repository import run_python


def test_lazy_names_agree_with_what_type_checkers_see() -> None:
    assert synthesis.__file__ is not None
    tree = ast.parse(Path(synthesis.__file__).read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(synthesis.__all__)


def test_the_door_and_recipes_need_no_renderer() -> None:
    code = (
        "import sys, json\n"
        "from mien import synthesis\n"
        "synthesis.load_synthesis_recipe('units'); synthesis.UnitVector({'AU12': 1.0}).actions()\n"
        "print(json.dumps(['numba' in sys.modules, 'cv2' in sys.modules]))"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, False]


def test_without_the_extra_drawing_names_the_command() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from mien import synthesis; from mien.core import MissingExtraError\n"
        "recipe = synthesis.load_synthesis_recipe('units')\n"
        "try:\n    next(synthesis.render_faces(recipe, 1))\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    package, _, command = done.stdout.strip().partition(" is not installed; run: ")
    assert package in ("anny", "numba")
    assert command == install_command("synthesis")


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = synthesis.no_such_name
