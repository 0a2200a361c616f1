# SPDX-License-Identifier: Apache-2.0
"""mien predicts facial affect in the wild: expression, valence, arousal and action units of every face.

Examples:
    >>> import mien
    >>> import numpy as np
    >>> analyzer = mien.Analyzer(threads=1)
    >>> faces = analyzer.image(np.zeros((90, 120, 3), np.uint8))  # or a path, or a PIL image
    >>> len(faces), faces.expression_labels[:2]
    (0, ('neutral', 'happiness'))

Videos give their frames one by one, ``for frame in analyzer.video("clip.mp4")``, and
``mien.analyze(["clips/"], out="results/")`` writes tables.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien._version import __version__

if TYPE_CHECKING:
    from mien.affect import Analyzer, Smoothing
    from mien.core import (
        ACTION_UNIT_SIDES,
        ACTION_UNITS,
        EXPRESSIONS,
        AnalyzerConfig,
        ConfigError,
        DatasetError,
        Face,
        Faces,
        Frame,
        InputError,
        JobOptions,
        MienError,
        MissingExtraError,
        ModelError,
        OutputError,
        Outputs,
        VideoOptions,
    )
    from mien.inference import list_bundles
    from mien.media import draw_faces, load_image
    from mien.pipeline import RunResult, analyze, live, summarize, write_report
    from mien.results import plot_table, read_table

__all__ = [
    "ACTION_UNITS",
    "ACTION_UNIT_SIDES",
    "EXPRESSIONS",
    "Analyzer",
    "AnalyzerConfig",
    "ConfigError",
    "DatasetError",
    "Face",
    "Faces",
    "Frame",
    "InputError",
    "JobOptions",
    "MienError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Outputs",
    "RunResult",
    "Smoothing",
    "VideoOptions",
    "__version__",
    "analyze",
    "draw_faces",
    "list_bundles",
    "live",
    "load_image",
    "plot_table",
    "read_table",
    "summarize",
    "write_report",
]

# OpenCV, ONNX Runtime, PyArrow and PyAV take long to import: a name imports its package when it is first used.
_HOMES = {
    "Analyzer": "mien.affect",
    "RunResult": "mien.pipeline",
    "Smoothing": "mien.affect",
    "analyze": "mien.pipeline",
    "draw_faces": "mien.media",
    "list_bundles": "mien.inference",
    "live": "mien.pipeline",
    "load_image": "mien.media",
    "plot_table": "mien.results",
    "read_table": "mien.results",
    "summarize": "mien.pipeline",
    "write_report": "mien.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "mien.core")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
