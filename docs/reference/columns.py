# SPDX-License-Identifier: Apache-2.0
"""Prints ``columns.md``, the page about the affect table, from the descriptions that every table carries itself."""

from mien.results import SCHEMA_VERSION, describe_columns

_INTRODUCTION = f"""\
# Columns of the affect table

<!-- Written by `make docs` from mien.results.describe_columns(); change it there. -->

Schema version {SCHEMA_VERSION}. A table has one row per face and frame; a frame without a face has one row with
`success` false, so the time line is complete. A missing value is null, never 0. Parquet files have these
descriptions in their metadata.
A table has the action units of its bundle, and their intensities, also of the person's own left and right side, where
the bundle gives them; `--landmarks` adds
`lm_x00 ...` and `lm_y00 ...` in pixels, and `eye_open_image_left`, `eye_open_image_right` from 0 (closed) to 1
(wide open).
Naming persons ([persons](../how-to/persons.md)) adds `person` after `track_id`: text, null where the person has no
name.
"""


def main() -> None:
    """Print the page."""
    print(_INTRODUCTION)
    print("| column | type | unit | range | meaning |")
    print("|---|---|---|---|---|")
    for column in describe_columns():
        cells = (f"`{column.name}`", str(column.type), column.unit, column.range, column.meaning)
        print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
