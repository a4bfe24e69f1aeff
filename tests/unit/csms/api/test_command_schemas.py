from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from csms.api.command_schemas import FirmwareRequest

UNSIGNED = {"location": "https://x/y", "retrieveAt": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"signature": "c2ln"}, "belong together"),
        ({"signingCertificate": "PEM"}, "belong together"),
        ({"installAt": "2026-01-01T00:00:00Z"}, "need a signed update"),
        ({"requestId": 1}, "need a signed update"),
    ],
)
def test_an_update_is_signed_or_it_is_not(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FirmwareRequest.model_validate(UNSIGNED | more)


def test_both_kinds_of_update_are_taken() -> None:
    signed = {"signature": "c2ln", "signingCertificate": "PEM", "requestId": 4}
    assert FirmwareRequest.model_validate(UNSIGNED).signature is None
    assert FirmwareRequest.model_validate(UNSIGNED | signed).request_id == 4
