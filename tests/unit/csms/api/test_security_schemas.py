"""The JSON of the security of chargers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from csms.api import security_schemas as schemas
from csms.control.charger_security import ChargerSecurity, KeyChange
from csms.ports import Outcome, SecurityProfile

NEVER = ChargerSecurity(
    "CP1", SecurityProfile.NONE, has_key=False, pending_keys=0, common_name="SN", changed_at=None
)


def test_a_charger_nothing_was_said_of() -> None:
    shown = schemas.security(NEVER).model_dump(by_alias=True)
    assert (shown["profile"], shown["changedAt"], shown["commonName"]) == (0, None, "SN")


def test_a_change_of_keys_shows_the_key_once() -> None:
    shown = schemas.key_change(KeyChange(NEVER, "the key", Outcome.TIMEOUT))
    assert (shown.key, shown.outcome) == ("the key", Outcome.TIMEOUT)


def test_a_profile_is_a_number() -> None:
    with pytest.raises(ValidationError):
        schemas.SecurityRequest.model_validate({"profile": True})
