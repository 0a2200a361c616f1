# SPDX-License-Identifier: Apache-2.0
"""Readers of data set folders, which return samples with masks; each reader is imported when it is used."""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mien.core import ACTION_UNITS_8, ACTION_UNITS_12, COMPOUND_EXPRESSIONS, EMI_EMOTIONS, ERI_EMOTIONS
from mien.datasets.check import CheckReport, check_dataset
from mien.datasets.registry import DATASETS, DataSet, create_example, load_dataset
from mien.datasets.samples import Samples, SplitCounts
from mien.datasets.text_files import AnnotationError, OnProblem

if TYPE_CHECKING:
    from mien.datasets.crop_folders import (
        CROP_FOLDERS,
        CropFolders,
        base_video,
        crop_files,
        crops_at,
        deeper_crops,
        find_crops,
        find_videos,
    )
    from mien.datasets.frame_samples import FrameSamples
    from mien.datasets.image_samples import ImageSamples
    from mien.datasets.label_columns import majority, plurality
    from mien.datasets.open_sets.face_parquet import (
        VOTES,
        Pictures,
        TeacherOutputs,
        load_emotions,
        load_pictures,
        load_ratings,
        load_teacher,
        load_traits,
        load_votes,
        picture_file,
        teacher_file,
    )
    from mien.datasets.open_sets.face_sets import (
        FERPLUS_TEMPLATE,
        affect_map,
        is_test_person,
        is_video_still,
        load_fairface,
        load_ferplus,
        load_held_out,
        load_landmark_faces,
        load_lfw,
        person,
    )
    from mien.datasets.open_sets.open_samples import (
        load_affectnet_c25,
        load_open_fairface,
        load_open_ferplus,
        load_open_lfw,
    )
    from mien.datasets.open_sets.rendered_faces import RenderedFaces, load_rendered_faces
    from mien.datasets.open_sets.scenes import Scenes, load_scenes
    from mien.datasets.open_sets.weak_labels import (
        AU_RULES,
        AffectMap,
        AuRule,
        action_unit_probabilities,
        expression_shares,
    )
    from mien.datasets.point_samples import PointSamples
    from mien.datasets.readers.affectnet import load_affectnet, load_affectnet_npy
    from mien.datasets.readers.affwild2 import load_affwild2_au, load_affwild2_expr, load_affwild2_mtl, load_affwild2_va
    from mien.datasets.readers.cexpr import load_cexpr
    from mien.datasets.readers.fer import load_fer2013, load_ferplus_csv
    from mien.datasets.readers.hume import load_emi, load_eri
    from mien.datasets.readers.lsd import load_lsd
    from mien.datasets.readers.morphset import load_morphset
    from mien.datasets.readers.person_folders import load_person_folders, validation_photos
    from mien.datasets.readers.rafdb import load_rafdb
    from mien.datasets.readers.utterance_table import UtteranceTable, read_utterance_table
    from mien.datasets.readers.utterances import load_utterances, read_feature_file
    from mien.datasets.samples import (
        UNKNOWN,
        ClipSamples,
        FaceSamples,
        LandmarkFaces,
        concatenate,
        name_share,
        some_names,
    )
    from mien.datasets.text_files import Document, Field, Table, load_document, read_rows
    from mien.datasets.track_files import frame_columns, load_frame_list, load_name_list, locate_frames
    from mien.datasets.utterance_samples import UtteranceSamples

