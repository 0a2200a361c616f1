# SPDX-License-Identifier: Apache-2.0
"""Runs whole jobs: files to tables, cameras as they happen, vectors for training, tables of tables, and speed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.pipeline.analyze import analyze
from mien.pipeline.live import LiveFrame, LiveStatistics, live
from mien.pipeline.run_progress import Event, FailuresListed, Note, Progress, TablesSkipped, TableWritten
from mien.pipeline.run_result import RunResult

if TYPE_CHECKING:
    from mien.pipeline.benchmark import BENCH_OPTIONS, BenchReport, bench
    from mien.pipeline.cards import (
        SUMS_NAME,
        audit_summary,
        data_card,
        list_all_bundles,
        provenance_manifest,
        write_cards,
    )
    from mien.pipeline.feature_extraction.extraction import FeatureEvent, FeaturesResult, extract_features
    from mien.pipeline.feature_extraction.feature_source import FaceVectors
    from mien.pipeline.feature_extraction.video_features import sound_of_frames
    from mien.pipeline.postprocessing.compound_table import compound_file, compound_table
    from mien.pipeline.postprocessing.convert import (
        Conversion,
        convert_file,
        convert_to_elan,
        convert_to_openface,
        json_text_notes,
    )
    from mien.pipeline.postprocessing.in_words import in_words
    from mien.pipeline.postprocessing.person_baseline import Calibration, calibrate_file, calibrate_table
    from mien.pipeline.postprocessing.report import write_report
    from mien.pipeline.postprocessing.smooth import smooth_file, smooth_table
    from mien.pipeline.postprocessing.summarize import SummaryResult, bundle_thresholds, summarize, summarize_files
    from mien.pipeline.postprocessing.time_attribution import TrackExplanation, explain_table
    from mien.pipeline.postprocessing.tracks import (
        TrackList,
        forget_in_file,
        name_persons_in_file,
        tracks_of_file,
        write_thumbnails,
    )
    from mien.pipeline.postprocessing.utterance_scores import (
        UtteranceScores,
        score_utterances,
        write_utterance_features,
    )

__all__ = [
    "BENCH_OPTIONS",
    "SUMS_NAME",
    "BenchReport",
    "Calibration",
    "Conversion",
    "Event",
    "FaceVectors",
    "FailuresListed",
    "FeatureEvent",
    "FeaturesResult",
    "LiveFrame",
    "LiveStatistics",
    "Note",
    "Progress",
    "RunResult",
    "SummaryResult",
    "TableWritten",
    "TablesSkipped",
    "TrackExplanation",
    "TrackList",
    "UtteranceScores",
    "analyze",
    "audit_summary",
    "bench",
    "bundle_thresholds",
    "calibrate_file",
    "calibrate_table",
    "compound_file",
    "compound_table",
    "convert_file",
    "convert_to_elan",
    "convert_to_openface",
    "data_card",
    "explain_table",
    "extract_features",
    "forget_in_file",
    "in_words",
    "json_text_notes",
    "list_all_bundles",
    "live",
    "name_persons_in_file",
    "provenance_manifest",
    "score_utterances",
    "smooth_file",
    "smooth_table",
    "sound_of_frames",
    "summarize",
    "summarize_files",
    "tracks_of_file",
    "write_cards",
    "write_report",
    "write_thumbnails",
    "write_utterance_features",
]

# What the main job does not need is opened when it is used.
_HOMES = {
    "BENCH_OPTIONS": "benchmark",
    "BenchReport": "benchmark",
    "bench": "benchmark",
    "SUMS_NAME": "cards",
    "audit_summary": "cards",
    "data_card": "cards",
    "list_all_bundles": "cards",
    "provenance_manifest": "cards",
    "write_cards": "cards",
    "FeatureEvent": "feature_extraction.extraction",
    "FeaturesResult": "feature_extraction.extraction",
    "extract_features": "feature_extraction.extraction",
    "FaceVectors": "feature_extraction.feature_source",
    "sound_of_frames": "feature_extraction.video_features",
    "compound_file": "postprocessing.compound_table",
    "compound_table": "postprocessing.compound_table",
    "Conversion": "postprocessing.convert",
    "convert_file": "postprocessing.convert",
    "in_words": "postprocessing.in_words",
    "convert_to_elan": "postprocessing.convert",
    "convert_to_openface": "postprocessing.convert",
    "json_text_notes": "postprocessing.convert",
    "Calibration": "postprocessing.person_baseline",
    "calibrate_file": "postprocessing.person_baseline",
    "calibrate_table": "postprocessing.person_baseline",
    "write_report": "postprocessing.report",
    "smooth_file": "postprocessing.smooth",
    "smooth_table": "postprocessing.smooth",
    "SummaryResult": "postprocessing.summarize",
    "bundle_thresholds": "postprocessing.summarize",
    "summarize": "postprocessing.summarize",
    "summarize_files": "postprocessing.summarize",
    "TrackExplanation": "postprocessing.time_attribution",
    "explain_table": "postprocessing.time_attribution",
    "TrackList": "postprocessing.tracks",
    "forget_in_file": "postprocessing.tracks",
    "name_persons_in_file": "postprocessing.tracks",
    "tracks_of_file": "postprocessing.tracks",
    "write_thumbnails": "postprocessing.tracks",
    "UtteranceScores": "postprocessing.utterance_scores",
    "score_utterances": "postprocessing.utterance_scores",
    "write_utterance_features": "postprocessing.utterance_scores",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mien.pipeline' has no attribute {name!r}")
    value = getattr(import_module(f"mien.pipeline.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
