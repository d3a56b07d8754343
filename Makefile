# Everything a stranger needs: each target sets up what it needs, and no more, in one virtual environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint docs figures dist dependencies container clean

demo: $(VENV)/.ready
	$(BIN)/uslabelseg demo demo-study

# Two processes share the tests, a file at a time: its tests share what they make. torch has one thread in each, for threads
# of two programs wait for each other by spinning.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile
COVERED := $(PYTEST) --cov --cov-append --cov-report= --cov-fail-under=0

# The panel has processes of its own: what a test of files leaves running is none of it. Damaged files by the thousand tell
# nothing more about coverage, and would take a third longer with it.
test: $(VENV)/.test lint
	$(BIN)/coverage erase
	$(COVERED) Testing/USLabelEfficientSegLib
	$(COVERED) Testing/slicer_host $(wildcard Testing/test_*.py)
	$(PYTEST) Testing/robustness
	$(BIN)/coverage report

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file benchmarks/mypy.ini
	$(BIN)/mypy --config-file Testing/mypy.ini

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(VENV)/.ready
	$(BIN)/python docs/figures/simulated_slices.py
	$(BIN)/python docs/figures/use.py

# The source distribution, and the wheel that is built from it.
dist: $(VENV)/.test
	$(BIN)/python -m build --no-isolation --outdir dist

# docs/licences.md and constraints.txt, from what is installed: the newest versions that are allowed, if $(VENV) is new.
dependencies: $(VENV)/.test
	$(BIN)/python release/dependencies.py

CONTAINER ?= $(shell command -v docker || command -v podman)
container:
	@test -n "$(CONTAINER)" || { echo "make container needs docker or podman: install one of them"; exit 1; }
	$(CONTAINER) build --tag uslabelseg .

# torch comes first and pinned: left to itself, pip would take a build with gigabytes of CUDA packages.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) torch
	$(INSTALL) --editable .
	touch $@

# Extras by name: `make test` and `make docs` add theirs to what `make demo` needs.
$(VENV)/.test $(VENV)/.docs: $(VENV)/.%: $(VENV)/.ready
	$(INSTALL) --editable ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) demo-study site dist build .coverage .pytest_cache .mypy_cache .ruff_cache
