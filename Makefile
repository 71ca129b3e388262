# Every recipe of the project. `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := plugins/mlsd-graph
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check lint types contracts generated docs bench stop clean

# Card fraud on real payments, from nothing to a running service. It goes on running; `make stop` ends it.
demo: $(VENV)/.demo
	@$(BIN)/mlsd demo specs/benchmarks/fraud_ulb.yaml

# End the service that `make demo` left running.
stop:
	@$(BIN)/mlsd stop specs/benchmarks/fraud_ulb.yaml

# The whole suite: unit, property, golden, and end to end with real processes; then each plugin's own.
test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 --dist loadgroup
	@for plugin in $(PLUGINS); do (cd $$plugin && ../../$(BIN)/python -m pytest) || exit 1; done

# What CI runs after the tests.
check: lint types contracts generated

# Style of the source and of the generated code.
lint: $(VENV)/.test
	@$(BIN)/ruff check mlsd_framework tests benchmarks plugins
	@$(BIN)/ruff format --check mlsd_framework tests benchmarks plugins

# Types, strictly.
types: $(VENV)/.test
	@$(BIN)/mypy
	@for plugin in $(PLUGINS); do (cd $$plugin && ../../$(BIN)/mypy) || exit 1; done

# Who may import whom.
contracts: $(VENV)/.test
	@$(BIN)/lint-imports

# Whether generated/ is what `mlsd build` writes.
generated: $(VENV)/.test
	@$(BIN)/mlsd build --check --all

# Write the pages of docs/ that are made from the source.
docs: $(VENV)/.test
	@$(BIN)/python docs/generate.py

# Figures, each beside its peer in one run.
bench: $(VENV)/.test
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

# Remove the environment and all state; data in the user's cache stays.
clean:
	@rm -rf $(VENV) .mlsd

$(VENV)/bin/python:
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing mlsd (training and serving; about a minute)"
	@$(PIP) --editable ".[train,serve]"
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	@echo "installing mlsd and its plugins with the test extras (about three minutes)"
	@$(PIP) --editable ".[train,serve,index,test]" $(foreach plugin,$(PLUGINS),--editable "./$(plugin)[test]")
	@touch $@
