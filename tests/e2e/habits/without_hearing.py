"""csms without a reaction to what chargers say."""

# A reaction is taken away by reaching into csms: that is what this is for.
# ruff: noqa: SLF001

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator
from websockets.asyncio.server import serve

from csms.control import recorder, supervisor
from csms.control.recorder import StationRecorder
from csms.control.station_loop import StationLoop
from csms.errors import ProtocolError
from csms.ports import IdToken, TokenStatus
from csms.protocol import auth, framing, rpc, server
from csms.protocol.framing import Broken, Call, CallFailure, Skipped
from csms.protocol.liveness import Liveness
from csms.protocol.ocpp16 import (
    answers,
    core,
    fields,
    routes,
    smart_charging,
)
from csms.protocol.registry import Registry
from csms.protocol.rpc import CloseWanted, Peer, Send
from csms.protocol.server import OcppServer
from csms.protocol.wire import ChargerSocket
from csms.station import update
from csms.station.facts import ConnectorStatusReported
from csms.storage import memory
from tests.e2e.habits import story
from tests.e2e.habits.stories import CLOCKS
from tests.e2e.habits.taking_away import Without, one
from tests.simulation.patches import Patch

# ---------------------------------------------------------------------------- frames


def _strict() -> Sequence[Patch]:
    """Every request is held against the standard's schema before it is served."""
    served = routes.serve

    async def serve_strictly(rec: Any, charger_id: str, action: str, payload: Any) -> Any:
        schema = files("ocpp.v16").joinpath("schemas", f"{action}.json").read_text("utf-8-sig")
        if next(Draft4Validator(json.loads(schema)).iter_errors(payload), None) is not None:
            raise ProtocolError("TypeConstraintViolation")
        return await served(rec, charger_id, action, payload)

    return [Patch(routes, "serve", serve_strictly)]


def _no_mending() -> Sequence[Patch]:
    def mended(text: str, max_depth: int) -> None:
        return None

    return [Patch(framing, "mended", mended)]


def _strict_strings() -> Sequence[Patch]:
    return [*_no_mending(), Patch(framing, "_DECODER", json.JSONDecoder(strict=True))]


def _no_null_payload() -> Sequence[Patch]:
    called = framing._call

    def call(message_id: str, value: list[Any]) -> Call | Broken:
        if len(value) != 4 or value[3] is None:
            return Broken("no payload", 2, message_id)
        return called(message_id, value)

    return [Patch(framing, "_call", call)]


def _empty_frames_close() -> Sequence[Patch]:
    take = Peer._take

    def taken(peer: Peer, data: str | bytes, now: float) -> Any:
        return take(peer, data, now) if data else [CloseWanted(1008, "empty")]

    return [Patch(Peer, "_take", taken)]


def _no_binary() -> Sequence[Patch]:
    receive = ChargerSocket.receive

    async def text_only(socket: ChargerSocket) -> str | bytes | None:
        data = await receive(socket)
        return None if isinstance(data, bytes) else data

    return [Patch(ChargerSocket, "receive", text_only)]


def _every_copy_is_new() -> Sequence[Patch]:
    take = Peer._take_call
    numbers = itertools.count()

    def taken(peer: Peer, call: Call, data: str | bytes, now: float) -> Any:
        return take(peer, call, f"{next(numbers)}", now)

    return [Patch(Peer, "_take_call", taken)]


def _busy_while_asking() -> Sequence[Patch]:
    take = Peer._take_call

    def taken(peer: Peer, call: Call, data: str | bytes, now: float) -> Any:
        if peer._sent is not None:
            return [Send(framing.write_error(call.message_id, "GenericError", "busy"))]
        return take(peer, call, data, now)

    return [Patch(Peer, "_take_call", taken)]


def _five_elements() -> Sequence[Patch]:
    shape = framing._shape

    def shaped(value: Any) -> Any:
        found = shape(value)
        known = isinstance(found, CallFailure) and found.code in framing.ERROR_CODES
        if isinstance(found, CallFailure) and (len(value) != 5 or not known):
            return Skipped("not a CALLERROR")
        return found

    return [Patch(framing, "_shape", shaped)]


def _speaks_before_boot() -> Sequence[Patch]:
    def sendable_at(peer: Peer) -> float | None:
        return peer._gap_until if peer._queue and not peer._sent else None

    # What a boot has lost is not waited for either: with that alone the story would only be longer.
    return [Patch(Peer, "_sendable_at", sendable_at), Patch(Peer, "doubt", lambda *_: None)]


# ---------------------------------------------------------------------------- handshakes


def _first_offer(offers: Sequence[str]) -> str | None:
    return "ocpp1.6" if list(offers[:1]) == ["ocpp1.6"] else None


