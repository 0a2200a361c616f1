# SPDX-License-Identifier: Apache-2.0
import pyarrow as pa
import pytest

from mien._version import __version__
from mien.core import ACTION_UNIT_SIDES, ACTION_UNITS, ConfigError
from mien.results import (
    SCHEMA_VERSION,
    action_unit_thresholds,
    column_numbers,
    describe_columns,
    presence_thresholds,
    table_metadata,
    table_schema,
    thresholds_metadata,
)
from mien.results.tables.schema import column_named
from mien.results.tables.table_columns import EYE_COLUMNS

CONTRACT = [
    "source",
    "frame",
    "time_s",
    "track_id",
    "success",
    "confidence",
    "x0",
    "y0",
    "x1",
    "y1",
    "pitch_rad",
    "yaw_rad",
    "roll_rad",
    "quality",
    "expression",
    "expression_neutral",
    "expression_happiness",
    "expression_surprise",
    "expression_sadness",
    "expression_anger",
    "expression_disgust",
    "expression_fear",
    "expression_contempt",
    "valence",
    "arousal",
]


def test_columns_are_the_contract() -> None:
    schema = table_schema(action_unit_labels=("AU01", "AU12"), n_landmarks=2)
    assert schema.names == [*CONTRACT, "AU01", "AU12", "lm_x00", "lm_x01", "lm_y00", "lm_y01", *EYE_COLUMNS, "face"]
    types = {field.name: field.type for field in schema}
    assert types.pop("source") == types.pop("expression") == pa.string()
    assert types.pop("frame") == types.pop("track_id") == types.pop("face") == pa.int64()
    assert types.pop("time_s") == pa.float64()
    assert types.pop("success") == pa.bool_()
    assert set(types.values()) == {pa.float32()}


def test_without_landmarks_the_table_has_no_eyes() -> None:
    assert table_schema(action_unit_labels=("AU01",)).names == [*CONTRACT, "AU01", "face"]
    assert EYE_COLUMNS == ("eye_open_image_left", "eye_open_image_right")


def test_a_bundle_with_fewer_expressions_keeps_all_eight_columns() -> None:
    assert table_schema(expression_labels=("happiness", "neutral")).names == [*CONTRACT, "face"]


def test_an_expression_that_is_not_canonical_gets_a_column_after_the_eight() -> None:
    names = table_schema(expression_labels=("neutral", "other")).names
    assert names == [*CONTRACT[:-2], "expression_other", *CONTRACT[-2:], "face"]


def test_metadata_holds_versions_labels_and_the_callers_facts() -> None:
    schema = table_schema(expression_labels=("neutral",), metadata={"stream_offset_s": "0.5"})
    about = table_metadata(schema)
    assert about["schema_version"] == str(SCHEMA_VERSION)
    assert about["version"] == __version__
    assert about["expression_labels"] == '["neutral"]'
    assert about["stream_offset_s"] == "0.5"


UNCERTAIN = (
    "possible_expressions",
    *("valence_low", "valence_high", "arousal_low", "arousal_high"),
    *("covered", "unfamiliar", "view_spread", "abstain"),
)


def test_every_column_is_described() -> None:
    columns = list(describe_columns())
    assert [column.name for column in columns] == [
        *CONTRACT,
        *ACTION_UNITS.labels,
        "face",
        *(f"{unit}_intensity" for unit in ACTION_UNITS.labels),
        "stream_offset_s",
        *UNCERTAIN,
        *(f"{unit}{end}" for unit in ACTION_UNITS.labels for end in ("_low", "_high")),
        *(f"{side}_intensity" for side in ACTION_UNIT_SIDES),
    ]
    for column in columns:
        assert column.range, column.name
        assert column.meaning.endswith("."), column.name
        assert column.unit or column.type not in (pa.float32(), pa.float64()), column.name


def test_a_name_alone_gives_the_same_field_as_the_schema() -> None:
    schema = table_schema(
        expression_labels=("other",),
        action_unit_labels=("AU45",),
        n_landmarks=68,
        uncertainty=True,
        interval_labels=("AU45",),
    )
    for field in schema:
        column = column_named(field.name)
        assert column is not None
        assert column.field.equals(field, check_metadata=True)
    assert column_named("my_notes") is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"action_unit_labels": ("AU01", "AU01")}, "AU01"),
        ({"action_unit_labels": ("valence",)}, "valence"),
        ({"expression_labels": ("neutral", "neutral")}, "differ"),
        ({"n_landmarks": 100}, "100"),
        ({"n_landmarks": -1}, "-1"),
        ({"metadata": {"schema_version": "7"}}, "schema_version"),
    ],
)
def test_contradictions_are_refused(arguments: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        table_schema(**arguments)


def test_metadata_of_an_earlier_version_is_read_under_the_current_names() -> None:
    old = table_schema().with_metadata({b"mien.points_name": b"mien-points", b"mien.points_sha256": b"56", b"x": b"y"})
    assert table_metadata(old) == {"landmark_model_name": "mien-points", "landmark_model_sha256": "56"}


def test_every_action_unit_has_a_threshold() -> None:
    units = ("AU01", "AU04", "AU12")
    own = table_schema(action_unit_labels=units, metadata=thresholds_metadata({"AU04": 0.2}))
    assert presence_thresholds(own, {"AU04": 0.9, "AU12": 0.3}) == {"AU01": 0.5, "AU04": 0.2, "AU12": 0.3}
    assert action_unit_thresholds(own) == {"AU04": 0.2}
    assert thresholds_metadata({}) == {}
    plain = pa.schema([("source", pa.string()), ("AU12", pa.float32())])  # a text format: names alone
    assert presence_thresholds(plain) == {"AU12": 0.5}


def test_numbers_of_a_column() -> None:
    column = pa.chunked_array([pa.array([1, None], pa.int64()), pa.array([3], pa.int64())])
    values = column_numbers(column)
    assert values.dtype == "float64"
    assert values[[0, 2]].tolist() == [1.0, 3.0]
    assert values[1] != values[1]  # NaN
