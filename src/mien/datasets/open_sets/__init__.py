# SPDX-License-Identifier: Apache-2.0
"""Readers of the open face sets, which are Parquet files: pictures, votes, ratings and a teacher's outputs."""
