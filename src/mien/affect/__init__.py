# SPDX-License-Identifier: Apache-2.0
"""From faces to affect: decoding of network outputs, the `Analyzer`, temporal processing and model ensembles."""

from mien.affect.adaptation.adapt import (
    ExampleOutputs,
    Examples,
    adapt,
    example_outputs,
    fit_adaptation,
    read_examples,
)
from mien.affect.adaptation.corrections import corrected, load_adaptation, values_before_activation
from mien.affect.adaptive import AdaptiveRate, predict_adaptively
from mien.affect.analyzer import Analyzer
from mien.affect.audio.encoders import (
    AUDIO_ENCODERS,
    AudioEncoder,
    FakeAudioEncoder,
    align_audio,
    create_audio_encoder,
)
from mien.affect.blend import (
    BlendSearch,
    blend,
    blend_per_column,
    confidence_filter,
    search_blend,
    search_blend_per_column,
)
from mien.affect.explanation.explain import (
    PROTOTYPE_EXPRESSIONS,
    PROTOTYPE_PX,
    PROTOTYPE_SHEET,
    PROTOTYPES_PER_ROW,
    Explanation,
    Prototype,
    explain_crop,
    explain_face,
    nearest_prototypes,
    prototype_tiles,
    target_score,
)
from mien.affect.explanation.saliency import (
    curve_area,
    deletion_curve,
    insertion_curve,
    occlusion_map,
    rise_map,
)
from mien.affect.explanation.time_shares import Stretch, time_shares
from mien.affect.geometry import GeometryModel, MovedDistance, parse_va
from mien.affect.inference_stage import Decoder, RawFrame, activate, cut_faces, fit_crop
from mien.affect.opencv_threads import opencv_on_one_thread
from mien.affect.temporal.baseline import (
    MIN_NEUTRAL_ROWS,
    NEUTRAL_FROM,
    Baseline,
    resting_level,
    resting_levels,
    subtract_levels,
)
from mien.affect.temporal.clip_intensity import (
    STATISTICS,
    ClipVectors,
    IntensityPredictor,
    clip_sequences,
    clip_statistics,
)
from mien.affect.temporal.compound import (
    COMPOUND_COUNTS,
    COMPOUND_MEANS,
    COMPOUND_PAIRS,
    CompoundMean,
    choose_by_frequencies,
    compound_expressions,
    compound_scores,
    compound_timeline,
    frequency_divergence,
    strongest_per_frame,
)
from mien.affect.temporal.filters import box_mean, box_median, fill_gaps, gaussian_mean, hold_through_gaps
from mien.affect.temporal.frame_smoothing import FrameSmoother, smooth_frames
from mien.affect.temporal.smoothing import KERNELS, Kernel, Smoothing, Window, smooth_tracks
from mien.affect.temporal.streamed_filter import StreamedFilter
from mien.affect.temporal.time_mean import TimeMean
from mien.affect.utterance_model import UtteranceModel, hash_words, pack_utterances
from mien.affect.views import CropView, further_views, view_spread

__all__ = [
    "AUDIO_ENCODERS",
    "COMPOUND_COUNTS",
    "COMPOUND_MEANS",
    "COMPOUND_PAIRS",
    "KERNELS",
    "MIN_NEUTRAL_ROWS",
    "NEUTRAL_FROM",
    "PROTOTYPES_PER_ROW",
    "PROTOTYPE_EXPRESSIONS",
    "PROTOTYPE_PX",
    "PROTOTYPE_SHEET",
    "STATISTICS",
    "AdaptiveRate",
    "Analyzer",
    "AudioEncoder",
    "Baseline",
    "BlendSearch",
    "ClipVectors",
    "CompoundMean",
    "CropView",
    "Decoder",
    "ExampleOutputs",
    "Examples",
    "Explanation",
    "FakeAudioEncoder",
    "FrameSmoother",
    "GeometryModel",
    "IntensityPredictor",
    "Kernel",
    "MovedDistance",
    "Prototype",
    "RawFrame",
    "Smoothing",
    "StreamedFilter",
    "Stretch",
    "TimeMean",
    "UtteranceModel",
    "Window",
    "activate",
    "adapt",
    "align_audio",
    "blend",
    "blend_per_column",
    "box_mean",
    "box_median",
    "choose_by_frequencies",
    "clip_sequences",
    "clip_statistics",
    "compound_expressions",
    "compound_scores",
    "compound_timeline",
    "confidence_filter",
    "corrected",
    "create_audio_encoder",
    "curve_area",
    "cut_faces",
    "deletion_curve",
    "example_outputs",
    "explain_crop",
    "explain_face",
    "fill_gaps",
    "fit_adaptation",
    "fit_crop",
    "frequency_divergence",
    "further_views",
    "gaussian_mean",
    "hash_words",
    "hold_through_gaps",
    "insertion_curve",
    "load_adaptation",
    "nearest_prototypes",
    "occlusion_map",
    "opencv_on_one_thread",
    "pack_utterances",
    "parse_va",
    "predict_adaptively",
    "prototype_tiles",
    "read_examples",
    "resting_level",
    "resting_levels",
    "rise_map",
    "search_blend",
    "search_blend_per_column",
    "smooth_frames",
    "smooth_tracks",
    "strongest_per_frame",
    "subtract_levels",
    "target_score",
    "time_shares",
    "values_before_activation",
    "view_spread",
]
