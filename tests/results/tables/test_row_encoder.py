# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.core import ACTION_UNIT_SIDES, EXPRESSIONS, ConfigError, Faces, Frame
from mien.results import intensity_columns, table_schema
from mien.results.tables.row_encoder import RowEncoder
from mien.results.tables.schema import column_named

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def test_one_row_per_face_and_one_for_a_frame_without(schema: pa.Schema, make_frame) -> None:
    frames = [make_frame(index, n_faces) for index, n_faces in enumerate((3, 0, 1, 0, 0, 2))]
    batch = RowEncoder(schema).encode([("clip.mp4", frame) for frame in frames])
    assert batch.schema.equals(schema, check_metadata=True)
    assert batch["frame"].to_pylist() == [0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert batch["success"].to_pylist() == [True] * 3 + [False, True, False, False, True, True]
    assert batch["track_id"].to_pylist() == [0, 1, 2, None, 0, None, None, 0, 1]
    second, lone, last = frames[0].faces[1], frames[2].faces, frames[5].faces[1]
    for row, faces in ((1, second), (4, lone), (8, last)):
        found = batch.slice(row, 1).to_pylist()[0]
        assert [found[name] for name in ("x0", "y0", "x1", "y1")] == faces.boxes[0].tolist()
        assert [found[f"{name}_rad"] for name in ("pitch", "yaw", "roll")] == faces.pose_rad[0].tolist()
        assert [found[f"expression_{name}"] for name in EXPRESSIONS] == faces.expression[0].tolist()
        assert found["expression"] == faces.top_expressions()[0]
        assert (found["confidence"], found["quality"]) == (faces.confidence[0], faces.quality[0])
        assert (found["valence"], found["arousal"]) == (faces.valence[0], faces.arousal[0])
        assert [found["AU01"], found["AU12"]] == faces.action_units[0].tolist()
        assert [found[f"lm_x{k:02d}"] for k in range(5)] == faces.keypoints[0, :, 0].tolist()
        assert [found[f"lm_y{k:02d}"] for k in range(5)] == faces.keypoints[0, :, 1].tolist()
        assert [found["eye_open_image_left"], found["eye_open_image_right"]] == faces.eyes_open[0].tolist()


def test_a_frame_without_faces_says_when_and_nothing_else(schema: pa.Schema) -> None:
    # A detector that found nothing knows no labels; the frame fits every table.
    row = RowEncoder(schema).encode([("a", Frame(index=7, time_s=0.25, faces=Faces.empty()))]).to_pylist()[0]
    known = {name: value for name, value in row.items() if value is not None}
    assert known == {"source": "a", "frame": 7, "time_s": 0.25, "success": False}


def test_what_was_not_measured_is_null_never_nan_or_zero() -> None:
    labels = ("happiness", "neutral")
    faces = Faces(boxes=[[0, 0, 9, 9]], expression=[[0.75, 0.25]], expression_labels=labels)
    schema = table_schema(expression_labels=labels, n_landmarks=5)
    row = RowEncoder(schema).encode([("a", Frame(index=0, time_s=0.0, faces=faces))]).to_pylist()[0]
    assert row["expression"] == "happiness"
    assert (row["expression_happiness"], row["expression_neutral"]) == (0.75, 0.25)
    absent = {name for name, value in row.items() if value is None}
    assert {f"expression_{name}" for name in EXPRESSIONS if name not in labels} <= absent
    assert {
        "track_id",
        "confidence",
        "quality",
        "pitch_rad",
        "valence",
        "arousal",
        "lm_x00",
        "lm_y04",
        "eye_open_image_left",
    } <= absent


def test_a_source_that_is_not_utf8_is_escaped(make_frame, schema: pa.Schema) -> None:
    batch = RowEncoder(schema).encode([("caf\udce9.mp4", make_frame(0)), ("Ελένη 😀.mp4", make_frame(1))])
    assert batch["source"].to_pylist() == [r"caf\udce9.mp4", "Ελένη 😀.mp4"]


def test_faces_of_another_bundle_are_refused(schema: pa.Schema, make_frame) -> None:
    encoder = RowEncoder(schema)
    encoder.check(make_frame(0).faces)
    encoder.check(Faces.empty(("happiness",)))
    with pytest.raises(ConfigError, match="expression_labels"):
        encoder.check(Faces(boxes=[[0, 0, 1, 1]], expression_labels=("happiness",)))
    with pytest.raises(ConfigError, match="action_unit_labels"):
        encoder.check(Faces(boxes=[[0, 0, 1, 1]], expression_labels=EXPRESSIONS))


def test_68_landmarks_and_five_keypoints_are_told_apart() -> None:
    landmarks, keypoints = np.arange(136.0).reshape(1, 68, 2), 1000 + np.arange(10.0).reshape(1, 5, 2)
    faces = Faces(boxes=[[0, 0, 9, 9]], landmarks=landmarks, keypoints=keypoints, expression_labels=EXPRESSIONS)
    for n_landmarks, points in ((68, landmarks), (5, keypoints)):
        encoder = RowEncoder(table_schema(n_landmarks=n_landmarks))
        (row,) = encoder.encode([("a", Frame(index=0, time_s=0.0, faces=faces))]).to_pylist()
        for axis, values in zip("xy", points[0].T, strict=True):
            assert [row[f"lm_{axis}{k:02d}"] for k in range(n_landmarks)] == values.tolist()


def test_another_number_of_landmarks_is_refused() -> None:
    with pytest.raises(ConfigError, match="0, 5 or 68 landmarks per face, not 7"):
        RowEncoder(table_schema(n_landmarks=7))


def test_a_schema_of_someone_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="table_schema"):
        RowEncoder(pa.schema([("source", pa.string())]))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_faces_survive_as_they_are(data: st.DataObject) -> None:
    labels, schema = ("fear", "other", "neutral"), table_schema(expression_labels=("fear", "other", "neutral"))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    frames = [
        Frame(
            index=index,
            time_s=index * 0.04,
            faces=Faces(
                boxes=data.draw(arrays(np.float32, (n, 4), elements=FLOATS)),
                track_ids=data.draw(arrays(np.int64, n, elements=st.integers(-1, 5))),
                expression=data.draw(arrays(np.float32, (n, 3), elements=FLOATS)),
                valence=data.draw(arrays(np.float32, n, elements=FLOATS)),
                expression_labels=labels,
            ),
        )
        for index, n in enumerate(sizes)
    ]
    batch = RowEncoder(schema).encode([("a", frame) for frame in frames])
    batch.validate(full=True)
    rows = [row for row in batch.to_pylist() if row["success"]]
    faces = [frame.faces[row] for frame in frames for row in range(len(frame.faces))]
    assert batch.num_rows == sum(max(n, 1) for n in sizes)
    for row, face in zip(rows, faces, strict=True):
        values = {"x1": face.boxes[0, 2], "valence": face.valence[0], "expression_fear": face.expression[0, 0]}
        for name, value in values.items():
            assert row[name] == (value if np.isfinite(value) else None)
        assert row["track_id"] == (None if face.track_ids[0] < 0 else face.track_ids[0])
        assert row["expression"] == face.top_expressions()[0]
    assert [row["face"] for row in rows] == [number for frame in frames for number in frame.faces.numbers.tolist()]


