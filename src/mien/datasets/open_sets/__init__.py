# SPDX-License-Identifier: Apache-2.0
"""The open face sets kept as Parquet: pictures, votes, ratings and a landmark teacher's outputs."""
