# SPDX-License-Identifier: Apache-2.0
"""Tools are scripts beside the package: tests import them by their names."""

import pytest

from ..conftest import REPOSITORY  # noqa: TID252 - tests have no absolute name


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
