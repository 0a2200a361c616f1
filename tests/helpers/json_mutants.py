# SPDX-License-Identifier: Apache-2.0
"""Mutants of parsed JSON: keys, types, numbers and lengths that a damaged or hostile file may have."""

import contextlib
import copy
import json
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mien.core import ModelError

Path = tuple[Any, ...]

_ODD: tuple[Any, ...] = (
    *(None, True, False, "", "x", "\ud800", "\x1b[31m", "x" * 5000, [], {}, [[]], {"a": []}),
    *(0, 1, -1, 2, 7, 2**31, 2**63, 10**400, 0.0, 0.5, -0.5, 1.5, 1e-300, 1e300, math.nan, math.inf, -math.inf),
)


def mutants(content: Any) -> st.SearchStrategy[Any]:
    """Copies of parsed JSON with one to three changes."""
    places = list(_places(content))

    @st.composite
    def mutant(draw: st.DrawFn) -> Any:
        changed = copy.deepcopy(content)
        for _ in range(draw(st.integers(1, 3))):
            changed = _mutated(draw, changed, draw(st.sampled_from(places)))
        return changed

    return mutant()


def check_mutants(folder: pathlib.Path, name: str, content: dict[str, Any], load: Callable[..., Any], n: int) -> None:
    """Load many mutants of a description: each is a model or a `ModelError`."""

    @settings(max_examples=n, deadline=None, derandomize=True, database=None)
    @given(mutants(content))
    def check(mutant: object) -> None:
        (folder / name).write_text(json.dumps(mutant), "utf-8")
        with contextlib.suppress(ModelError):
            load(folder, threads=1)

    (folder / name).write_text(json.dumps(content), "utf-8")
    load(folder, threads=1)
    check()


def _mutated(draw: st.DrawFn, content: Any, place: Path) -> Any:
    if not place:
        return draw(st.one_of(st.sampled_from(_ODD), st.just(content)))
    parent = content
    for key in place[:-1]:
        if not _has(parent, key):
            return content  # an earlier change removed it
        parent = parent[key]
    key = place[-1]
    if not _has(parent, key):
        return content
    kind = draw(st.sampled_from(("value", "remove", "add", "double", "number")))
    if kind == "value":
        parent[key] = draw(st.one_of(st.sampled_from(_ODD), st.floats(), st.integers(), st.text(max_size=8)))
    elif kind == "remove":
        del parent[key]
    elif kind == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(("extra", "", "name", "made", "limits")))] = draw(st.sampled_from(_ODD))
    elif kind == "number" and type(parent[key]) in (int, float):
        parent[key] = parent[key] * draw(st.sampled_from((-1, 0, 2, 10, 1000))) + draw(st.integers(-2, 2))
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    return content


def _has(parent: Any, key: Any) -> bool:
    if isinstance(parent, dict):
        return key in parent
    return isinstance(parent, list) and isinstance(key, int) and key < len(parent)


def _places(content: Any, place: Path = ()) -> Iterator[Path]:
    yield place
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _places(value, (*place, key))
    elif isinstance(content, list):
        for index, value in enumerate(content[:12]):
            yield from _places(value, (*place, index))
