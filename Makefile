PYTHON ?= python3
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: help setup repro pull verify test test-full check profile lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "error: Python %d.%d is too old; run with PYTHON=python3.11 or newer" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

setup: .venv/installed ## Make .venv with the locked packages

repro: setup ## Check the parameters, then run the pipeline
	@python -m stages.lib.stage
	dvc repro

pull: setup ## Bring what the commit shares from its remote, whole and checked
	@python -m tools.pull

verify: setup ## Run the last commit again, from nothing, and compare every output with dvc.lock
	@python -m tools.verify

test: setup ## Run the tests that take minutes
	python -m pytest -m "not full" --numprocesses logical --dist loadfile

test-full: setup ## Run the system tests: whole pipelines, kills
	python -m pytest -m full --numprocesses logical --dist loadfile

check: setup ## Run what CI runs before the tests: format, lint, types, DAG
	ruff format --check .
	ruff check .
	mypy
	dvc dag > /dev/null

profile: setup ## Copy a profile over params.yaml: make profile NAME=phenopackets
	@test -f "profiles/$(NAME).yaml" || { echo "error: NAME='$(NAME)': choose from" $$(basename -s .yaml profiles/*.yaml) >&2; exit 1; }
	cp profiles/$(NAME).yaml params.yaml
	@python -m stages.lib.stage

lock: setup ## Compile requirements.lock from pyproject.toml
	pip-compile --quiet --upgrade --extra dev --no-header --no-annotate --no-emit-options --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe --output-file requirements.lock pyproject.toml
	sed -i.bak 's/+cpu$$//' requirements.lock && rm requirements.lock.bak
