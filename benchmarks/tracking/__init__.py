# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the face tracker and of the adaptive frame rate."""
