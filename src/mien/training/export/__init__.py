# SPDX-License-Identifier: Apache-2.0
"""Exports trained networks to bundles: calibration, ONNX, quantized variants and model cards."""
