# SPDX-License-Identifier: Apache-2.0
"""mien reads facial affect in the wild: expression, valence, arousal and action units for every face.

import mien

analyzer = mien.Analyzer()
faces = analyzer.image("photo.jpg")
for frame in analyzer.video("clip.mp4"):
...
mien.analyze(["clips/"], out="results/")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien._version import __version__

if TYPE_CHECKING:
    from mien.affect import Analyzer, Smoothing
    from mien.core import (
        ACTION_UNITS,
        EXPRESSIONS,
        AnalyzerConfig,
        ConfigError,
        DatasetError,
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
    from mien.pipeline import RunResult, analyze, live, summarize, write_report
    from mien.results import read_table

__all__ = [
    "ACTION_UNITS",
    "EXPRESSIONS",
    "Analyzer",
    "AnalyzerConfig",
    "ConfigError",
    "DatasetError",
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
    "list_bundles",
    "live",
    "read_table",
    "summarize",
    "write_report",
]

# Loading OpenCV, ONNX Runtime, PyArrow and PyAV takes longer than a door may: names open their package when used.
_HOMES = {
    "Analyzer": "mien.affect",
    "RunResult": "mien.pipeline",
    "Smoothing": "mien.affect",
    "analyze": "mien.pipeline",
    "list_bundles": "mien.inference",
    "live": "mien.pipeline",
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
