# make demo: see the whole loop in minutes.  make test: lint, types, tests.  Both do their own set-up.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m

.PHONY: demo test test-slow lint types clean

demo: $(READY)
	@$(VENV)/bin/python examples/triage/demo.py

test: lint types
	$(RUN) pytest -m "not slow" -n 2 -q

test-slow: $(READY)
	$(RUN) pytest -m slow -n 2 --dist loadfile -v

lint: $(READY)
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: $(READY)
	$(RUN) mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .tunegate .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
