"""The API on fakes."""

from __future__ import annotations

import pytest

from tests.unit.csms.api.fakes import Api


@pytest.fixture(scope="session")
def built() -> Api:
    return Api.build()


@pytest.fixture
def api(built: Api) -> Api:
    built.reset()
    return built
