from __future__ import annotations

import json

import pytest

from csms.errors import ProtocolError
from csms.protocol.rpc import (
    ACKNOWLEDGED_UNREAD,
    CallError,
    CallReceived,
    CallRepeated,
    CloseWanted,
    Disconnected,
    Event,
    Ignored,
    LateReply,
    ReplyCache,
    Result,
    Send,
    Settled,
    TimedOut,
)
from tests.unit.csms.protocol.peers import peer, received

HEARTBEAT = '[2,"h","Heartbeat",{}]'
START = '[2,"s","StartTransaction",{"connectorId":1}]'


# ---------------------------------------------------------------------------- calls outward


def test_a_call_may_bring_its_own_id() -> None:
    ours = peer()
    assert ours.call("Reset", {}, 1.0, handle="h", message_id="own") == [
        Send('[2,"own","Reset",{}]')
    ]
    assert ours.receive('[3,"own",{}]', 2.0) == [Settled("h", "Reset", Result({}))]


def test_a_call_is_sent_and_its_result_settles_it() -> None:
    ours = peer()
    assert ours.call("Reset", {"type": "Soft"}, 1.0, handle="h") == [
        Send('[2,"m1","Reset",{"type":"Soft"}]')
    ]
    assert ours.receive('[3,"m1",{"status":"Accepted"}]', 2.0) == [
        Settled("h", "Reset", Result({"status": "Accepted"}))
    ]
    assert ours.next_deadline() is None


def test_an_error_settles_it_too() -> None:
    ours = peer()
    ours.call("Reset", {}, 1.0, handle="h")
    assert ours.receive('[4,"m1","NotSupported"]', 2.0) == [
        Settled("h", "Reset", CallError("NotSupported"))
    ]


def test_an_unreadable_answer_ends_the_call_at_once() -> None:
    ours = peer()
    ours.call("GetConfiguration", {}, 1.0, handle="h")
    assert ours.receive('[3,"m1",{"key" "value"}]', 2.0) == [
        Ignored("not JSON", "m1"),
        Settled(
            "h", "GetConfiguration", CallError("FormationViolation", "unreadable answer: not JSON")
        ),
    ]


def test_one_call_at_a_time_the_most_urgent_next_in_order() -> None:
    ours = peer()
    ours.call("First", {}, 0.0, priority=9)
    for action, priority in [("B1", 5), ("A1", 1), ("B2", 5), ("A2", 1)]:
        assert ours.call(action, {}, 0.0, priority=priority) == []
    order = []
    for number in ["m1", "m3", "m5", "m2"]:
        sent = ours.receive(f'[3,"{number}",{{}}]', 1.0)[-1]
        assert isinstance(sent, Send)
        order.append(json.loads(sent.text)[2])
    assert order == ["A1", "A2", "B1", "B2"]


def test_an_answer_with_another_id_settles_nothing() -> None:
    ours = peer()
    ours.call("Reset", {}, 0.0, handle="h")
    assert ours.receive('[3,"m2",{}]', 1.0) == [Ignored("answer to nothing")]
    assert ours.receive('[3,"m1",{}]', 1.0) == [Settled("h", "Reset", Result({}))]
    assert ours.receive('[3,"m1",{}]', 1.0) == [Ignored("answer to nothing")]


def test_a_call_without_answer_times_out_and_the_next_goes() -> None:
    ours = peer()
    ours.call("One", {}, 0.0, timeout_s=10.0, handle=1)
    ours.call("Two", {}, 0.0, timeout_s=30.0, handle=2)
    assert ours.next_deadline() == 10.0
    assert ours.tick(9.9) == []
    assert ours.tick(10.0) == [Settled(1, "One", TimedOut()), Send('[2,"m2","Two",{}]')]
    assert ours.next_deadline() == 40.0


def test_an_answer_after_the_time_out_is_late_and_known() -> None:
    ours = peer(late_s=600.0)
    ours.call("One", {}, 0.0, timeout_s=10.0, handle=1)
    ours.call("Two", {}, 0.0, timeout_s=30.0, handle=2)
    ours.tick(10.0)
    assert ours.receive('[3,"m1",{"status":"Rejected"}]', 11.0) == [
        LateReply(1, "One", Result({"status": "Rejected"}))
    ]
    assert ours.receive('[3,"m1",{}]', 12.0) == [Ignored("answer to nothing")]
    assert ours.receive('[3,"m2",{}]', 12.0) == [Settled(2, "Two", Result({}))]