def test_intensities_are_the_last_columns_and_null_where_a_bundle_gives_none() -> None:
    units = ("AU01", "AU12")
    faces = Faces(
        boxes=[[0, 0, 9, 9]], action_units=[[0.1, 0.9]], action_unit_intensity=[[np.nan, 3.5]], action_unit_labels=units
    )
    frame = Frame(index=0, time_s=0.0, faces=faces)
    schema = table_schema(expression_labels=(), action_unit_labels=units, n_landmarks=5, intensity_labels=("AU12",))
    assert schema.names[-1] == "AU12_intensity"
    assert RowEncoder(schema).encode([("a", frame)]).to_pylist()[0]["AU12_intensity"] == 3.5
    both = table_schema(expression_labels=(), action_unit_labels=units, intensity_labels=units)
    row = RowEncoder(both).encode([("a", frame)]).to_pylist()[0]
    assert (row["AU01_intensity"], row["AU12_intensity"]) == (None, 3.5)
    assert not any(name.endswith("_intensity") for name in table_schema(action_unit_labels=units).names)


def test_sides_come_after_every_other_column_and_only_those_of_the_bundle() -> None:
    values = np.full((1, len(ACTION_UNIT_SIDES)), np.nan, np.float32)
    values[0, ACTION_UNIT_SIDES.index("AU12_left")] = 2.5
    faces = Faces(boxes=[[0, 0, 9, 9]], action_units=[[0.9]], action_unit_labels=("AU12",), action_unit_sides=values)
    schema = table_schema(
        expression_labels=(), action_unit_labels=("AU12",), uncertainty=True, interval_labels=("AU12",),
        intensity_labels=("AU12", "AU12_left", "AU12_right"),
    )  # fmt: skip
    assert schema.names[-2:] == ["AU12_left_intensity", "AU12_right_intensity"]
    assert intensity_columns(schema) == ["AU12_intensity", *schema.names[-2:]]
    assert column_named("AU12_left_intensity").range == "[0, 5]"
    row = RowEncoder(schema).encode([("a", Frame(index=0, time_s=0.0, faces=faces))]).to_pylist()[0]
    assert (row["AU12_left_intensity"], row["AU12_right_intensity"]) == (2.5, None)
    assert faces.to_dict()["AU12_left_intensity"] == [2.5]
    assert "AU12_right_intensity" not in faces.to_dict()
