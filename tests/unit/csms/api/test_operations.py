"""What the API asks of the stations."""

from __future__ import annotations

import inspect

from csms.api.operations import Operations
from csms.control.supervisor import Supervisor
from tests.unit.csms.api.fakes import FakeOperations


def the_type_checker_holds_both_to_it(
    supervisor: Supervisor, fake: FakeOperations
) -> tuple[Operations, Operations]:
    return supervisor, fake


def test_the_supervisor_and_the_fake_take_the_same_arguments() -> None:
    asked = {name for name in vars(Operations) if not name.startswith("_")}
    assert len(asked) == 12
    for name in asked:
        wanted = inspect.signature(getattr(Operations, name)).parameters
        for cls in (Supervisor, FakeOperations):
            offered = inspect.signature(getattr(cls, name)).parameters
            assert list(offered) == list(wanted), name
            assert [p.default for p in offered.values()] == [p.default for p in wanted.values()]
