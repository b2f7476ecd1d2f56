# Every target that needs Python makes .venv itself; `make PYTHON=python3.12 test` chooses the interpreter.

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(if $(shell $(p) -c 'import sys; print(1 if sys.version_info >= (3, 11) else "")' 2>/dev/null),$(p))) python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
DIR ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers check-format format docs bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## a real project in a new folder (or DIR=...), told step by step
	@$(BIN)/axil demo $(if $(DIR),"$(DIR)")

test: lint ## everything the continuous integration checks
	$(BIN)/pytest -n auto

lint: check-format types layers ## style, types and layers

check-format: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the source in its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## write docs/cli.md anew from the commands
	$(BIN)/python -m axil.cli.reference > docs/cli.md

bench: $(VENV)/.dev ## what each benchmark measures and how to run it
	@for script in bench/startup.py bench/pipeline.py bench/data.py bench/runs.py bench/sharing.py \
		bench/tracking.py; do \
		$(BIN)/python $$script --help; echo; done

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("axil needs Python 3.11 or newer; this is " + sys.version.split()[0] \
		+ " (choose another with: make PYTHON=python3.12 ...)" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "could not make $(VENV): on Debian and Ubuntu install python3-venv" >&2; exit 1; }

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[demo,dev]'
	@touch $@ $(VENV)/.demo
