"""One province twin for a test module, as new for each test."""

from collections.abc import Iterator

import pytest

from sim.province import ProvinceTwin


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with ProvinceTwin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def twin(province: ProvinceTwin) -> ProvinceTwin:
    """Reset takes back faults, limits, keys, clock and standing too."""
    province.start()
    province.reset()
    return province
