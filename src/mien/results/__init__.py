# SPDX-License-Identifier: Apache-2.0
"""The affect table: its columns, writing it so that a kill loses nothing, reading it back, and the run manifest."""

from mien.results.formats import TABLE_ENDINGS
from mien.results.leftovers import Recovery, discard_leftovers, leftover_rows, recover
from mien.results.manifest import InputFailure, InputRecord, RunManifest, hash_file, manifest_path
from mien.results.reader import read_table
from mien.results.schema import SCHEMA_VERSION, Column, describe_columns, table_metadata, table_schema
from mien.results.summary import Summary, summarize
from mien.results.writer import TableWriter

__all__ = [
    "SCHEMA_VERSION",
    "TABLE_ENDINGS",
    "Column",
    "InputFailure",
    "InputRecord",
    "Recovery",
    "RunManifest",
    "Summary",
    "TableWriter",
    "describe_columns",
    "discard_leftovers",
    "hash_file",
    "leftover_rows",
    "manifest_path",
    "read_table",
    "recover",
    "summarize",
    "table_metadata",
    "table_schema",
]