def _exact_offer(offers: Sequence[str]) -> str | None:
    return "ocpp1.6" if "ocpp1.6" in offers else None


def _whole_path(target: str) -> str | None:
    return target.removeprefix("/ocpp/")


def _undecoded(part: str) -> str | None:
    return part if part.isalnum() else None


def _exact_names(names: Sequence[str], charger_ids: Any) -> str | None:
    return next((name for name in names if name in set(charger_ids)), None)


def _oldest_stays() -> Sequence[Patch]:
    promote = Registry.promote

    def only_first(registry: Registry[Any], connection: Any, why: str) -> None:
        if registry.live(connection.charger_id) is None:
            promote(registry, connection, why)

    return [Patch(Registry, "promote", only_first)]


def _pongs_wanted() -> Sequence[Patch]:
    dead = Liveness.dead

    def judged(liveness: Liveness, signs: Any, now: float) -> str | None:
        return dead(liveness, replace(signs, pong_seen=True), now)

    return [Patch(Liveness, "dead", judged)]


def _compresses() -> Sequence[Patch]:
    def serving(*arguments: Any, **options: Any) -> Any:
        return serve(*arguments, **{**options, "compression": "deflate"})

    return [Patch(server, "serve", serving)]


# ---------------------------------------------------------------------------- values


def _strict_number(value: Any) -> float | None:
    try:
        plain = isinstance(value, str) and value == value.strip("\"' ")
        return float(value) if plain and value else None
    except ValueError:
        return None


def _empty_is_zero() -> Sequence[Patch]:
    number = fields.number
    return [Patch(fields, "number", lambda value: 0.0 if value == "" else number(value))]


def _text_of_text(value: Any, limit: int = 255) -> str:
    return value[:limit] if isinstance(value, str) else ""


