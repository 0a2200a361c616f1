# SPDX-License-Identifier: Apache-2.0
"""Experiments on the claims of papers whose systems are more than one face network."""
