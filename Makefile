# make demo : set everything up and focus a simulated microscope in napari
# make test : set everything up and run every check

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: demo test lint types tests wheel docs bench benchmarks fuzz lowest models clean system

demo: $(VENV)/.demo
	$(VENV)/bin/napari-autofocus demo --out demo

test: $(VENV)/.test lint types tests wheel

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.test
	$(VENV)/bin/mypy

tests: $(VENV)/.test
	$(VENV)/bin/python -m pytest

wheel: $(VENV)/.test
	PYTHON=$(PYTHON) .ci/wheel-check

# The site, into build/site; nothing is fetched.
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# How fast it is, beside the alternatives: ten minutes on two quiet cores, one table, and docs/speed.md made from it.
bench: $(VENV)/.test
	$(VENV)/bin/python benchmarks/bench.py
	$(VENV)/bin/python docs/make_speed.py

# What the answers are worth, and all else that is measured, one script after the other: many hours.
benchmarks: $(VENV)/.test
	for script in $$(grep -l __main__ benchmarks/*.py | grep -v -e /bench.py -e /first_image.py); do \
		$(VENV)/bin/python $$script || exit 1; \
	done

# Damaged and hostile files and command lines, for as long as wanted: make fuzz MINUTES=60
MINUTES ?= 10
fuzz: $(VENV)/.test
	$(VENV)/bin/python -m fuzz --minutes $(MINUTES) --out benchmarks/results/fuzz.json

# The tests on the lowest versions that pyproject.toml declares, in an environment of their own. Libraries of different
# ages warn of each other: that is no failure there.
LOWEST := .venv-lowest
lowest: | system
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --disable-pip-version-check -q -c constraints-lowest.txt torch
	$(LOWEST)/bin/pip install --disable-pip-version-check -q -c constraints-lowest.txt -e ".[napari,dev,interop]"
	$(LOWEST)/bin/python -m pytest -o filterwarnings=default

# Hours of two CPU cores; goes on where it was stopped. With a GPU: make models DEVICE=cuda
DEVICE ?= cpu
models: $(VENV)/.test
	$(VENV)/bin/python -m napari_autofocus.workflows.shipped.models --work build/models --device $(DEVICE)
	$(VENV)/bin/python -m napari_autofocus.workflows.shipped.refocusers --work build/models --device $(DEVICE)

clean:
	rm -rf $(VENV) $(LOWEST) dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

system:
	PYTHON=$(PYTHON) .ci/system-libraries

$(VENV)/bin/python: | system
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt napari.yaml | $(VENV)/bin/python system
	$(PIP) -e ".[napari]"
	touch $@

# torch first, from the constraints: an unpinned torch would bring gigabytes of CUDA along.
$(VENV)/.test: pyproject.toml constraints.txt napari.yaml | $(VENV)/bin/python system
	$(PIP) torch
	$(PIP) -e ".[napari,dev,docs,interop]"
	touch $@
