# Every command sets up what it needs: Python's side in .venv, interpreters and servers in .tools; the system stays as it is.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo check lint types layers house test faults promises bench lock clean dashboards metrics

PYTHON := .venv/bin/python

help: ## show these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## set up .venv and .tools (every command below does it by itself)
	@scripts/bootstrap
	@scripts/fetch-tools

demo: setup ## the whole line on this machine, e.g. make demo ARGS="--for 60s --json out.json"
	@exec .venv/bin/shutan demo $(ARGS)

check: lint types layers house ## lint, format, types (CPython and MicroPython), layers, house rules

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: setup
	.venv/bin/basedpyright
	.venv/bin/basedpyright -p firmware
	.venv/bin/basedpyright -p tests/peers

layers: setup
	.venv/bin/lint-imports

house: setup
	$(PYTHON) -m pytest -q tests/test_house.py

test: setup ## all tests on all three runtimes, e.g. make test ARGS="-k spool -x", ARGS="-n 0 -s" in one process
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: setup ## the crash matrix in its long form into results/, e.g. make faults ARGS="-k c01"
	@$(PYTHON) -m pytest tests/faults -p no:randomly --timeout 43200 --form long --results results $(ARGS); \
	    code=$$?; $(PYTHON) scripts/promises.py && exit $$code

promises: setup ## docs/promises.md from the matrix and results/
	@$(PYTHON) scripts/promises.py

bench: setup ## throughput and memory figures, e.g. make bench ARGS="--json"
	@$(PYTHON) -m bench $(ARGS)

dashboards: setup ## write Grafana's dashboards and the alert rules
	@$(PYTHON) scripts/dashboards.py
	@$(PYTHON) scripts/alerts.py

metrics: setup ## write docs/metrics.md
	@$(PYTHON) scripts/metrics_page.py

lock: ## renew the lock files, e.g. make lock ARGS="-U"
	scripts/lock $(ARGS)

clean: ## remove all that was set up or built
	rm -rf .venv .tools .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
