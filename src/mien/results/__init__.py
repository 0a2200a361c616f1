# SPDX-License-Identifier: Apache-2.0
"""Affect tables and feature vectors on disk: safe from crashes, read back, summarised and reported."""

from mien.results.features.feature_shards import FeatureArrays, FeatureInfo, FeatureSet, SourceRecord, open_features
from mien.results.features.feature_writer import ROWS_PER_SHARD, FeatureWriter, FrameVectors
from mien.results.files import atomic_write, locked_folder, output_errors
from mien.results.openface.openface_columns import (
    from_intensity,
    from_openface_pose,
    openface_header,
    to_intensity,
    to_openface_pose,
)
from mien.results.openface.openface_reader import read_openface
from mien.results.openface.openface_writer import OpenFacePlan, write_openface, write_openface_files
from mien.results.reports.html_report import render_report
from mien.results.reports.report_content import Moment
from mien.results.summaries.summary import Summary, summarize_table
from mien.results.table_reader import iter_pieces, read_table
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
    "ROWS_PER_SHARD",
    "SCHEMA_VERSION",
    "TABLE_ENDINGS",
    "Column",
    "FailureRow",
    "FeatureArrays",
    "FeatureInfo",
    "FeatureSet",
    "FeatureWriter",
    "FrameVectors",
    "InputFailure",
    "InputRecord",
    "Moment",
    "OpenFacePlan",
    "PossibleIdSwitch",
    "Recovery",
    "RunManifest",
    "SourceRecord",
    "Summary",
    "TableFacts",
    "TableWriter",
    "Track",
    "action_unit_columns",
    "action_unit_thresholds",
    "atomic_write",
    "choose_faces",
    "column_numbers",
    "describe_columns",
    "expression_columns",
    "failure_rows",
    "format_of",
    "from_intensity",
    "from_openface_pose",
    "hash_file",
    "iter_pieces",
    "list_possible_id_switches",
    "list_tracks",
    "locked_folder",
    "manifest_path",
    "name_persons",
    "open_features",
    "openface_header",
    "output_errors",
    "presence_thresholds",
    "read_facts",
    "read_failures",
    "read_openface",
    "read_table",
    "recover",
    "render_report",
    "save_table",
    "summarize_table",
    "table_metadata",
    "table_schema",
    "thresholds_metadata",
    "to_intensity",
    "to_openface_pose",
    "track_numbers",
    "update_failures",
    "with_table_metadata",
    "write_openface",
    "write_openface_files",
]
