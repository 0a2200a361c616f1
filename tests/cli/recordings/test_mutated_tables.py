# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a table: every command that reads it gives its result, or one sentence."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.core import MienError
from tests.helpers.mutated_tables import (
    COMMANDS,
    FORMATS,
    Mutation,
    as_openface,
    base_table,
    byte_changes,
    mutations,
    write_as,
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    folder = tmp_path_factory.mktemp("bases")
    table = base_table(folder)
    return dict.fromkeys(FORMATS, table) | {"openface": as_openface(table, folder / "of.csv")}


CASES = given(
    kind=st.sampled_from(FORMATS),
    command=st.sampled_from(sorted(COMMANDS)),
    changes=st.lists(mutations(), min_size=1, max_size=2),
    byte_change=st.none() | st.none() | byte_changes(),
)
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


def check(
    table: pa.Table, kind: str, command: str, changes: list[Mutation], byte_change: Callable[[bytes], bytes] | None
) -> None:
    for change in changes:
        table = change(table)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        path = folder / "in" / f"table.{'csv' if kind == 'openface' else kind}"
        try:
            write_as(table, path, kind)
        except (pa.ArrowException, ValueError):
            return  # no such file can be written
        if byte_change is not None:
            path.write_bytes(byte_change(path.read_bytes()))
        before = path.read_bytes()
        sentence = ""
        try:
            COMMANDS[command](path, folder / "out")
        except MienError as error:
            sentence = str(error)
        assert len(sentence) < 2000
        assert sentence.isprintable()
        assert path.read_bytes() == before


@settings(max_examples=300, **QUIET)
@CASES
def test_only_sentences(bases, kind, command, changes, byte_change) -> None:
    check(bases[kind], kind, command, changes, byte_change)


@pytest.mark.slow
@settings(max_examples=5000, **QUIET)
@CASES
def test_only_sentences_in_many_cases(bases, kind, command, changes, byte_change) -> None:
    check(bases[kind], kind, command, changes, byte_change)
