# SPDX-License-Identifier: Apache-2.0
"""Networks: backbones, named heads, and the module that joins them."""
