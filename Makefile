# make demo: see the whole loop in minutes.  make test: lint, types, tests.  Both do their own set-up.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m
QUIET := --quiet --disable-pip-version-check --no-compile
# By name, so that pytest keeps the bytecode that it makes of it, for each child that tests start.
PYTEST := $(RUN) pytest -p tunegate -n 2
# Bytecode is written at the first import (and not of everything by pip, which takes a minute).
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-slow lint types docs wheel constraints clean

demo: $(READY)
	@$(VENV)/bin/tunegate demo .

test: lint types
	$(PYTEST) -m "not slow" -q

test-slow: $(READY)
	$(PYTEST) -m slow --dist loadfile --no-loadscope-reorder -v

lint: $(READY)
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: $(READY)
	$(RUN) mypy -n 2

# The site, into site/: a broken link or name is an error. `$(VENV)/bin/zensical serve` shows it.
docs: $(READY)
	@$(RUN) pip install $(QUIET) -c constraints.txt -e '.[docs]'
	$(VENV)/bin/zensical build --clean --strict

# What would be published, into dist/, and what twine and check-wheel-contents say of it.
wheel: $(READY)
	@$(RUN) pip install $(QUIET) -c constraints.txt -e '.[release]'
	rm -rf dist
	$(RUN) build
	$(RUN) twine check --strict dist/*
	$(VENV)/bin/check-wheel-contents dist

# The versions in force, with what pyproject.toml has that they lack; UPGRADE=1 takes the newest.
constraints: $(READY)
	$(VENV)/bin/python tools/constraints.py $(if $(UPGRADE),--upgrade)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install $(QUIET) -c constraints.txt -e '.[dev]'
	$(RUN) compileall -q harness checks plugins
	@touch $@

clean:
	rm -rf $(VENV) .tunegate .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache dist site
