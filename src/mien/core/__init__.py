# SPDX-License-Identifier: Apache-2.0
"""The vocabulary that every other package speaks: results, labels, specs, the registry and the errors."""

from mien.core.choice import FaceChoice
from mien.core.errors import (
    ConfigError,
    DatasetError,
    InputError,
    JobError,
    MienError,
    MissingExtraError,
    ModelError,
    OutputError,
)
from mien.core.faces import Faces, Frame
from mien.core.head import HEAD_VERSION, INTENSITY_LABELS, HeadInput, HeadSpec
from mien.core.labels import (
    ACTION_UNITS,
    ACTION_UNITS_8,
    ACTION_UNITS_12,
    COMPOUND_EXPRESSIONS,
    DIMENSIONS,
    EMI_EMOTIONS,
    ERI_EMOTIONS,
    EXPRESSION_COLOURS,
    EXPRESSION_ORDERS,
    EXPRESSIONS,
    MIRRORED_POINTS,
    POINT_COLUMNS,
    columns_by_name,
)
from mien.core.pose import pose_angles, rotation_matrices
from mien.core.registry import Registry
from mien.core.spec import (
    SPEC_VERSION,
    CropSpec,
    Figure,
    InputSpec,
    ModelSpec,
    TaskSpec,
    TeachingSource,
)
from mien.core.typed import read_typed

__all__ = [
    "ACTION_UNITS",
    "ACTION_UNITS_8",
    "ACTION_UNITS_12",
    "COMPOUND_EXPRESSIONS",
    "DIMENSIONS",
    "EMI_EMOTIONS",
    "ERI_EMOTIONS",
    "EXPRESSIONS",
    "EXPRESSION_COLOURS",
    "EXPRESSION_ORDERS",
    "HEAD_VERSION",
    "INTENSITY_LABELS",
    "MIRRORED_POINTS",
    "POINT_COLUMNS",
    "SPEC_VERSION",
    "ConfigError",
    "CropSpec",
    "DatasetError",
    "FaceChoice",
    "Faces",
    "Figure",
    "Frame",
    "HeadInput",
    "HeadSpec",
    "InputError",
    "InputSpec",
    "JobError",
    "MienError",
    "MissingExtraError",
    "ModelError",
    "ModelSpec",
    "OutputError",
    "Registry",
    "TaskSpec",
    "TeachingSource",
    "columns_by_name",
    "pose_angles",
    "read_typed",
    "rotation_matrices",
]
