# perf: what people and CI run. Works with GNU Make 3.81 (macOS). `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check fix bench soak screenshots demo lock clean

VENV := .venv
PY := $(VENV)/bin/python
CODE := perf dashboard pages tools examples app.py
# Extra words for the program that a target starts:  make test ARGS="-k window -x"
ARGS ?=
# Programs that start a hundred times in the tests must not be compiled a hundred times.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install what is needed and start the dashboard on http://localhost:8503
	@exec $(PY) -m perf dashboard $(ARGS)

test: $(VENV)/.dev ## Run all tests (ARGS="-k name" for some)
	@$(PY) -m tools.system_packages
	@$(PY) -m pytest $(ARGS)

check: $(VENV)/.dev ## Lint, formatting, types, import contracts, dependencies, dead code, sizes
	@$(PY) -m tools.check $(CODE)

fix: $(VENV)/.dev ## Format, apply safe lint fixes, regenerate the tables of settings and of access and the list of endpoints
	@$(VENV)/bin/ruff check --fix --quiet . || true
	@$(VENV)/bin/ruff format --quiet .
	@$(PY) -m tools.settings_table
	@$(PY) -m tools.access_table
	@$(PY) -m tools.api_guide

bench: $(VENV)/.dev ## Run the benchmarks one after another; prints Markdown
	@for file in tests/bench/bench_*.py; do $(PY) -m "tests.bench.$$(basename "$$file" .py)" $(ARGS) || exit 1; done

soak: $(VENV)/.dev ## Ten minutes of chaos against the cache (ARGS="--seconds 60")
	@$(PY) -m tools.system_packages
	@$(PY) -m tests.soak $(ARGS)

screenshots: $(VENV)/.dev ## Draw every page, light and dark, into docs/images
	@$(PY) -m tools.system_packages
	@$(PY) -m tests.e2e.screenshots

demo: $(VENV)/.dev ## Show the dashboard on two weeks of a shop's history, and the shop at work (ARGS="--port 8600")
	@exec $(PY) -m examples.demo $(ARGS)

lock: $(VENV)/.dev ## Renew requirements.lock with the newest versions that fit
	@$(PY) -m tools.lock

clean: ## Remove the environment and all caches; recorded data stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .grimp_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python has been uninstalled is removed here, and so made anew by what needs it.
$(shell test ! -e $(VENV) || test -x $(PY) || rm -rf $(VENV))

$(VENV)/pyvenv.cfg:
	@python=$$(PYTHON="$(PYTHON)" sh tools/find_python.sh) && "$$python" tools/create_venv.py $(VENV)

# One marker per set of dependencies: nothing is installed while its lists are older.
$(VENV)/.run: requirements.txt requirements.lock $(VENV)/pyvenv.cfg
	@$(PY) -m tools.install requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements.lock $(VENV)/pyvenv.cfg
	@$(PY) -m tools.install requirements.txt requirements-dev.txt
	@touch $@ $(VENV)/.run
