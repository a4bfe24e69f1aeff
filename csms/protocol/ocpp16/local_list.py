"""What csms sends in the Local Auth List Management profile (OCPP 1.6 §5.10, §5.15)."""

from __future__ import annotations

from typing import Any

from csms.ports import IdToken, LocalListUpdate
from csms.protocol.ocpp16 import fields


def send_local_list(update: LocalListUpdate) -> dict[str, Any]:
    """SendLocalList.req (§6.41).

    An entry without idTagInfo deletes: only a differential update has any (§7.1).
    """
    payload: dict[str, Any] = {
        "listVersion": update.version,
        "updateType": "Full" if update.full else "Differential",
    }
    entries: list[dict[str, Any]] = [{"idTag": name} for name in update.removed]
    entries += [{"idTag": t.id_token, "idTagInfo": id_tag_info(t)} for t in update.entries]
    if entries:
        payload["localAuthorizationList"] = entries
    return payload


def id_tag_info(token: IdToken) -> dict[str, Any]:
    """IdTagInfo (§7.27), without the fields there is nothing to say in."""
    info: dict[str, Any] = {"status": token.status.value}
    if token.expires_at is not None:
        info["expiryDate"] = fields.time_text(token.expires_at)
    if token.parent_id_token:
        info["parentIdTag"] = fields.id_tag(token.parent_id_token)
    return info
