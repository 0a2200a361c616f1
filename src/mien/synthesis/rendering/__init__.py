# SPDX-License-Identifier: Apache-2.0
"""From a head to an image: geometry of hair and accessories, rasterizer, shading, and the camera's defects."""
