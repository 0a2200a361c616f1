# SPDX-License-Identifier: Apache-2.0
"""The affect table: its columns, writing it so that a kill loses nothing, reading it back, and the run manifest."""

from mien.results.durable import durable_file, output_errors
from mien.results.failures import FAILURES_NAME, FailureRow, failure_rows, read_failures, update_failures
from mien.results.formats import TABLE_ENDINGS, format_of
from mien.results.leftovers import Recovery, discard_leftovers, leftover_rows, recover
from mien.results.lock import locked_folder
from mien.results.manifest import InputFailure, InputRecord, RunManifest, hash_file, manifest_path
from mien.results.reader import TableFacts, read_facts, read_table
from mien.results.recording import column_numbers
from mien.results.save import save_table
from mien.results.schema import (
    SCHEMA_VERSION,
    Column,
    action_unit_columns,
    describe_columns,
    expression_columns,
    table_metadata,
    table_schema,
    with_table_metadata,
)
from mien.results.summary import Summary, summarize
from mien.results.writer import TableWriter

__all__ = [
    "FAILURES_NAME",
    "SCHEMA_VERSION",
    "TABLE_ENDINGS",
    "Column",
    "FailureRow",
    "InputFailure",
    "InputRecord",
    "Recovery",
    "RunManifest",
    "Summary",
    "TableFacts",
    "TableWriter",
    "action_unit_columns",
    "column_numbers",
    "describe_columns",
    "discard_leftovers",
    "durable_file",
    "expression_columns",
    "failure_rows",
    "format_of",
    "hash_file",
    "leftover_rows",
    "locked_folder",
    "manifest_path",
    "output_errors",
    "read_facts",
    "read_failures",
    "read_table",
    "recover",
    "save_table",
    "summarize",
    "table_metadata",
    "table_schema",
    "update_failures",
    "with_table_metadata",
]
