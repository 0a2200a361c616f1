# SPDX-License-Identifier: Apache-2.0
"""Protocols of action units: against a landmark teacher, by ranks on real faces, and on rendered faces."""
