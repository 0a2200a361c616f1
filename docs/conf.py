# SPDX-License-Identifier: Apache-2.0
"""The site of the pages (Sphinx with MyST): ``make site``. It loads nothing from elsewhere and works from disk."""

from importlib.metadata import version as installed_version

project = "mien"
author = "The mien developers"
project_copyright = "The mien developers, Apache-2.0"
version = release = installed_version("mien")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**/*.py"]
default_role = "literal"  # single backticks in docstrings name code
nitpicky = False

myst_heading_anchors = 3
# Links to files of the repository outside docs/ have no page here; tests/conventions/test_docs.py checks every link.
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented"
napoleon_attr_annotations = False  # a docstring says the shape and the dtype
# The packages of the extra `train`, so that the reference of training needs no torch.
autodoc_mock_imports = [
    "lightning",
    "ml_dtypes",
    "onnx",
    "onnxruntime.quantization",
    "onnxscript",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_title = "mien"
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "footer_end": [],
    "footer_start": ["copyright"],
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "use_edit_page_button": False,
}
html_copy_source = False
html_show_sourcelink = False
# A summary beside a result is fetched from its page, which a browser refuses where the site is opened from disk.
html_show_search_summary = False
