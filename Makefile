# Everything installs into this folder: .venv (Python), build (Kafka, caches, reports).
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
READY := .venv/.ready
PYTEST := $(PY) -m pytest
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo test check coverage format reference docs locks forget kafka clean
export NO_MKDOCS_2_WARNING = 1

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

setup: $(READY) ## install the locked dependencies into .venv

$(READY): requirements/dev.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fraudstream needs Python 3.11 or newer, found " + sys.version.split()[0])'
	python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

demo: $(READY) ## the demo on a local broker (QUICK=1: without the new pattern)
	$(PY) -m local.demo $(if $(QUICK),--quick)

test: $(READY) ## unit, property, contract, parity and integration tests on a real broker
	$(PYTEST) -m "not slow"

coverage: $(READY) ## the tests once more, with the share of lines that they run (compiled kernels do not count)
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

check: $(READY) ## format, lint, types, import layers, documents, Docker files
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	.venv/bin/mkdocs build --quiet
	.venv/bin/hadolint deploy/Dockerfile.*
	@if docker compose version >/dev/null 2>&1; then docker compose config -q && echo "docker compose config: ok"; \
	  else echo "docker compose config: not checked, Docker Compose is not installed"; fi

format: $(READY) ## format the code and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

reference: $(READY) ## write docs/reference/ (contracts, settings, metrics) from the code
	$(PY) -m fraud.contracts.export
	$(PY) -m tools.reference

docs: $(READY) ## build the documentation as a site, in build/site
	.venv/bin/mkdocs build

LOCK := .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-find-links

locks: $(READY) ## write requirements/ anew from pyproject.toml (UPGRADE=1: with the newest versions)
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra bench --output-file requirements/bench.txt
	for extra in service training console gateway dev; do \
	  $(LOCK) $(if $(UPGRADE),--upgrade) --extra $$extra --constraints requirements/bench.txt --output-file requirements/$$extra.txt || exit 1; done

forget: $(READY) ## erase a customer from dead letters, snapshots and ledger: CUSTOMER=id, YES=1 to do it
	$(PY) -m service forget '$(CUSTOMER)' $(if $(YES),--yes)
	$(PY) -m training forget '$(CUSTOMER)' $(if $(YES),--yes)

kafka: $(READY) ## run a local Kafka in the foreground until Ctrl-C
	$(PY) -m local.broker

clean: ## remove what was built (not .venv)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

include benchmarks/targets.mk

.PHONY: console
console: $(READY) ## the analysts' page on a local broker and a played shop (QUICK=1: no training, there at once)
	$(PY) -m local.analysts $(if $(QUICK),--quick)
