# Only python3 (>= 3.11), pip and make are needed: everything else is set up on first use.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1
ARGS ?=
P ?=
FLAME ?=

.PHONY: help demo up test check fix bench docs lock system browser node ui clean
help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 10

$(VENV)/.server: requirements/server.txt requirements/uv.txt pyproject.toml
	@bash scripts/setup.sh $(PY) $(VENV) server

$(VENV)/.dev: requirements/dev.txt requirements/uv.txt pyproject.toml
	@bash scripts/setup.sh $(PY) $(VENV) dev

system:
	@bash scripts/system.sh

demo: system $(VENV)/.server ui ## set up what is missing, start everything, play the main job (ONCE=1: and exit)
	@$(BIN)/python -m demo $(if $(ONCE),--once) $(ARGS)

up: system $(VENV)/.server ui ## start the platform on an embedded Postgres in .dragoman/
	@$(BIN)/dragoman up --data-dir .dragoman $(ARGS)

test: system browser $(VENV)/.dev node ui ## the whole suite, from nothing (what CI runs)
	@$(BIN)/python scripts/run_tests.py $(ARGS)

browser:
	@bash scripts/system.sh browser

node: $(VENV)/.dev
	@bash scripts/node.sh $(VENV)

ui: $(VENV)/.server ## build the browser pages, if their sources changed
	@bash scripts/ui.sh $(VENV)

check: $(VENV)/.dev ## format, lint, types, layers, locks and docs in step
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python scripts/check_locks.py
	@$(BIN)/python scripts/generate_docs.py --check
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@bash scripts/ui.sh $(VENV) check

fix: $(VENV)/.dev ## format and safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: system $(VENV)/.dev ui ## the benchmark suite with its targets (P=P4: one; ARGS=--full; FLAME=1: flame graphs)
	@FLAME=$(FLAME) $(BIN)/python -m benchmarks $(P) $(ARGS)

docs: $(VENV)/.dev ## write the generated reference pages
	@$(BIN)/python scripts/generate_docs.py

lock: $(VENV)/.dev ## pin the requirements anew
	@bash scripts/lock.sh

clean: ## remove the environments and caches (never a data folder)
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache ui/node_modules src/dragoman_server/ui_dist