def test_late_answers_are_known_for_a_while_only() -> None:
    ours = peer(late_s=600.0)
    ours.call("One", {}, 0.0, timeout_s=10.0)
    ours.tick(10.0)
    assert ours.receive('[3,"m1",{}]', 610.0) == [Ignored("answer to nothing")]


def test_late_calls_are_remembered_up_to_a_bound() -> None:
    ours = peer(max_late=2, max_timeouts=99)
    for at in (0.0, 10.0, 20.0):
        ours.call("X", {}, at, timeout_s=10.0, handle=at)
        ours.tick(at + 10.0)
    assert ours.receive('[3,"m1",{}]', 31.0) == [Ignored("answer to nothing")]
    assert ours.receive('[3,"m2",{}]', 31.0) == [LateReply(10.0, "X", Result({}))]


def test_a_call_waits_in_the_queue_no_longer_than_its_time_out() -> None:
    ours = peer()
    ours.call("One", {}, 0.0, timeout_s=30.0, handle=1)
    ours.call("Two", {}, 0.0, timeout_s=5.0, handle=2)
    assert ours.next_deadline() == 5.0
    assert ours.tick(5.0) == [Settled(2, "Two", TimedOut(sent=False))]
    assert ours.receive('[3,"m1",{}]', 6.0) == [Settled(1, "One", Result({}))]


def test_a_full_queue_sheds_the_least_urgent() -> None:
    ours = peer(max_queued=2)
    for handle, priority in [("sent", 5), ("old", 5), ("young", 5)]:
        ours.call("X", {}, 0.0, priority=priority, handle=handle)
    assert ours.call("Lower", {}, 0.0, priority=1, handle="urgent") == [
        Settled("young", "X", TimedOut(sent=False))
    ]
    assert ours.call("Chat", {}, 0.0, priority=9, handle="chat") == [
        Settled("chat", "Chat", TimedOut(sent=False))
    ]


def test_a_later_call_takes_the_place_of_one_that_waits_in_its_slot() -> None:
    ours = peer()
    ours.call("X", {}, 0.0, handle="sent", slot="a")
    assert ours.call("X", {"n": 1}, 0.0, handle="old", slot="a") == []
    assert ours.call("X", {"n": 2}, 0.0, handle="other", slot="b") == []
    assert ours.call("X", {"n": 3}, 1.0, handle="new", slot="a") == [
        Settled("old", "X", TimedOut(sent=False))
    ]
    # What is on the wire stays there, and the newer one goes in its turn.
    assert ours.receive('[3,"m1",{}]', 2.0) == [
        Settled("sent", "X", Result({})),
        Send('[2,"m3","X",{"n":2}]'),
    ]
    assert ours.receive('[3,"m3",{}]', 2.0)[-1] == Send('[2,"m4","X",{"n":3}]')


def test_what_has_a_slot_is_never_shed() -> None:
    ours = peer(max_queued=1)
    ours.call("X", {}, 0.0, handle="sent")
    for number in range(10):
        assert ours.call("Lower", {}, 0.0, priority=9, handle=number, slot=number) == []
    assert ours.call("X", {}, 0.0, priority=5, handle="kept") == []
    assert ours.call("X", {}, 0.0, priority=5, handle="shed") == [
        Settled("shed", "X", TimedOut(sent=False))
    ]


def test_what_is_urgent_is_seen_until_it_is_over() -> None:
    ours = peer()
    assert not ours.has_urgent(2)
    ours.call("Chat", {}, 0.0, priority=5)
    ours.call("Lower", {}, 0.0, priority=2)
    assert ours.has_urgent(2)
    assert not ours.has_urgent(1)
    ours.receive('[3,"m1",{}]', 1.0)
    assert ours.has_urgent(2)
    ours.receive('[3,"m2",{}]', 1.0)
    assert not ours.has_urgent(2)


def test_a_request_whose_answer_is_withheld_is_new_when_it_comes_again() -> None:
    ours = peer()
    call = received(ours.receive('[2,"s","StartTransaction",{}]', 0.0))
    ours.withhold(call)
    ours.withhold(call)
    again = received(ours.receive('[2,"s","StartTransaction",{}]', 1.0))
    assert ours.reply(again, {}, 1.0) == [Send('[3,"s",{}]')]


def test_a_call_withdrawn_from_the_queue_is_never_sent() -> None:
    ours = peer()
    one, two = object(), object()
    ours.call("One", {}, 0.0, handle=one)
    ours.call("Two", {}, 0.0, handle=two)
    ours.withdraw(two)
    ours.withdraw(one)
    assert ours.receive('[3,"m1",{}]', 1.0) == [Settled(one, "One", Result({}))]


