# SPDX-License-Identifier: Apache-2.0
"""Makes `jobs_for_tests` importable under one name, here and in worker processes."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def jobs_for_tests(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # Started processes get this process's sys.path, and tests have no absolute name there.
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "helpers"))
    module = importlib.import_module("jobs_for_tests")
    monkeypatch.delitem(sys.modules, "jobs_for_tests")
    monkeypatch.setitem(sys.modules, "jobs_for_tests", module)
    return module
