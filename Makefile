# Everything needs only Python 3.11 or newer, git and make; each target does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# One worker more than cores, for many tests wait for a socket; four at most.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
BENCH ?=
ARGS ?=

.PHONY: help run test check soak bench docs lock clean

help:
	@echo "make run    service with 54 simulated chargers over real OCPP websockets; dashboard address is printed"
	@echo "make test   all tests"
	@echo "make soak   a day of a mixed site over sockets and twenty days without (hours; LOADMGR_SOAK=3 for shorter)"
	@echo "make check  lint, types, import contracts, spelling, architecture"
	@echo "make bench  benchmarks (BENCH=name for one)"
	@echo "make docs   the manual, into site/"

$(READY): requirements.lock pyproject.toml
	@python="$$(for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && \
	  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)"; \
	if [ -z "$$python" ]; then echo "loadmgr needs Python 3.11 or newer; none was found on the PATH" >&2; exit 1; fi; \
	echo "setting up $(VENV) with $$($$python --version)"; \
	rm -rf $(VENV) && $$python -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

run: $(READY)
	@$(PY) -m loadmgr.demo $(ARGS)

test: $(READY)
	$(PY) -m pytest -m "not alone" --numprocesses=$(WORKERS) --dist=worksteal --durations=15 $(ARGS) || [ $$? = 5 ]
	$(PY) -m pytest -m alone --durations=5 $(ARGS) || [ $$? = 5 ]

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell
	$(PY) -m pytest -q tests/architecture

soak: $(READY)
	LOADMGR_SOAK=$${LOADMGR_SOAK:-24} $(PY) -m pytest tests/scenario/test_mixed_site.py tests/scenario/test_storm.py tests/scenario/test_real_day.py --show-capture=no $(ARGS)

bench: $(READY)
	$(PY) -m tests.bench $(BENCH)

docs: $(READY)
	$(PY) -m loadmgr.sitefile.reference > docs/reference/site-file.md
	$(PY) -m loadmgr.ocpp.actions > docs/reference/ocpp-actions.md
	$(VENV)/bin/mkdocs build --strict

lock: $(READY)
	rm -rf .lock-venv && python3 -m venv .lock-venv && .lock-venv/bin/pip install --quiet uv
	.lock-venv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links --no-annotate -o requirements.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) .bench-venvs site bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
