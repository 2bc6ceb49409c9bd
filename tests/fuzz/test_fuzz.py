"""Every decoder, every driver and every twin takes mutated bytes in any pieces; the long form is `make fuzz`."""

import importlib
import random

import pytest

from tests.contract.test_every_driver import DRIVERS
from tests.fuzz.still_time import CLOCK, still_time
from tests.fuzz.targets import DECODERS, LINKS, Target, mutated, targets

INPUTS = 20_000


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_any_bytes_are_taken(target: Target) -> None:
    seeds, random_ = target.seeds() or [b"\0"], random.Random(target.name)
    inputs = [*seeds, *(mutated(seeds, random_) for _ in range(INPUTS // len(targets())))]
    with still_time():
        for data in inputs:
            CLOCK.begin()
            try:
                target.run(data)
            except BaseException as exc:
                exc.add_note(f"{target.name} with {data.hex(' ')}")
                raise


def test_every_driver_is_fuzzed() -> None:
    fuzzed = {(target.driver, target.what) for target in targets()}
    for driver in DRIVERS:
        transport = importlib.import_module(f"drivers.{driver}").DRIVER.Transport
        assert (driver, "driver") in fuzzed or transport not in LINKS
        assert (driver, "driver") in fuzzed or driver in DECODERS
