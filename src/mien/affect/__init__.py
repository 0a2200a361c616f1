# SPDX-License-Identifier: Apache-2.0
"""From faces to affect: decoding of network outputs, the `Analyzer`, temporal processing and model ensembles."""

from mien.affect.adaptive import AdaptiveRate, predict_adaptively
from mien.affect.analyzer import Analyzer, opencv_on_one_thread
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
from mien.affect.inference_stage import Decoder, RawFrame, activate, cut_faces, fit_crop
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
from mien.affect.temporal.frame_smoothing import smooth_frames
from mien.affect.temporal.smoothing import (
    KERNELS,
    Kernel,
    Smoothing,
    Window,
    box_mean,
    box_median,
    fill_gaps,
    gaussian_mean,
    hold_through_gaps,
    smooth_tracks,
)
from mien.affect.temporal.streamed_filter import StreamedFilter

__all__ = [
    "AUDIO_ENCODERS",
    "COMPOUND_COUNTS",
    "COMPOUND_MEANS",
    "COMPOUND_PAIRS",
    "KERNELS",
    "MIN_NEUTRAL_ROWS",
    "NEUTRAL_FROM",
    "STATISTICS",
    "AdaptiveRate",
    "Analyzer",
    "AudioEncoder",
    "Baseline",
    "BlendSearch",
    "ClipVectors",
    "CompoundMean",
    "Decoder",
    "FakeAudioEncoder",
    "IntensityPredictor",
    "Kernel",
    "RawFrame",
    "Smoothing",
    "StreamedFilter",
    "Window",
    "activate",
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
    "create_audio_encoder",
    "cut_faces",
    "fill_gaps",
    "fit_crop",
    "frequency_divergence",
    "gaussian_mean",
    "hold_through_gaps",
    "opencv_on_one_thread",
    "predict_adaptively",
    "resting_level",
    "resting_levels",
    "search_blend",
    "search_blend_per_column",
    "smooth_frames",
    "smooth_tracks",
    "strongest_per_frame",
    "subtract_levels",
]
