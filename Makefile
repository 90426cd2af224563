# make demo: see the whole loop in minutes.  make test: lint, types, tests.  Both do their own set-up.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m
# By name, so that pytest keeps the bytecode that it makes of it, for each child that tests start.
PYTEST := $(RUN) pytest -p tunegate -n 2
# Bytecode is written at the first import (and not of everything by pip, which takes a minute).
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-slow lint types clean

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

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	$(RUN) compileall -q harness checks plugins
	@touch $@

clean:
	rm -rf $(VENV) .tunegate .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