def test_calls_are_held_until_released() -> None:
    ours = peer(released=False)
    assert ours.call("X", {}, 0.0) == []
    assert ours.next_deadline() == 30.0
    ours.release(5.0)
    ours.release(7.0)
    assert ours.next_deadline() == 5.0
    assert ours.tick(4.9) == []
    assert ours.tick(5.0) == [Send('[2,"m1","X",{}]')]


def test_while_paused_no_call_is_sent() -> None:
    ours = peer()
    ours.release(0.0)
    ours.pause()
    ours.pause()
    assert ours.call("X", {}, 0.0) == []
    ours.resume()
    assert ours.tick(1.0) == []
    ours.resume()
    assert ours.tick(1.0) == [Send('[2,"m1","X",{}]')]


def test_calls_can_be_held_again() -> None:
    ours = peer()
    ours.hold()
    assert ours.call("X", {}, 0.0) == []
    ours.release(3.0)
    assert ours.tick(3.0) == [Send('[2,"m1","X",{}]')]


def test_calls_keep_their_distance() -> None:
    ours = peer(gap_s=0.5)
    ours.call("One", {}, 0.0)
    ours.call("Two", {}, 0.0)
    assert ours.receive('[3,"m1",{}]', 0.1) == [Settled(None, "One", Result({}))]
    assert ours.next_deadline() == 0.5
    ours.release(0.0)
    assert ours.tick(0.4) == []
    assert ours.tick(0.5) == [Send('[2,"m2","Two",{}]')]


def test_a_call_in_doubt_is_waited_for_no_longer_than_said() -> None:
    ours = peer(max_timeouts=1)
    ours.doubt(0.0, 1.0)
    ours.call("One", {}, 0.0, handle=1)
    ours.call("Two", {}, 0.0, handle=2)
    ours.receive(HEARTBEAT, 1.0)
    ours.doubt(2.0, 3.0)
    ours.doubt(2.0, 4.0)
    assert ours.next_deadline() == 3.0
    # It proves nothing that a charger which boots does not answer.
    assert ours.tick(3.0) == [Settled(1, "One", TimedOut()), Send('[2,"m2","Two",{}]')]
    assert ours.receive('[3,"m1",{}]', 4.0) == [LateReply(1, "One", Result({}))]
    assert ours.tick(33.0)[-1] == CloseWanted(1011, "calls are not answered")


def test_what_was_sent_while_nothing_was_read_may_go_unanswered() -> None:
    ours = peer(max_timeouts=1)
    ours.call("One", {}, 0.0, handle=1)
    ours.receive(HEARTBEAT, 1.0)
    ours.excuse(29.0)
    assert ours.tick(30.0) == [Settled(1, "One", TimedOut())]
    ours.call("Two", {}, 30.0, handle=2)
    ours.receive(HEARTBEAT, 31.0)
    assert ours.tick(60.0)[-1] == CloseWanted(1011, "calls are not answered")


def test_a_frame_of_ours_names_the_call_it_is_of() -> None:
    (sent,) = peer().call("One", {}, 0.0, handle="h")
    assert isinstance(sent, Send)
    assert sent.handle == "h"


def test_what_is_not_json_is_refused_before_it_is_queued() -> None:
    ours = peer()
    with pytest.raises(ValueError, match="JSON"):
        ours.call("X", {"limit": float("nan")}, 0.0)
    assert ours.next_deadline() is None


# ---------------------------------------------------------------------------- calls inward


def test_a_request_is_served_while_ours_is_pending() -> None:
    ours = peer()
    ours.call("Reset", {}, 0.0, handle="h")
    call = received(ours.receive(HEARTBEAT, 1.0))
    assert (call.message_id, call.action, call.payload) == ("h", "Heartbeat", {})
    assert call.size_chars == len(HEARTBEAT)
    assert ours.reply(call, {"currentTime": "t"}, 1.0) == [Send('[3,"h",{"currentTime":"t"}]')]
    assert ours.receive('[3,"m1",{}]', 2.0) == [Settled("h", "Reset", Result({}))]


def test_a_request_can_be_refused() -> None:
    ours = peer()
    call = received(ours.receive('[2,"a","Nonsense",{}]', 0.0))
    assert ours.reply_error(call, ProtocolError("NotImplemented", "no such action")) == [
        Send('[4,"a","NotImplemented","no such action",{}]')
    ]


def test_an_answer_that_is_not_json_becomes_an_internal_error() -> None:
    ours = peer()
    call = received(ours.receive(START, 0.0))
    assert ours.reply(call, {"x": float("inf")}, 0.0) == [Send('[4,"s","InternalError","",{}]')]


