# SPDX-License-Identifier: Apache-2.0
# Short names for what CONTRIBUTING describes. PYTHON chooses the environment: make test PYTHON=python3.13

PYTHON ?= .venv/bin/python
MIEN_DATA ?= ../shared/data
CLIP ?= $(MIEN_DATA)/video/single_face.mp4

.PHONY: setup format lint type test doctest slow fuzz-media test-train docs cards docs-train site gallery walk bench benchmark

setup:
	python3 -m venv .venv
	.venv/bin/python -m pip install -e '.[test]'

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-cache

# Without the training packages: test-train checks them, because they need torch.
type:
	$(PYTHON) -m mypy --exclude '^src/mien/training/'

test:
	$(PYTHON) -m pytest

# The examples in docstrings.
doctest:
	$(PYTHON) -m pytest --doctest-modules $(addprefix src/mien/,core jobs metrics datasets inference faces affect synthesis)

slow:
	$(PYTHON) -m pytest -m slow

# Mutated images and videos for a time: make fuzz-media SECONDS=1800 SEED=1
SECONDS ?= 1800
SEED ?= 0
fuzz-media:
	MIEN_FUZZ_SECONDS=$(SECONDS) MIEN_FUZZ_SEED=$(SEED) $(PYTHON) -m pytest -m slow -p no:faulthandler tests/media/test_media_fuzz.py

# Installs torch: about 6 GB.
test-train:
	$(PYTHON) -m pip install -e '.[test,train,synthesis]'
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest tests/training tests/benchmarks tests/synthesis

docs:
	$(PYTHON) docs/reference/columns.py > docs/reference/columns.md
	$(PYTHON) docs/reference/data_inventory.py > docs/reference/data-inventory.md
	$(PYTHON) docs/reference/comparison.py
	$(PYTHON) -m mien models show > docs/reference/model-card.md
	$(PYTHON) -m mien models show mien-accurate > docs/reference/model-card-accurate.md

# Cards of the shipped bundles: model, data, audit (from audits below AUDITS, by mien audit), hashes.
AUDITS ?= build/audits
cards:
	$(PYTHON) -m mien models cards --out docs/reference/cards --audits $(AUDITS)
	cp docs/reference/cards/SHA256SUMS src/mien/bundles/SHA256SUMS

# Needs the extra train.
docs-train:
	$(PYTHON) docs/reference/recipe_keys.py > docs/reference/recipe-keys.md

# In an environment of its own, so that the tools of the site do not mix with those of mien. Warnings are errors.
site:
	python3 -m venv build/site-tools
	build/site-tools/bin/python -m pip install --quiet 'sphinx>=8.2' 'myst-parser>=4' 'pydata-sphinx-theme>=0.16' -e .
	build/site-tools/bin/python -m sphinx -b html -W --keep-going -q docs build/site
	.ci/check-site build/site

# The pictures of the gallery and of README, from the rendered sample. With Chromium also those of the report.
gallery:
	$(PYTHON) docs/gallery/pictures.py docs/gallery

# What a newcomer does, timed: install, clip, overlay, report, notebook.
walk:
	.ci/walk

bench:
	$(PYTHON) -m mien bench $(CLIP)

# One benchmark: make benchmark NAME=adaptive ARGS='clip.mp4'. Without NAME it lists all of them.
benchmark:
	$(PYTHON) -m benchmarks $(or $(NAME),--help) $(ARGS)
