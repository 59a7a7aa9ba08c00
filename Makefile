# `make` builds the environment, runs the full analysis and the report; `make help` lists the rest.
# Set PYTHON to build the environment with another interpreter: make PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
export PYTHONHASHSEED := 0
export PYTHONDONTWRITEBYTECODE :=
# One thread for each process's linear algebra: with more, parallel tests wait for each other.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := all
.PHONY: all environment docs test test-slow test-all test-newest test-lowest lint audit lock reference clean help

all: environment  ## environment, full analysis and report (results/report/index.html)
	@$(BIN)/pytask
	@echo "Report: results/report/index.html"

environment: .venv/ready  ## .venv with the exact versions of requirements.lock; tests and lint add theirs

# The lock's versions, by their hashes, of what pyproject.toml asks for. Bytecode is written when a
# module is first imported: to compile all of it took most of the time and a fifth of the space.
INSTALL := VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes --constraint requirements.lock --requirement pyproject.toml

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; found " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@$(INSTALL) --extra notebooks --extra cluster --extra update --extra build
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m ipykernel install --sys-prefix --display-name mexico-homicide-its > /dev/null  # JupyterLab shows it
	@touch $@

.venv/tested: .venv/ready
	@$(INSTALL) --all-extras
	@touch $@

docs: environment  ## the documentation, its examples run (results/docs/index.html)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && { $(BIN)/python -m sphinx -q -W -b html docs "$$folder/docs" > "$$folder/said" 2>&1 || { cat "$$folder/said"; exit 1; }; } \
	  && rm -rf results/docs && mkdir -p results && mv "$$folder/docs" results/docs
	@echo "Documentation: results/docs/index.html"

test: .venv/tested  ## the fast tests, on all cores
	@$(BIN)/pytest -q -n auto

test-slow test-all: test-%: .venv/tested  ## simulations, and the whole run from end to end; with all, the fast tests too
	-@$(MAKE) --no-print-directory .venv/metadata/ready
	@$(BIN)/pytest -q -n auto -m "$(MARKED_$*)"

MARKED_slow := slow
MARKED_all := slow or not slow

.venv/metadata/ready: .ci/metadata.txt  # validators that do not go with the versions of the lock
	@$(PYTHON) -m venv --clear .venv/metadata
	@.venv/metadata/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/metadata.txt
	@touch $@

RESOLUTION_newest := highest
RESOLUTION_lowest := lowest-direct

test-newest test-lowest: test-%: environment  ## the fast tests with the newest, or lowest, versions that pyproject.toml allows
	@$(BIN)/uv venv --quiet --clear --python "$(PYTHON)" .venv/$*
	@VIRTUAL_ENV=.venv/$* $(BIN)/uv pip install --quiet --resolution $(RESOLUTION_$*) --editable '.[notebooks,cluster,update,build,dev]'
	@.venv/$*/bin/pytest -q -n auto

lint: .venv/tested  ## errors, style, format and types; imports between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

audit: .venv/audit/ready  ## known holes in the locked packages (asks PyPI), and in the workflows
	@for lock in requirements.lock .ci/audit.txt .ci/metadata.txt; do .venv/audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done
	@.venv/audit/bin/zizmor --offline --no-progress .github

.venv/audit/ready: .ci/audit.txt
	@$(PYTHON) -m venv --clear .venv/audit
	@.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/audit.txt
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock"

lock: environment  ## requirements.lock, .ci/*.txt and environment.yml from pyproject.toml and .ci/*.in; UPGRADE=--upgrade for newer versions
	@$(COMPILE) $(UPGRADE) --all-extras --output-file requirements.lock pyproject.toml
	@for tools in audit metadata; do $(COMPILE) $(UPGRADE) --output-file .ci/$$tools.txt .ci/$$tools.in || exit 1; done
	@$(BIN)/python tests/support/locked.py > environment.yml

reference: environment  ## rerun the R references of tests/reference, where R is there
	@command -v Rscript > /dev/null || { echo "Rscript is missing: install R with the packages that tests/reference/README.md names. Only this target needs R; the tests read what it wrote." >&2; exit 1; }
	@$(BIN)/python tests/reference/export_windows.py
	@cd tests/reference && for script in sicily quetiapine nile gls gls_arma panel florida queensland smoking aswan west_virginia; do Rscript --vanilla $$script.R || exit 1; done

clean:  ## remove what a run made; the environment stays
	@rm -rf results .pytask pytask.lock .pytest_cache .ruff_cache .mypy_cache .hypothesis

help:  ## this list
	@grep -E '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z -]+):.*## /  make \1 — /'
