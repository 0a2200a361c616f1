# SPDX-License-Identifier: Apache-2.0
"""The affect table on disk: schema, writer, reader, unfinished rows, manifest, persons and tracks."""
