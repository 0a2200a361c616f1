# SPDX-License-Identifier: Apache-2.0
"""Names for the array types that signatures use; shapes, ranges and units stand in the docstrings.

Examples:
    >>> import numpy as np
    >>> from mien.core import Float32, Image
    >>> def brightness(images: Image) -> Float32:
    ...     return images.mean(axis=(1, 2, 3), dtype=np.float32)
    >>> brightness(np.full((1, 4, 4, 3), 7, np.uint8)).tolist()
    [7.0]
"""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Pixels: (H, W, 3) RGB or (H, W) gray, or a stack of them; uint8."""

Float32 = npt.NDArray[np.float32]
"""Array of single precision: what networks give and `Faces` holds."""

Float64 = npt.NDArray[np.float64]
"""Array of double precision: filters, metrics and geometry."""

Floats = npt.NDArray[np.floating]
"""Array of either precision."""

Bools = npt.NDArray[np.bool_]
"""Mask."""

Int64 = npt.NDArray[np.int64]
"""Numbers of frames and tracks."""

Integers = npt.NDArray[np.integer]
"""Array of integers of any width."""

Indices = npt.NDArray[np.intp]
"""Rows or columns of another array."""