def _strict_time(value: Any) -> float | None:
    try:
        at = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
    return at.timestamp()


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _status_unless(judge: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]) -> Without:
    """StatusNotification changed by a judgement, or dropped by it."""

    def patches() -> Sequence[Patch]:
        handler = core.status_notification

        async def judged(rec: Any, charger_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
            found = judge(payload)
            return {} if found is None else await handler(rec, charger_id, found)

        handlers = {**routes._HANDLERS, "StatusNotification": judged}
        return [Patch(routes, "_HANDLERS", handlers)]

    return patches


def _by_its_time(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return None if str(payload.get("timestamp", "")).startswith("1970") else payload


def _by_its_error(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    broken = payload.get("errorCode") != "NoError"
    return {**payload, "status": "Faulted"} if broken else payload


def _main_part_is_all() -> Sequence[Patch]:
    status = update._status

    def applied(state: Any, fact: ConnectorStatusReported) -> bool:
        keys = [fact.connector] if fact.connector.connector_id else list(state.connectors)
        found = [status(state, replace(fact, connector=key)) for key in keys]
        return all(found)

    return [Patch(update, "_APPLY", {**update._APPLY, ConnectorStatusReported: applied})]


# ---------------------------------------------------------------------------- sessions


def _stops_by_number_only() -> Sequence[Patch]:
    stopped = StationRecorder._stopped

    async def found(rec: StationRecorder, report: Any) -> Any:
        return await stopped(rec, report) if (report.transaction_id or 0) > 0 else None

    return [Patch(StationRecorder, "_stopped", found)]


def _unknown_stop_is_refused() -> Sequence[Patch]:
    stop = StationRecorder.stop_session

    async def known_only(rec: StationRecorder, report: Any) -> Any:
        found = await rec._stopped(report)
        if found is None or found.ended_at is not None:
            raise ProtocolError("PropertyConstraintViolation")
        return await stop(rec, report)

    return [Patch(StationRecorder, "stop_session", known_only)]


def _samples_by_number() -> Sequence[Patch]:
    def session(state: Any, fact: Any) -> Any:
        numbers = {s.transaction_id: s for s in state.sessions()}
        return numbers.get(fact.transaction_id)

    return [Patch(update, "session_of_sample", session)]


def _numbers_unbounded() -> Sequence[Patch]:
    def integer(value: Any) -> int | None:
        found = fields.number(value) if not isinstance(value, int) else value
        return None if found is None else int(found)

    return [Patch(fields, "integer", integer)]


def _no_empty_tag() -> Sequence[Patch]:
    authorize = StationRecorder.authorize

    async def named_only(rec: StationRecorder, charger_id: str, tag: str) -> IdToken:
        return await authorize(rec, charger_id, tag) if tag else IdToken(tag, TokenStatus.INVALID)

    return [Patch(StationRecorder, "authorize", named_only)]


def _reservation_must_be_known() -> Sequence[Patch]:
    start = core.start_transaction

    async def reserved(rec: Any, charger_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if "reservationId" in payload:
            raise ProtocolError("PropertyConstraintViolation")
        return await start(rec, charger_id, payload)

    return [Patch(routes, "_HANDLERS", {**routes._HANDLERS, "StartTransaction": reserved})]


def _starts_are_all_new() -> Sequence[Patch]:
    return [Patch(memory, "_start_key", lambda session: session.session_id)]


WITHOUT: Mapping[str, Without] = {
    "no_subprotocol": one(OcppServer, "_speaks_ocpp", lambda _, v: v.subprotocol is not None),
    "odd_subprotocol": one(auth, "choose", _exact_offer),
    "upper_case_subprotocol": one(auth, "choose", _exact_offer),
    "several_versions": one(auth, "choose", _first_offer),
    "serial_behind_id": one(auth, "other_names_of", lambda _: []),
    "id_in_query": one(auth, "other_names_of", lambda _: []),
    "doubled_slashes": one(auth, "identity_of", _whole_path),
    "url_in_path": one(auth, "identity_of", _whole_path),
    "percent_encoded_id": one(auth, "_name", _undecoded),
    "other_case_id": one(supervisor, "known_as", _exact_names),
    "leaves_sockets_open": _oldest_stays,
    "no_pongs": _pongs_wanted,
    "no_compression": _compresses,
    "empty_frames": _empty_frames_close,
    "binary_frames": _no_binary,
    "byte_order_mark": one(framing, "_PADDING", " "),
    "cut_answers": _no_mending,
    "comma_first": _no_mending,
    "no_value": _no_mending,
    "not_a_number": _no_mending,
    "control_characters": _strict_strings,
    "reports_beyond_repair": one(rpc, "ACKNOWLEDGED_UNREAD", frozenset()),
    "null_payloads": _no_null_payload,
    "no_payloads": _no_null_payload,
    "repeats_calls": _every_copy_is_new,
    "asks_before_it_answers": _busy_while_asking,
    "short_errors": _five_elements,
    "long_errors": _five_elements,
    "unsupported_as_error": one(answers, "_ERRORS", {}),
    "null_fields": _strict,
    "extra_fields": _strict,
    "long_texts": _strict,
    "long_tags": _strict,
    "no_vendor": _strict,
    "says_nothing_of_itself": _strict,
    "numbers_as_text": _strict,
    "numbers_as_fractions": _strict,
    "readings_as_numbers": _strict,
    "typed_settings": one(fields, "text", _text_of_text),
    "own_words": _strict,
    "settings_in_lower_case": one(fields, "fold", str),
    "statuses_in_1970": _status_unless(_by_its_time),
    "statuses_with_errors": _status_unless(_by_its_error),
    "no_tag": _no_empty_tag,
    "rubbish_behind_tag": one(fields, "id_tag", str),
    "reservation_zero": _reservation_must_be_known,
    **dict.fromkeys(CLOCKS, one(fields, "timestamp", _strict_time)),
    "odd_samples": _strict,
    "empty_lists": _strict,
    "padded_readings": one(fields, "number", _strict_number),
    "quoted_readings": one(fields, "number", _strict_number),
    "decimal_commas": one(fields, "number", _strict_number),
    "empty_readings": _empty_is_zero,
    "huge_transaction_id": _numbers_unbounded,
    "no_transaction_id": _samples_by_number,
    "zero_transaction_id": _samples_by_number,
    "meter_on_connector_zero": one(update, "outlet", lambda _, key: key),
    "deaf_before_boot": _speaks_before_boot,
    "data_transfers": one(
        routes, "_HANDLERS", {k: v for k, v in routes._HANDLERS.items() if k != "DataTransfer"}
    ),
    "main_part_available": _main_part_is_all,
    "stops_with_zero": _stops_by_number_only,
    "stops_with_minus_one": _stops_by_number_only,
    "stops_unknown": _unknown_stop_is_refused,
    "starts_twice": _starts_are_all_new,
    "stops_twice": _unknown_stop_is_refused,
    "late_values": one(update, "_of_another", lambda *_: False),
    "gone_before_answer": _unknown_stop_is_refused,
    "hates_haste": one(story, "CONFIG", story.CONFIG),
    "no_number_zero": one(recorder, "_new_transaction_id", lambda: 0),
    "plain_times_only": one(fields, "time_text", _iso_time),
    "needs_past_start": one(smart_charging, "START_BEFORE_S", -600),
    "no_boot_on_reconnect": one(StationLoop, "ask_again", lambda *_: None),
}
"""By habit, how to take the reaction to it away."""
