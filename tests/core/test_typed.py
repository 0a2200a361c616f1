# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from mien.core import ConfigError, check_choices, read_typed


@dataclass(frozen=True)
class Inner:
    size: int


@dataclass(frozen=True)
class Outer:
    flag: bool = False
    rate: float = 0.0
    mode: Literal["area", "bilinear", 3] = "area"
    modes: tuple[Literal["a", "b"], ...] = ()
    maybe: Literal["x", "y"] | None = None
    inner: Inner | None = None
    pair: tuple[int, str] = (0, "")
    table: Mapping[str, Inner] = field(default_factory=dict)
    number: int | str = 0
    renamed: int = field(default=0, metadata={"formerly": ("old",)})

    def __post_init__(self) -> None:
        check_choices(self)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, Outer()),
        ({"flag": True, "rate": 2}, Outer(flag=True, rate=2.0)),
        ({"mode": "bilinear", "modes": ["a", "b", "a"]}, Outer(mode="bilinear", modes=("a", "b", "a"))),
        ({"mode": 3}, Outer(mode=3)),
        ({"maybe": "y", "inner": {"size": 4}}, Outer(maybe="y", inner=Inner(4))),
        ({"maybe": None, "inner": None}, Outer()),
        ({"pair": [1, "one"], "table": {"a": {"size": 1}}}, Outer(pair=(1, "one"), table={"a": Inner(1)})),
        ({"number": "many"}, Outer(number="many")),
        ({"old": 5}, Outer(renamed=5)),
    ],
)
def test_what_annotations_allow_is_read(content: dict[str, Any], expected: Outer) -> None:
    assert read_typed(Outer, content, "here") == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "here must be an object, got list"),
        ({"flag": 1}, "here: flag must be bool, got 1"),
        ({"rate": True}, "here: rate must be float, got True"),
        ({"mode": "nearest"}, "here: mode must be one of 'area', 'bilinear', 3, got 'nearest'"),
        ({"mode": 3.0}, r"here: mode must be one of .*, got 3\.0"),
        ({"modes": ["a", "c"]}, r"here: modes\[1\] must be one of 'a', 'b', got 'c'"),
        ({"modes": "a"}, "here: modes must be a list, got str"),
        ({"maybe": "z"}, "here: maybe must be one of 'x', 'y', got 'z'"),
        ({"inner": {}}, r"here: inner: keys \['size'\] are missing"),
        ({"inner": {"size": "4"}}, "here: inner: size must be int, got '4'"),
        ({"pair": [1]}, "here: pair must have 2 entries, got 1"),
        ({"table": [1]}, r"here: table must be a table, got \[1\]"),
        ({"number": 1.5}, r"here: number must be one of \['int', 'str'\], got 1\.5"),
        ({"old": 1, "renamed": 2}, r"here: \['old'\] are old names of keys that are there, too"),
        ({"unheard": 1}, r"here: unknown keys \['unheard'\]"),
    ],
)
def test_anything_else_is_refused_with_its_place(content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        read_typed(Outer, content, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "nearest"}, "^mode must be one of"),
        ({"modes": ("a", "c")}, "^modes must be one of 'a', 'b', got 'c'"),
        ({"maybe": "z"}, "^maybe must be one of 'x', 'y', got 'z'"),
    ],
)
def test_a_constructor_checks_its_choices(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Outer(**change)


@dataclass(frozen=True)
class Mean:
    width: int = 1
    name: Literal["mean"] = "mean"


@dataclass(frozen=True)
class Median:
    name: Literal["median"] = "median"


@dataclass(frozen=True)
class Filtered:
    kernel: Mean | Median | None = None
    must: Mean | Median = Median()


def test_a_union_of_dataclasses_may_be_none_where_it_says_so() -> None:
    assert read_typed(Filtered, {}, "f") == read_typed(Filtered, {"kernel": None}, "f") == Filtered()
    assert read_typed(Filtered, {"kernel": {"name": "mean", "width": 3}}, "f").kernel == Mean(3)
    for content, message in (
        ({"kernel": {"name": "mode"}}, "kernel: name must be one of"),
        ({"kernel": 3}, "kernel: name must be one of"),
        ({"must": None}, "must: name must be one of"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_typed(Filtered, content, "f")
