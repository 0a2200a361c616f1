# SPDX-License-Identifier: Apache-2.0
"""Data sets that several protocols share."""

from pathlib import Path

import pytest

from tests.helpers.open_face_sets import write_open_sets


@pytest.fixture(scope="session")
def open_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small FER+, FairFace and LFW; see `tests.helpers.open_face_sets`."""
    return write_open_sets(tmp_path_factory.mktemp("open_sets"))
