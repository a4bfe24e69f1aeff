"""The JSON of requests to chargers, and of what chargers said of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from csms.api.schemas import Answered, Asked, ChargerJson, ConnectorNumber, Instant, Time
from csms.ports import Outcome


class ChargerReportJson(Answered):
    """What a charger said of a task."""

    what: str = Field(description="the status of the task")
    at: Time = Field(description="when csms heard of it")
    told_at: Time | None = Field(description="when the charger says it was; null: it did not say")
    request_id: int | None = Field(description="the request it belongs to, if the charger tells")
    info: str = Field(description="what else it said")


class ChargerDetailJson(ChargerJson):
    """A charger with what it said beside charging; null: it has said nothing yet."""

    station_id: str = Field(description="the station it belongs to")
    diagnostics_status: ChargerReportJson | None = Field(description="upload of diagnostics")
    firmware_status: ChargerReportJson | None = Field(description="update of the firmware")
    log_status: ChargerReportJson | None = Field(description="upload of a log")


class CallErrorJson(Answered):
    """A charger's CALLERROR."""

    code: str = Field(description="OCPP-J 1.6 §4.2.3, in the charger's spelling")
    description: str = Field(description="the charger's words")


class CommandAnswer(Answered):
    """A request to a charger and its answer: either `answer` or `error`."""

    charger_id: str = Field(description="the charger that was asked")
    action: str = Field(description="the OCPP action")
    message_id: str = Field(description="the id of the CALL on the wire")
    asked_at: Time = Field(description="when csms took the request on")
    answered_at: Time = Field(description="when the answer came")
    outcome: Outcome = Field(description="how csms reads the answer")
    answer: dict[str, Any] | None = Field(description="the charger's answer as it came")
    error: CallErrorJson | None = Field(description="its CALLERROR instead")


Location = Annotated[str, Field(strict=True, min_length=1, max_length=512)]
Retries = Annotated[int, Field(strict=True, ge=0, le=1_000)]
RetryInterval = Annotated[int, Field(strict=True, ge=0, le=86_400)]
RequestId = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


class ResetRequest(Asked):
    """Restart the charger; a soft reset ends sessions in good order first."""

    hard: Annotated[bool, Field(strict=True)] = False


class UnlockRequest(Asked):
    """Unlock the plug of a connector."""

    connector: ConnectorNumber


class AvailabilityRequest(Asked):
    """Take a connector, or with 0 the whole charger, into or out of service."""

    connector: Annotated[int, Field(strict=True, ge=0, le=64)] = 0
    operative: Annotated[bool, Field(strict=True)]


class DiagnosticsRequest(Asked):
    """Have diagnostics uploaded to a URL."""

    location: Location
    start: Instant | None = None
    stop: Instant | None = None
    retries: Retries | None = None
    retry_interval_s: RetryInterval | None = None


class FirmwareRequest(Asked):
    """Have the firmware updated from a URL; with certificate and signature by the signed update."""

    location: Location
    retrieve_at: Instant
    install_at: Instant | None = None
    signing_certificate: Annotated[str, Field(strict=True, max_length=5_500)] | None = None
    signature: Annotated[str, Field(strict=True, max_length=800)] | None = None
    request_id: RequestId | None = None
    retries: Retries | None = None
    retry_interval_s: RetryInterval | None = None

    @model_validator(mode="after")
    def _is_signed_or_not(self) -> FirmwareRequest:
        if (self.signing_certificate is None) != (self.signature is None):
            raise ValueError("signingCertificate and signature belong together")
        if self.signature is None and (self.install_at, self.request_id) != (None, None):
            raise ValueError("installAt and requestId need a signed update")
        return self


class LogRequest(Asked):
    """Have a log uploaded to a URL."""

    location: Location
    type: Literal["diagnostics", "security"] = "diagnostics"
    oldest: Instant | None = None
    latest: Instant | None = None
    request_id: RequestId | None = None
    retries: Retries | None = None
    retry_interval_s: RetryInterval | None = None
