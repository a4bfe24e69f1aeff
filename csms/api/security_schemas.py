"""The JSON of the security of chargers, and how it is filled."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from csms.api.render import clean, iso
from csms.api.schemas import Time
from csms.control.charger_security import ChargerSecurity, KeyChange
from csms.ports import Outcome, SecurityEvent
from csms.station.document import JSON_FORM

Profile = Annotated[int, Field(strict=True, ge=0, le=3)]
KeyText = Annotated[str, Field(strict=True, min_length=8, max_length=128)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class _Json(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class SecurityRequest(BaseModel):
    """What a charger must show from now on."""

    model_config = JSON_FORM

    profile: Profile = Field(
        description="least security profile: 0 none, 1 key, 2 key over TLS, 3 client certificate"
    )
    key: KeyText | None = Field(
        None, description="its key, as text or 32 or more hexadecimal digits; null keeps it"
    )
    common_name: Name | None = Field(
        None, description="name in its certificate, when that is not its identity"
    )


class KeyRequest(BaseModel):
    """Another key for a connected charger."""

    model_config = JSON_FORM

    key: KeyText | None = Field(None, description="at most 20 bytes; null makes one")


class SecurityJson(_Json):
    """What a charger must show."""

    charger_id: str
    profile: int = Field(description="least security profile it may come with")
    has_key: bool = Field(description="it has come with a key, or was given one here")
    pending_keys: int = Field(description="keys it was told and has not used yet")
    common_name: str | None = Field(description="name in its certificate; null: its identity")
    changed_at: Time | None = Field(description="when this changed last; null: never")


class KeyChangeJson(_Json):
    """How telling a charger a new key went."""

    outcome: Outcome = Field(description="accepted, or why the key may not be in use")
    key: str = Field(description="the key; it is not shown again")
    security: SecurityJson


class SecurityEventJson(_Json):
    """Something that matters to security."""

    number: int = Field(description="counts up, across restarts too")
    at: Time = Field(description="when it happened")
    kind: str = Field(description="a word in snake_case")
    charger_id: str = Field(description="the charger, or what somebody said it is; empty: none")
    address: str = Field(description="where it came from; empty: not known")
    text: str = Field(description="what happened")


class SecurityEvents(_Json):
    """Security events, newest first."""

    events: list[SecurityEventJson]


def security(known: ChargerSecurity) -> SecurityJson:
    """What a charger must show."""
    return SecurityJson(
        charger_id=known.charger_id,
        profile=int(known.profile),
        has_key=known.has_key,
        pending_keys=known.pending_keys,
        common_name=known.common_name,
        changed_at=None if known.changed_at is None else iso(known.changed_at),
    )


def key_change(change: KeyChange) -> KeyChangeJson:
    """How telling a charger a new key went."""
    return KeyChangeJson(outcome=change.outcome, key=change.key, security=security(change.security))


def event(happened: SecurityEvent) -> SecurityEventJson:
    """A security event, what outsiders said cleaned."""
    return SecurityEventJson(
        number=happened.number,
        at=iso(happened.at),
        kind=happened.kind,
        charger_id=clean(happened.charger_id),
        address=clean(happened.address),
        text=clean(happened.text),
    )
