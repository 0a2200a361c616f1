# SPDX-License-Identifier: Apache-2.0
"""Invalid records are refused."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.results.records import load_records
from mien.core import ConfigError


@pytest.mark.parametrize(
    ("content", "message"), [("{", "JSON"), ('{"layout": 9}', "layout 9"), ('{"row": {}}', "unknown keys")]
)
def test_strange_records_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_records(path)
