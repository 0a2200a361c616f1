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
from mien.results.tables.persons import choose_faces, chosen_parts, name_persons, named_parts, parts_without
from mien.results.tables.recording import source_runs
from mien.results.tables.schema import (
    SCHEMA_VERSION,
    action_unit_columns,
    action_unit_thresholds,
    column_numbers,
    describe_columns,
    expression_columns,
    expression_limits_of,
    intensity_columns,
    limits_metadata,
    presence_thresholds,
    table_metadata,
    table_schema,
    thresholds_metadata,
    with_table_metadata,
)
from mien.results.tables.spool import Recovery, recover
from mien.results.tables.table_columns import PERSON_COLUMN, STREAM_OFFSET_COLUMN, Column
from mien.results.tables.table_decoder import TableFacts, read_facts
from mien.results.tables.table_formats import TABLE_ENDINGS, format_of, save_pieces, save_table
from mien.results.tables.table_stream import SourceFacts, TableStream, track_numbers
from mien.results.tables.track_list import (
    PossibleIdSwitch,
    Track,
    TrackSurvey,
    list_possible_id_switches,
    list_tracks,
)
from mien.results.tables.writer import TableWriter

__all__ = [
    "FAILURES_NAME",
    "PERSON_COLUMN",
    "SCHEMA_VERSION",
    "STREAM_OFFSET_COLUMN",
    "TABLE_ENDINGS",
    "Column",
    "FailureRow",
    "InputFailure",
    "InputRecord",
    "PossibleIdSwitch",
    "Recovery",
    "RunManifest",
    "SourceFacts",
    "TableFacts",
    "TableStream",
    "TableWriter",
    "Track",
    "TrackSurvey",
    "action_unit_columns",
    "action_unit_thresholds",
    "choose_faces",
    "chosen_parts",
    "column_numbers",
    "describe_columns",
    "expression_columns",
    "expression_limits_of",
    "failure_rows",
    "format_of",
    "hash_file",
    "intensity_columns",
    "limits_metadata",
    "list_possible_id_switches",
    "list_tracks",
    "manifest_path",
    "name_persons",
    "named_parts",
    "parts_without",
    "presence_thresholds",
    "read_facts",
    "read_failures",
    "recover",
    "save_pieces",
    "save_table",
    "source_runs",
    "table_metadata",
    "table_schema",
    "thresholds_metadata",
    "track_numbers",
    "update_failures",
    "with_table_metadata",
]
