# SPDX-License-Identifier: Apache-2.0
"""The Ray engine on a Ray of this machine; skipped where Ray is not installed."""

import importlib.util
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mien.core import ConfigError, JobError
from mien.jobs import Done, Message, create_engine

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'mien[ray]'"),
    # Ray's own, at its start and end.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HELPERS = Path(__file__).resolve().parents[1] / "helpers"


@pytest.fixture(autouse=True)
def found_by_workers(monkeypatch: pytest.MonkeyPatch, jobs_for_tests: ModuleType) -> None:  # noqa: ARG001 - imported
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]),
    )


@pytest.fixture
def leftovers() -> Iterator[set[str]]:
    """Temporary folders of Ray that were there before; the test may leave no others."""
    before = set(Path(tempfile.gettempdir()).glob("mien-ray-*"))
    yield {str(path) for path in before}
    assert set(Path(tempfile.gettempdir()).glob("mien-ray-*")) <= before


@pytest.mark.usefixtures("leftovers")
def test_ray_does_the_same(jobs_for_tests: ModuleType, tmp_path: Path) -> None:
    # One run for everything: a Ray takes seconds to start.
    ended: dict[int, Any] = {}
    processes = set()
    items = [1, "exit", 2, "bug", 3, ("long", tmp_path / "log"), 4]
    handler = signal.getsignal(signal.SIGTERM)

    def report(event: Any) -> None:
        if isinstance(event, Message) and event.number != 5:
            processes.add(event.message)
        elif isinstance(event, Message) and len(ended) >= 6:
            raise KeyboardInterrupt
        elif not isinstance(event, Message):
            assert event.number not in ended
            ended[event.number] = event.result if isinstance(event, Done) else event.error

    with pytest.raises(KeyboardInterrupt):
        create_engine("ray", workers=2).run(jobs_for_tests.Setup(tmp_path), items, report)
    assert [ended[number] for number in (0, 2, 4, 6)] == [1, 4, 9, 16]
    assert isinstance(ended[1], JobError)
    assert (type(ended[3]), str(ended[3])) == (ZeroDivisionError, "a bug")
    assert (tmp_path / "log").read_text() == "saved"
    assert processes
    assert os.getpid() not in processes
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
    assert signal.getsignal(signal.SIGTERM) is handler


def test_wrong_numbers() -> None:
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        create_engine("ray", workers=0)
