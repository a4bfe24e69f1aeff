from __future__ import annotations

from csms.ports import IdToken, LocalListUpdate, TokenStatus
from csms.protocol.ocpp16 import requests
from csms.protocol.ocpp16.local_list import id_tag_info, send_local_list

WHOLE = IdToken("A", TokenStatus.BLOCKED, 1_772_366_400.9, "FAMILY")
WHOLE_INFO = {"status": "Blocked", "expiryDate": "2026-03-01T12:00:00Z", "parentIdTag": "FAMILY"}


def test_a_whole_list() -> None:
    payload = send_local_list(LocalListUpdate(3, full=True, entries=(WHOLE, IdToken("B"))))
    assert payload == {
        "listVersion": 3,
        "updateType": "Full",
        "localAuthorizationList": [
            {"idTag": "A", "idTagInfo": WHOLE_INFO},
            {"idTag": "B", "idTagInfo": {"status": "Accepted"}},
        ],
    }
    requests.check("SendLocalList", payload)


def test_a_change_deletes_by_saying_nothing_of_a_token() -> None:
    payload = send_local_list(LocalListUpdate(4, full=False, removed=("A",)))
    assert payload == {
        "listVersion": 4,
        "updateType": "Differential",
        "localAuthorizationList": [{"idTag": "A"}],
    }
    requests.check("SendLocalList", payload)


def test_an_empty_list_is_not_said_at_all() -> None:
    payload = send_local_list(LocalListUpdate(5, full=True))
    assert payload == {"listVersion": 5, "updateType": "Full"}
    requests.check("SendLocalList", payload)


def test_what_there_is_to_say_of_a_token() -> None:
    assert id_tag_info(IdToken("A")) == {"status": "Accepted"}
    assert id_tag_info(WHOLE) == WHOLE_INFO