__all__ = [
    "ACTION_UNITS_8",
    "ACTION_UNITS_12",
    "AU_RULES",
    "COMPOUND_EXPRESSIONS",
    "CROP_FOLDERS",
    "DATASETS",
    "EMI_EMOTIONS",
    "ERI_EMOTIONS",
    "FERPLUS_TEMPLATE",
    "UNKNOWN",
    "VOTES",
    "AffectMap",
    "AnnotationError",
    "AuRule",
    "CheckReport",
    "ClipSamples",
    "CropFolders",
    "DataSet",
    "Document",
    "FaceSamples",
    "Field",
    "FrameSamples",
    "ImageSamples",
    "LandmarkFaces",
    "OnProblem",
    "Pictures",
    "PointSamples",
    "RenderedFaces",
    "Samples",
    "Scenes",
    "SplitCounts",
    "Table",
    "TeacherOutputs",
    "UtteranceSamples",
    "UtteranceTable",
    "action_unit_probabilities",
    "affect_map",
    "base_video",
    "check_dataset",
    "concatenate",
    "create_example",
    "crop_files",
    "crops_at",
    "deeper_crops",
    "expression_shares",
    "find_crops",
    "find_videos",
    "frame_columns",
    "is_test_person",
    "is_video_still",
    "load_affectnet",
    "load_affectnet_c25",
    "load_affectnet_npy",
    "load_affwild2_au",
    "load_affwild2_expr",
    "load_affwild2_mtl",
    "load_affwild2_va",
    "load_cexpr",
    "load_dataset",
    "load_document",
    "load_emi",
    "load_emotions",
    "load_eri",
    "load_fairface",
    "load_fer2013",
    "load_ferplus",
    "load_ferplus_csv",
    "load_frame_list",
    "load_held_out",
    "load_landmark_faces",
    "load_lfw",
    "load_lsd",
    "load_morphset",
    "load_name_list",
    "load_open_fairface",
    "load_open_ferplus",
    "load_open_lfw",
    "load_person_folders",
    "load_pictures",
    "load_rafdb",
    "load_ratings",
    "load_rendered_faces",
    "load_scenes",
    "load_teacher",
    "load_traits",
    "load_utterances",
    "load_votes",
    "locate_frames",
    "majority",
    "name_share",
    "person",
    "picture_file",
    "plurality",
    "read_feature_file",
    "read_rows",
    "read_utterance_table",
    "some_names",
    "teacher_file",
    "validation_photos",
]

# Module -> names that it provides on first use.
_LAZY = MappingProxyType(
    {
        "crop_folders": (
            "CROP_FOLDERS",
            "CropFolders",
            "base_video",
            "crop_files",
            "crops_at",
            "deeper_crops",
            "find_crops",
            "find_videos",
        ),
        "frame_samples": ("FrameSamples",),
        "image_samples": ("ImageSamples",),
        "open_sets.face_parquet": (
            "VOTES",
            "Pictures",
            "TeacherOutputs",
            "load_emotions",
            "load_pictures",
            "load_ratings",
            "load_teacher",
            "load_traits",
            "load_votes",
            "picture_file",
            "teacher_file",
        ),
        "open_sets.face_sets": (
            "FERPLUS_TEMPLATE",
            "affect_map",
            "load_fairface",
            "load_ferplus",
            "load_landmark_faces",
            "load_lfw",
            "is_video_still",
            "is_test_person",
            "load_held_out",
            "person",
        ),
        "open_sets.open_samples": (
            "load_affectnet_c25",
            "load_open_fairface",
            "load_open_ferplus",
            "load_open_lfw",
        ),
        "open_sets.rendered_faces": ("RenderedFaces", "load_rendered_faces"),
        "open_sets.scenes": ("Scenes", "load_scenes"),
        "open_sets.weak_labels": (
            "AU_RULES",
            "AffectMap",
            "AuRule",
            "action_unit_probabilities",
            "expression_shares",
        ),
        "point_samples": ("PointSamples",),
        "readers.affectnet": (
            "load_affectnet",
            "load_affectnet_npy",
        ),
        "readers.affwild2": (
            "load_affwild2_au",
            "load_affwild2_expr",
            "load_affwild2_mtl",
            "load_affwild2_va",
        ),
        "readers.cexpr": ("load_cexpr",),
        "readers.fer": (
            "load_fer2013",
            "load_ferplus_csv",
        ),
        "readers.hume": (
            "load_emi",
            "load_eri",
        ),
        "readers.lsd": ("load_lsd",),
        "readers.morphset": ("load_morphset",),
        "readers.person_folders": ("load_person_folders", "validation_photos"),
        "readers.rafdb": ("load_rafdb",),
        "readers.utterance_table": ("UtteranceTable", "read_utterance_table"),
        "readers.utterances": ("load_utterances", "read_feature_file"),
        "samples": (
            "UNKNOWN",
            "ClipSamples",
            "FaceSamples",
            "LandmarkFaces",
            "concatenate",
            "name_share",
            "some_names",
        ),
        "label_columns": ("majority", "plurality"),
        "utterance_samples": ("UtteranceSamples",),
        "text_files": (
            "Document",
            "Field",
            "Table",
            "load_document",
            "read_rows",
        ),
        "track_files": (
            "frame_columns",
            "load_frame_list",
            "load_name_list",
            "locate_frames",
        ),
    }
)


def __getattr__(name: str) -> Any:
    source = next((module for module, names in _LAZY.items() if name in names), None)
    if source is None:
        raise AttributeError(f"module 'mien.datasets' has no attribute {name!r}")
    value = getattr(import_module(f"mien.datasets.{source}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
