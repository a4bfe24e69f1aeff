"""The JSON of who may charge: id tokens, the lists of them chargers hold, reservations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from csms.api.render import clean, iso
from csms.api.schemas import Instant, Time
from csms.control.local_lists import ListState, ListStatus
from csms.ports import IdToken, TokenStatus
from csms.station.document import JSON_FORM
from csms.station.tokens import Concurrency, Reservation, ReservationState

# OCPP-J 1.6 and §7.28: CiString20 is printable ASCII.
TagText = Annotated[str, Field(strict=True, min_length=1, max_length=20, pattern=r"^[ -~]*[!-~]$")]


class _Asked(BaseModel):
    model_config = JSON_FORM


class _Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


def epoch(instant: str) -> float:
    """A moment with its time zone as UTC epoch seconds."""
    return datetime.fromisoformat(instant).astimezone(UTC).timestamp()


class TokenProperties(_Asked):
    """An id token without its name. What is left out is taken from the defaults."""

    status: Literal["Accepted", "Blocked", "Expired"] = "Accepted"
    expires_at: Instant | None = None
    parent_id_token: TagText | None = None
    concurrency: Concurrency = Concurrency.ANY

    def named(self, id_token: str) -> IdToken:
        """The token of this name in the model's terms."""
        return IdToken(
            id_token,
            TokenStatus(self.status),
            None if self.expires_at is None else epoch(self.expires_at),
            self.parent_id_token,
            self.concurrency,
        )


class TokenRequest(TokenProperties):
    """An id token, whole. It takes the place of one that has the same name in other letters."""

    id_token: TagText

    def token(self) -> IdToken:
        """The token in the model's terms."""
        return self.named(self.id_token)


class TokenJson(_Answer):
    """An id token as kept. One that has expired is answered Expired, whatever its status here."""

    id_token: str = Field(description="its name; the case of its letters does not count")
    status: TokenStatus = Field(description="what chargers are told of it")
    expires_at: Time | None = Field(description="when it expires; null: never")
    parent_id_token: str | None = Field(description="the group it belongs to; null: none")
    concurrency: Concurrency = Field(description="how many sessions may run at the same time")


class TokensJson(_Answer):
    """Id tokens in the order of their names. The last name is `after` of the next page."""

    tokens: list[TokenJson]


class ImportedJson(_Answer):
    """How many id tokens were imported."""

    imported: int


class ReservationRequest(_Asked):
    """A connector to be kept for an id token, 0 for any one of the charger.

    `parentIdToken` lets the whole group use it; without one it is the token's own group.
    """

    connector: Annotated[int, Field(strict=True, ge=0, le=64)] = 0
    id_token: TagText
    expires_at: Instant
    parent_id_token: TagText | None = None


class ReservationJson(_Answer):
    """A reservation as it is now."""

    reservation_id: int = Field(description="its number in OCPP")
    charger_id: str = Field(description="the charger it is at")
    connector: int = Field(description="number of the connector; 0: any one")
    id_token: str = Field(description="who may use it")
    parent_id_token: str | None = Field(description="the group that may use it; null: none")
    expires_at: Time = Field(description="when it ends by itself")
    state: ReservationState = Field(description="how far it has come")
    session_id: str | None = Field(description="the session that used it up; null: none")


class ReservationsJson(_Answer):
    """Reservations, oldest first. They are shown for a week after they have expired."""

    reservations: list[ReservationJson]


def reservation_json(reservation: Reservation) -> ReservationJson:
    """A reservation as the API shows it."""
    parent = reservation.parent_id_token
    return ReservationJson(
        reservation_id=reservation.reservation_id,
        charger_id=reservation.connector.charger_id,
        connector=reservation.connector.connector_id,
        id_token=clean(reservation.id_token),
        parent_id_token=None if parent is None else clean(parent),
        expires_at=iso(reservation.expires_at),
        state=reservation.state,
        session_id=reservation.session_id,
    )


class LocalListJson(_Answer):
    """The local authorization list of a charger, as it was found and left."""

    charger_id: str = Field(description="its OCPP identity")
    state: ListState = Field(description="how far the list is what it should be")
    version: int = Field(description="as the charger was told; 0: it was told none")
    entries: int = Field(description="how many tokens it was told")
    left_out: int = Field(description="how many it has no room for")
    enabled: bool | None = Field(description="whether it uses its list; null: it does not say")
    detail: str = Field(description="why the list is not in sync, in the charger's word")
    at: Time | None = Field(description="when it was last brought up to date; null: never")


def local_list_json(status: ListStatus) -> LocalListJson:
    """A charger's list as the API shows it."""
    return LocalListJson(
        charger_id=status.charger_id,
        state=status.state,
        version=status.version,
        entries=status.entries,
        left_out=status.left_out,
        enabled=status.enabled,
        detail=clean(status.detail),
        at=None if status.at is None else iso(status.at),
    )


def token_json(token: IdToken) -> TokenJson:
    """A token as the API shows it."""
    return TokenJson(
        id_token=clean(token.id_token),
        status=token.status,
        expires_at=None if token.expires_at is None else iso(token.expires_at),
        parent_id_token=None if token.parent_id_token is None else clean(token.parent_id_token),
        concurrency=token.concurrency,
    )
