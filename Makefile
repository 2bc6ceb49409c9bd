# Two commands do everything: `make demo` (a hall in a box) and `make check` (format, lint, types, imports, tests).
# Both set up what they need first: Debian packages and a virtual environment from the lock file.

.PHONY: demo check setup setup-dev format soak bench fuzz docs screens lock clean
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
HALL ?= small
ARGS ?=
KILLS ?= 1000
INPUTS ?= 10000000

demo: $(VENV)/.demo
	@$(PY) -m sim --hall $(HALL) $(ARGS)

check: $(VENV)/.dev
	@sh .ci/packages check
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	@# Four on two cores: most tests wait for a device or a daemon, not for a processor.
	$(PY) -m pytest -n 4 --dist loadgroup $(ARGS)

# `make soak KILLS=1000`: the long form of the kill -9 test.
soak: $(VENV)/.dev
	HALL_KILLS=$(KILLS) $(PY) -m pytest tests/journeys/test_kill.py --timeout=0 -s

bench: $(VENV)/.dev
	$(PY) -m bench $(ARGS)

# Pictures of every screen for the README, into docs/screens.
screens: $(VENV)/.dev
	$(PY) -m tests.take_screens

# `make fuzz INPUTS=100000`: all decoders, drivers and twins, guided by coverage; atheris is installed on demand.
fuzz: $(VENV)/.dev
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	$(PY) -m tests.fuzz --inputs $(INPUTS) $(ARGS)

# docs/devices.md: the table of all drivers, made from the drivers.
docs: $(VENV)/.dev
	$(PY) -m tests.devices_page

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# New versions for the lock files: hashes, no download addresses.
lock: $(VENV)/.dev
	$(PY) -m pip install -q uv
	$(VENV)/bin/uv pip compile pyproject.toml --extra hall --python-version 3.11 --generate-hashes \
		--no-header -q -o requirements.lock
	$(VENV)/bin/uv pip compile pyproject.toml --extra hall --extra dev -c requirements.lock --python-version 3.11 \
		--generate-hashes --no-header -q -o requirements-dev.lock

setup: $(VENV)/.demo
setup-dev: $(VENV)/.dev

$(VENV)/.demo: requirements.lock pyproject.toml .ci/packages
	@sh .ci/packages demo
	@sh .ci/venv $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml .ci/packages
	@sh .ci/packages check
	@sh .ci/venv $(VENV) requirements-dev.lock
	@sh .ci/emupos
	@sh .ci/receiptline
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .venv-emupos tests/receiptline/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache artefacts build *.egg-info