def test_a_request_is_answered_once() -> None:
    ours = peer()
    call = received(ours.receive(START, 0.0))
    assert len(ours.reply(call, {}, 0.0)) == 1
    assert ours.reply(call, {}, 0.0) == []


def test_a_broken_request_is_answered_when_its_id_can_be_read() -> None:
    ours = peer()
    assert ours.receive('[2,"a","X",{"k" 1}]', 0.0) == [
        Ignored("not JSON", "a"),
        Send('[4,"a","FormationViolation","not JSON",{}]'),
    ]
    assert ours.receive("garbage", 0.0) == [Ignored("not JSON")]
    assert ours.receive("", 0.0) == [Ignored("empty")]
    assert ours.receive('[7,"a",{}]', 0.0) == [Ignored("unknown MessageTypeId")]


@pytest.mark.parametrize("action", sorted(ACKNOWLEDGED_UNREAD))
def test_a_report_that_cannot_be_read_is_acknowledged(action: str) -> None:
    ours = peer()
    assert ours.receive(f'[2,"a","{action}",{{"k" 1}}]', 0.0) == [
        Ignored("not JSON", "a"),
        Send('[3,"a",{}]'),
    ]


@pytest.mark.parametrize("action", ["BootNotification", "Heartbeat"])
def test_what_asks_for_the_time_is_served_without_its_payload(action: str) -> None:
    ours = peer()
    ignored, call = ours.receive(f'[2,"a","{action}",{{"k" 1}}]', 0.0)
    assert ignored == Ignored("not JSON", "a")
    assert isinstance(call, CallReceived)
    assert (call.action, call.payload) == (action, {})


def test_unreadable_reports_count_all_the_same() -> None:
    ours = peer(max_unreadable=1)
    frame = '[2,"a","MeterValues",{"k" 1}]'
    ours.receive(frame, 0.0)
    assert ours.receive(frame, 0.0)[-1] == CloseWanted(1008, "too many unreadable frames")


def test_long_ids_are_echoed() -> None:
    ours = peer()
    long = "x" * 100
    call = received(ours.receive(f'[2,"{long}","Heartbeat",{{}}]', 0.0))
    assert ours.reply(call, {}, 0.0) == [Send(f'[3,"{long}",{{}}]')]


def test_a_request_repeated_while_in_work_gets_the_one_answer_for_each_copy() -> None:
    ours = peer()
    call = received(ours.receive(START, 0.0))
    repeated = CallRepeated("s", "StartTransaction")
    assert [ours.receive(START, 0.0) for _ in range(2)] == [[repeated], [repeated]]
    assert ours.reply(call, {"transactionId": 7}, 1.0) == [Send('[3,"s",{"transactionId":7}]')] * 3


def test_the_copies_of_a_request_are_bounded() -> None:
    ours = peer(max_inward=4)
    call = received(ours.receive(START, 0.0))
    for _ in range(100):
        ours.receive(START, 0.0)
    assert len(ours.reply(call, {}, 1.0)) == 4


def test_a_request_repeated_later_gets_the_same_answer_again() -> None:
    ours = peer()
    answer = ours.reply(received(ours.receive(START, 0.0)), {"transactionId": 7}, 0.0)
    assert ours.receive(START, 9.0) == [CallRepeated("s", "StartTransaction"), *answer]


def test_the_same_id_with_other_content_is_another_request() -> None:
    ours = peer()
    first = received(ours.receive(START, 0.0))
    other = received(ours.receive('[2,"s","StartTransaction",{"connectorId":2}]', 0.0))
    assert ours.reply(first, {"transactionId": 7}, 0.0) == [Send('[3,"s",{"transactionId":7}]')]
    assert ours.reply(other, {"transactionId": 8}, 0.0) == [Send('[3,"s",{"transactionId":8}]')]


def test_a_refusal_is_not_repeated_but_tried_again() -> None:
    ours = peer()
    ours.reply_error(received(ours.receive(START, 0.0)), ProtocolError("InternalError"))
    assert received(ours.receive(START, 1.0)).action == "StartTransaction"


def test_boots_and_heartbeats_are_served_again() -> None:
    ours = peer()
    boot = '[2,"1","BootNotification",{}]'
    for text in (boot, HEARTBEAT):
        ours.reply(received(ours.receive(text, 0.0)), {}, 0.0)
        assert received(ours.receive(text, 1.0)).payload == {}


def test_a_boot_begins_a_new_numbering() -> None:
    ours = peer()
    ours.reply(received(ours.receive(START, 0.0)), {}, 0.0)
    ours.receive('[2,"1","BootNotification",{}]', 1.0)
    assert received(ours.receive(START, 2.0)).message_id == "s"


