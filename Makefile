# Everything a person needs here. `make run` and `make test` set up what they need themselves.
VENV := .venv
PY := $(VENV)/bin/python
CHARGER := $(VENV)/bin/charger
STATION ?= stations/simulated.yaml
CSMS_PORT ?= 9000

.DEFAULT_GOAL := help
.PHONY: help run test check diagrams lint types accept bench mutants fuzz soak lock deb deb-test clean system-run system-test system-vm gpio-test

help: ## Show this.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## Run a station on simulated hardware against the demo Central System.
	@echo "page of the station:        http://127.0.0.1:8016/"
	@echo "page of the Central System: http://127.0.0.1:$(CSMS_PORT)/"
	@$(CHARGER) csms --quiet --port $(CSMS_PORT) & csms=$$!; trap 'kill $$csms 2>/dev/null' EXIT INT TERM; \
	$(CHARGER) run $(STATION)

test: $(VENV)/.test ## Check style, types, charts and pictures, then run every test; coverage/ shows what was taken.
	@$(MAKE) --no-print-directory lint types check
	$(PY) -m pytest --cov --cov-report=term --chart-coverage

lint: $(VENV)/.test ## Style.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

types: $(VENV)/.test ## Types.
	$(VENV)/bin/mypy

check: $(VENV)/.run ## The charts and their pictures.
	$(CHARGER) check charts
	$(CHARGER) diagram --check
	$(CHARGER) schema --check

diagrams: $(VENV)/.run ## Draw the charts anew.
	$(CHARGER) diagram

accept: $(VENV)/.test ## Take what is printed now, in findings and pages, for the expected; review the diff.
	$(PY) -m pytest tests/statechart/test_checks.py tests/test_generated.py tests/test_diff_command.py tests/test_docs_console.py tests/recipes --accept -q

bench: $(VENV)/.test ## Measure, beside a raw echo and a minimal charge point. Several minutes.
	$(PY) bench/run.py
	$(PY) bench/engines.py

mutants: $(VENV)/.test ## Prove the tests of the step: 77 edits of the engine, each of which must be noticed.
	$(PY) tests/mutants.py

fuzz: $(VENV)/.test ## A hostile Central System and a hostile world, by chance. A quarter of an hour.
	CHARGER_FUZZ=$(FUZZ) $(PY) -m pytest -m hypothesis --no-cov
FUZZ ?= 30

gpio-test: $(VENV)/.test system-vm ## The station on real GPIO lines of a real kernel, in a virtual arm64 machine. Some minutes.
	CHARGER_VM=1 $(PY) -m pytest tests/vm --no-cov -v

soak: $(VENV)/.test ## Months of ordinary use in minutes: does anything grow, is anything lost?
	$(PY) tests/soak.py

deb: $(VENV)/.run ## The Debian package, into dist/: for this machine, or ARCH=arm64 PYTHON=3.13.
	$(PY) packaging/build.py $(if $(ARCH),--arch $(ARCH)) $(if $(PYTHON),--python $(PYTHON))

deb-test: $(VENV)/.test ## Install, start, upgrade and remove it in a Debian of its own (SUITE=trixie: 13), under systemd. As root.
	SUITE=$(SUITE) $(PY) -m pytest --no-cov tests/package/container.py

lock: $(VENV)/.test ## Choose the newest allowed versions of every dependency.
	$(PY) -m pip install -q 'pip-tools>=7.5'
	$(PY) -m piptools compile -q -U $(LOCK) --extra build -o requirements.lock pyproject.toml
	$(PY) -m piptools compile -q -U $(LOCK) --extra build --extra dev -c requirements.lock \
	  -o requirements-dev.lock pyproject.toml
LOCK := --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

clean: ## Remove what make made.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage coverage

# -- setting up ------------------------------------------------------------------------------------
# A lock names the whole closure, so pip takes it as it is (--no-deps): asked to resolve, it wants the newest
# release of a requirement with extras, and refuses it for its hash. `pip check` says if anything is missing.
# The system's packages are installed only when something is missing, with sudo unless we are root.
PIP = $(PY) -m pip install -q --disable-pip-version-check --no-deps
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT = $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

system-run:
	@{ python3 -c 'import ensurepip, venv' && command -v dot; } >/dev/null 2>&1 || \
	  { echo "installing Python's venv and graphviz …"; $(APT) python3 python3-venv graphviz fonts-dejavu-core >/dev/null; }

system-test: system-run
	@command -v chromium >/dev/null 2>&1 || \
	  { echo "installing chromium, for the tests of the page …"; $(APT) chromium >/dev/null || \
	    echo "no chromium: the tests of the page in a browser are skipped"; }

system-vm: system-test
	@command -v qemu-system-aarch64 cpio >/dev/null || \
	  { echo "installing QEMU for arm64 …"; $(APT) qemu-system-arm cpio >/dev/null; }

$(VENV)/bin/python: | system-run
	python3 -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation -e .
	@$(PY) -m pip check
	@touch $@

$(VENV)/.test: requirements-dev.lock $(VENV)/.run | system-test
	$(PIP) --require-hashes -r requirements-dev.lock
	@$(PY) -m pip check
	@touch $@
