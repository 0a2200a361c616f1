# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import pytest

from mien.core import ConfigError, Registry


@dataclass(frozen=True)
class Record:
    name: str
    target: str = "math:sqrt"


def test_a_clash_is_refused() -> None:
    with pytest.raises(ConfigError, match="two runtimes are named 'a'"):
        Registry("runtime", (Record("a"), Record("a")))


def test_look_up_and_load() -> None:
    registry = Registry("runtime", (Record("a"),))
    assert list(registry) == ["a"]
    assert len(registry) == 1
    assert "a" in registry
    assert "b" not in registry
    assert registry["a"] == Record("a")
    assert registry.load("a")(9) == 3


def test_an_unknown_name_lists_near_ones() -> None:
    registry = Registry("detector", (Record("mtcnn"), Record("yunet")))
    with pytest.raises(ConfigError, match="no detector is named 'mtcn'; did you mean 'mtcnn'"):
        registry["mtcn"]
    with pytest.raises(ConfigError, match="choose from mtcnn, yunet"):
        registry.load("zzz")
