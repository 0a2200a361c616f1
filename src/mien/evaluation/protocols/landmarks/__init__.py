# SPDX-License-Identifier: Apache-2.0
"""Protocols of landmark nets: against a teacher on real faces, and on rendered faces."""
