# SPDX-License-Identifier: Apache-2.0
"""Adaptation of a bundle to a person or a site without training: fitted from few examples, applied to its outputs."""
