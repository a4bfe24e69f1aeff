"""One csms for the cases of a module, or rather two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.certification.cases import case_of
from tests.e2e.certification.played import Csms, serving, settings, station


@pytest.fixture(scope="module", params=["quiet", "balancing"])
def csms(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Csms]:
    """A csms with a charger for each case of the module: as it is certified, and as it works."""
    quiet = request.param == "quiet"
    cases = [case for case in map(case_of, vars(request.module)) if case is not None]
    folder = tmp_path_factory.mktemp("csms")
    with serving(settings(folder), station(cases, quiet=quiet)) as app:
        yield Csms(app, quiet=quiet)
