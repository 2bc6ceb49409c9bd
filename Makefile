# Two commands do everything: `make demo` (a hall in a box) and `make check` (format, lint, types, imports, tests).
# Both set up what they need first: Debian packages and a virtual environment from the lock file.

.PHONY: day demo check setup setup-dev format soak bench fuzz docs screens voice lock clean
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
	@sh .ci/tests $(PY) $(ARGS)

# `make soak KILLS=1000`: the long form of the kill -9 test.
soak: $(VENV)/.dev
	HALL_KILLS=$(KILLS) $(PY) -m pytest tests/journeys/test_kill.py --timeout=0 -s

bench: $(VENV)/.dev
	$(PY) -m bench $(ARGS)

# A day of the big hall through HTTP in compressed time, some ten minutes; the report goes to docs/day-in-the-hall.md.
day: $(VENV)/.dev
	rm -rf artefacts/day
	$(PY) -m bench.day --run artefacts/day --picture docs/day/overview.png $(ARGS)
	$(PY) -m bench.day_report artefacts/day

# Pictures of every screen for the README, into docs/screens.
screens: $(VENV)/.dev
	$(PY) -m tests.take_screens
	$(PY) -m tests.take_board_screens
	$(PY) -m tests.take_kiosk_screens
	$(PY) -m tests.take_overview_screen

# Clips of a hall's voice with the neural voice: `make voice HALL_FILE=/etc/hall/devices.toml`.
HALL_FILE ?= devices.toml
voice: $(VENV)/.demo
	@sh .ci/voice $(VENV)
	$(PY) -m hall_daemon voice build --config $(HALL_FILE)

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
	@sh .ci/axe
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .venv-emupos tests/receiptline/node_modules tests/axe/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache artefacts build *.egg-info
