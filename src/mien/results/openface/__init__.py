# SPDX-License-Identifier: Apache-2.0
"""OpenFace CSVs: columns, reader and writer."""

from mien.results.openface.openface_columns import (
    ABOUT_SUFFIX,
    from_intensity,
    from_openface_pose,
    openface_header,
    to_intensity,
    to_openface_pose,
)
from mien.results.openface.openface_reader import read_openface
from mien.results.openface.openface_writer import OpenFacePlan, write_openface, write_openface_files

__all__ = [
    "ABOUT_SUFFIX",
    "OpenFacePlan",
    "from_intensity",
    "from_openface_pose",
    "openface_header",
    "read_openface",
    "to_intensity",
    "to_openface_pose",
    "write_openface",
    "write_openface_files",
]
