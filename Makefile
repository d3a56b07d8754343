# Everything a stranger needs: each target sets up its own virtual environment from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint docs figures clean

demo: $(READY)
	$(BIN)/uslabelseg demo demo-study

test: $(READY) lint
	$(BIN)/python -m pytest Testing/USLabelEfficientSegLib Testing/robustness
	$(BIN)/python -m pytest Testing/slicer_host $(wildcard Testing/test_*.py)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(READY)
	$(BIN)/python docs/figures/simulated_slices.py
	$(BIN)/python docs/figures/use.py

# torch comes first and pinned: left to itself, pip would take a build with gigabytes of CUDA packages.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $(READY)

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) demo-study site .pytest_cache .mypy_cache .ruff_cache
