# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the convention tests: the files of this repository."""

from pathlib import Path

import pytest

from tests.helpers.repository import project_files


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Files of the repository that git tracks, or would track, relative to its root."""
    return project_files()
