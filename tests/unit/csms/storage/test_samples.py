from __future__ import annotations

from csms.ports import StoredSession, TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.storage import samples, sessions
from tests.unit.csms.storage.databases import connected, plan

KEY = ConnectorKey("CP1", 1)


def sample(number: int, energy_wh: int | None = None) -> MeterSample:
    return MeterSample(KEY, at=float(number), energy_wh=energy_wh)


def session(name: str, transaction_id: int) -> StoredSession:
    return StoredSession(
        name, transaction_id, "site", KEY, "TAG", TokenStatus.ACCEPTED, 0.0, 100, name
    )


def test_each_session_has_its_last_register_in_the_batch() -> None:
    with connected() as connection:
        sessions.start(connection, session("a", 1))
        sessions.start(connection, session("b", 2))

        samples.save(
            connection,
            [
                ("a", sample(1, 200)),
                ("b", sample(2, 700)),
                ("a", sample(3, 300)),
                ("a", sample(4)),
                (None, sample(5, 999)),
                ("nobody", sample(6, 888)),
            ],
        )

        assert [(s.session_id, s.meter_wh) for s in sessions.running(connection)] == [
            ("a", 300),
            ("b", 700),
        ]
        assert samples.newest(connection, "nobody", 10) == [sample(6, 888)]


def test_the_order_is_the_order_of_arrival_whatever_the_times_say() -> None:
    with connected() as connection:
        samples.save(connection, [("a", sample(9)), ("a", sample(1)), ("a", sample(5))])

        assert samples.newest(connection, "a", 2) == [sample(1), sample(5)]


def test_pruning_deletes_the_oldest_and_no_more_than_it_may() -> None:
    with connected() as connection:
        samples.save(connection, [("a", sample(n)) for n in range(10)])

        samples.prune(connection, before=6.0, at_most=4)
        assert samples.newest(connection, "a", 100) == [sample(n) for n in range(4, 10)]

        samples.prune(connection, before=6.0, at_most=4)
        assert samples.newest(connection, "a", 100) == [sample(n) for n in range(6, 10)]


def test_reading_and_pruning_use_indexes() -> None:
    with connected() as connection:
        newest = plan(connection, samples._newest)  # noqa: SLF001
        assert "ix_meter_samples_session (session_id=?)" in newest
        assert "TEMP B-TREE" not in newest
        prune = plan(connection, samples._prune)  # noqa: SLF001
        assert "ix_meter_samples_at (at<?)" in prune
        assert "SCAN" not in prune
