"""What every test may count on: nothing it started lives on after it."""

import gc
import importlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sim.bench import DaemonProcess, Fresh
from tests.forking import Starter

# How fast examples are made and run says something about the machine only.
settings.register_profile("checks", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("checks")

_PROCESS_WIDE = ("MainThread", "Thread-", "ThreadPoolExecutor", "execnet", "pytest_timeout", "asyncio_", "AnyIO")
"""Threads of libraries that belong to the process, not to a test."""
_LAST = ("tests/province/", "tests/rules/")


@pytest.fixture(scope="session", autouse=True)
def _daemons_are_forked() -> Iterator[None]:
    """Unless a test wants them as in a hall."""
    with Starter() as starter, pytest.MonkeyPatch.context() as patch:
        patch.setattr(DaemonProcess, "launcher", starter)
        yield


@pytest.fixture
def as_in_a_hall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each daemon is a new interpreter."""
    monkeypatch.setattr(DaemonProcess, "launcher", Fresh())


@pytest.fixture(scope="session", autouse=True)
def _root_certificates_are_read_once() -> Iterator[None]:
    """Each client of httpx reads them all, which takes longer than what most tests ask; a context may be shared."""
    default: Any = importlib.import_module("httpx._transports.default")  # nobody else is asked for a context
    make, made = default.create_ssl_context, default.create_ssl_context()

    def shared(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        return made if verify is True and cert is None else make(verify=verify, cert=cert, trust_env=trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", shared)
        yield


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith(_PROCESS_WIDE):
            continue
        thread.join(45)
        assert not thread.is_alive(), f"the test left the thread '{thread.name}' running"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one process does for all (kills, pages in a browser) begins first; what is short and plenty lets all
    processes end together."""
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.nodeid.startswith(_LAST)))


def pytest_collection_finish() -> None:
    """Nine thousand tests stay until the end: the collector need not walk through them at each turn."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """What is frozen would be taken for leaked by libraries that count at the end."""
    gc.unfreeze()
