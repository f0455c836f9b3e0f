# The commands of this project. `make bench` and `make test` each work on a fresh machine (set-up included).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARTS := envs agents distill evaluation

.PHONY: help setup bench test check benchmark typing-view pictures clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: .setup-stamp  ## make .venv with everything pinned; as root on Debian/Ubuntu also the system packages

.setup-stamp: pyproject.toml setup.py constraints.txt scripts/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh scripts/setup.sh
	touch .setup-stamp

# The tests open reports in a real browser.
.test-setup-stamp: .setup-stamp
	EXTRA_PACKAGES=chromium PYTHON=$(PYTHON) VENV=$(VENV) sh scripts/setup.sh
	touch .test-setup-stamp

bench: .setup-stamp  ## the main job: SuperTuxKart -> CARLA on the embedded server
	$(BIN)/sim2real-bench evaluate --source stk --target carla

test: .test-setup-stamp  ## all tests; the real simulators and a real browser run
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

typing-view:  # type checkers read paths: one link per folder below the namespace
	@rm -rf build/typing && mkdir -p build/typing/sim2real_bench
	@for entry in sim2real_bench/*; do ln -s ../../../$$entry build/typing/$$entry; done
	@for part in $(PARTS); do ln -s ../../../$$part build/typing/sim2real_bench/$$part; done

check: .setup-stamp typing-view  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p sim2real_bench

benchmark: .setup-stamp  ## ticks and steps per second against the raw simulators
	$(BIN)/python -m benchmarks

clean:  ## remove build products (not .venv, not runs)
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
