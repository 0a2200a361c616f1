# SPDX-License-Identifier: Apache-2.0
"""Affect tables on disk: columns, writer, decoder, manifest, tracks and persons."""

from mien.results.tables.manifest import (
    FAILURES_NAME,
    FailureRow,
    InputFailure,
    InputRecord,
    RunManifest,
    failure_rows,
    hash_file,
    manifest_path,
    read_failures,
    update_failures,
)
from mien.results.tables.persons import (
    PossibleIdSwitch,
    Track,
    choose_faces,
    list_possible_id_switches,
    list_tracks,
    name_persons,
    track_numbers,
)
from mien.results.tables.schema import (
    PERSON_COLUMN,
    SCHEMA_VERSION,
    Column,
    action_unit_columns,
    action_unit_thresholds,
    column_numbers,
    describe_columns,
    expression_columns,
    presence_thresholds,
    table_metadata,
    table_schema,
    thresholds_metadata,
    with_table_metadata,
)
from mien.results.tables.spool import Recovery, recover
from mien.results.tables.table_decoder import TableFacts, read_facts
from mien.results.tables.table_formats import TABLE_ENDINGS, format_of, save_table
from mien.results.tables.writer import TableWriter

__all__ = [
    "FAILURES_NAME",
    "PERSON_COLUMN",
    "SCHEMA_VERSION",
    "TABLE_ENDINGS",
    "Column",
    "FailureRow",
    "InputFailure",
    "InputRecord",
    "PossibleIdSwitch",
    "Recovery",
    "RunManifest",
    "TableFacts",
    "TableWriter",
    "Track",
    "action_unit_columns",
    "action_unit_thresholds",
    "choose_faces",
    "column_numbers",
    "describe_columns",
    "expression_columns",
    "failure_rows",
    "format_of",
    "hash_file",
    "list_possible_id_switches",
    "list_tracks",
    "manifest_path",
    "name_persons",
    "presence_thresholds",
    "read_facts",
    "read_failures",
    "recover",
    "save_table",
    "table_metadata",
    "table_schema",
    "thresholds_metadata",
    "track_numbers",
    "update_failures",
    "with_table_metadata",
]