def test_answers_outlive_the_socket() -> None:
    cache = ReplyCache()
    old, new = peer(cache=cache), peer(cache=cache)
    call = received(old.receive(START, 0.0))
    old.close()
    assert old.reply(call, {"transactionId": 7}, 1.0) == []
    assert new.receive(START, 2.0) == [
        CallRepeated("s", "StartTransaction"),
        Send('[3,"s",{"transactionId":7}]'),
    ]


def test_the_cache_keeps_the_newest_for_a_while() -> None:
    cache = ReplyCache(size=2, keep_s=10.0)
    for number in (1, 2, 1, 3):
        cache.keep(("id", number), f"answer {number}", 0.0)
    found = [cache.find(("id", number), 9.9) for number in (1, 2, 3)]
    assert found == ["answer 1", None, "answer 3"]
    assert cache.find(("id", 1), 10.0) is None
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0


def test_more_requests_than_can_be_in_work_are_refused() -> None:
    ours = peer(max_inward=1)
    call = received(ours.receive(START, 0.0))
    assert ours.receive(HEARTBEAT, 0.0) == [
        Ignored("too many calls at once", "h"),
        Send('[4,"h","GenericError","too many calls at once",{}]'),
    ]
    ours.reply(call, {}, 0.0)
    assert received(ours.receive(HEARTBEAT, 0.0)).message_id == "h"


# ---------------------------------------------------------------------------- giving up


def close_events(events: list[Event]) -> list[Event]:
    return [e for e in events if isinstance(e, CloseWanted)]


def test_a_flood_of_unsolicited_answers_ends_the_connection_once() -> None:
    ours = peer(max_strays=100)
    closes = [close_events(ours.receive(f'[3,"{i}",{{}}]', 0.0)) for i in range(200)]
    assert closes[100] == [CloseWanted(1008, "too many unsolicited answers")]
    assert sum(map(len, closes)) == 1


def test_garbage_without_end_ends_the_connection() -> None:
    ours = peer(max_unreadable=10)
    closes = [close_events(ours.receive("garbage", 0.0)) for _ in range(20)]
    assert closes[10] == [CloseWanted(1008, "too many unreadable frames")]


def test_a_charger_that_talks_but_does_not_answer_is_given_up() -> None:
    ours = peer(max_timeouts=3)
    for at in (0.0, 10.0, 20.0):
        ours.call("X", {}, at, timeout_s=10.0, handle=at)
        if at == 10.0:
            ours.receive(HEARTBEAT, 15.0)
        events = ours.tick(at + 10.0)
    assert events == [Settled(20.0, "X", TimedOut()), CloseWanted(1011, "calls are not answered")]


def test_a_silent_charger_is_given_up_when_it_talks_again() -> None:
    ours = peer(max_timeouts=2)
    for at in (0.0, 10.0):
        ours.call("X", {}, at, timeout_s=10.0)
        assert close_events(ours.tick(at + 10.0)) == []
    assert close_events(ours.receive(HEARTBEAT, 21.0)) == [
        CloseWanted(1011, "calls are not answered")
    ]


@pytest.mark.parametrize("answer", ['[3,"m2",{}]', '[3,"m1",{}]'])
def test_an_answer_even_a_late_one_starts_the_count_again(answer: str) -> None:
    ours = peer(max_timeouts=2)
    ours.call("X", {}, 0.0, timeout_s=10.0)
    ours.tick(10.0)
    ours.call("X", {}, 10.0, timeout_s=10.0)
    ours.receive(answer, 11.0)
    ours.tick(20.0)
    ours.call("X", {}, 20.0, timeout_s=10.0)
    assert close_events(ours.receive(HEARTBEAT, 29.0)) == []


def test_nothing_is_sent_on_a_connection_to_be_closed() -> None:
    ours = peer(max_strays=0)
    ours.receive('[3,"x",{}]', 0.0)
    assert ours.call("X", {}, 0.0) == []


def test_closing_ends_every_call_as_disconnected() -> None:
    ours = peer()
    ours.call("One", {}, 0.0, handle=1)
    ours.call("Two", {}, 0.0, handle=2)
    assert ours.close() == [
        Settled(1, "One", Disconnected()),
        Settled(2, "Two", Disconnected(sent=False)),
    ]
    assert ours.close() == []
    assert ours.call("Three", {}, 1.0, handle=3) == [Settled(3, "Three", Disconnected(sent=False))]
    assert ours.receive('[3,"m1",{}]', 1.0) == []
    assert ours.tick(99.0) == []
    assert ours.next_deadline() is None
