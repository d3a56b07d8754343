# Everything a stranger needs: each target sets up its own virtual environment from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint figures clean

demo: $(READY)
	$(BIN)/uslabelseg demo demo-study

test: $(READY) lint
	$(BIN)/python -m pytest Testing/USLabelEfficientSegLib Testing/robustness
	$(BIN)/python -m pytest Testing/slicer_host $(wildcard Testing/test_*.py)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

figures: $(READY)
	$(BIN)/python docs/figures/simulated_slices.py

# torch comes first and pinned: left to itself, pip would take a build with gigabytes of CUDA packages.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $(READY)

clean:
	rm -rf $(VENV) demo-study .pytest_cache .mypy_cache .ruff_cache
