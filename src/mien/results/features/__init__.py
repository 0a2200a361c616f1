# SPDX-License-Identifier: Apache-2.0
"""Feature vectors on disk, as Parquet shards."""
