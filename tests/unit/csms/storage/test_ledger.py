from __future__ import annotations

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.station.model import ConnectorKey, Limit, LimitSource
from csms.storage import ledger
from csms.storage.tables import limits
from tests.unit.csms.storage.databases import connected, on_postgresql, plan

SUPERSEDED = EntryState.SUPERSEDED


def entry(
    token: int, state: EntryState, sent_at: float = 0.0, settled_at: float | None = None
) -> Entry:
    limit = Limit(1000, LimitSource.GRID)
    key = ConnectorKey("CP1", 1)
    return Entry(token, key, Scope.DEFAULT, limit, state, sent_at, settled_at)


def tokens(*rows: tuple[str, Entry], before: float, at_most: int = 99) -> list[int]:
    """The tokens that are left of `rows` after pruning."""
    with connected() as connection:
        ledger.save(connection, rows)
        ledger.prune(connection, before, at_most)
        found = connection.execute(limits.select().order_by(limits.c.token))
        return [row.token for row in found]


def test_old_superseded_entries_go() -> None:
    rows = [
        ("site", entry(1, SUPERSEDED, 1.0, 2.0)),
        ("site", entry(2, SUPERSEDED, 1.0)),
        ("site", entry(3, SUPERSEDED, 1.0, 60.0)),
        ("site", entry(4, SUPERSEDED, 60.0, 61.0)),
        ("site", entry(5, SUPERSEDED, 60.0)),
        ("site", entry(6, EntryState.CONFIRMED, 61.0)),
    ]
    assert tokens(*rows, before=50.0) == [3, 4, 5, 6]


def test_what_may_be_in_force_stays_however_old() -> None:
    counting = [state for state in EntryState if state is not SUPERSEDED]
    rows = [("site", entry(n, state, 1.0, 1.0)) for n, state in enumerate(counting)]
    rows.append(("site", entry(100, SUPERSEDED, 1.0, 1.0)))

    assert tokens(*rows, before=1e9) == [*range(len(counting)), 100]


def test_the_last_token_of_each_station_stays() -> None:
    """A token given out twice would confuse two limits."""
    rows = [
        ("north", entry(1, SUPERSEDED)),
        ("north", entry(8, SUPERSEDED)),
        ("south", entry(2, SUPERSEDED)),
        ("south", entry(3, SUPERSEDED)),
    ]
    assert tokens(*rows, before=1e9) == [3, 8]


def test_pruning_deletes_no_more_than_it_may() -> None:
    rows = [("site", entry(n, SUPERSEDED, sent_at=float(-n))) for n in range(6)]

    assert tokens(*rows, before=1e9, at_most=2) == [0, 1, 2, 5]


def test_loading_and_pruning_use_indexes() -> None:
    with connected() as connection:
        load = plan(connection, ledger._counting)  # noqa: SLF001
        assert "ix_limits_counting (station_id=?)" in load
        assert "TEMP B-TREE" not in load
        prune = plan(connection, ledger._prune)  # noqa: SLF001
        assert "ix_limits_state (state=? AND sent_at<?)" in prune
        assert "SCAN" not in prune


def test_pruning_on_postgresql() -> None:
    written = on_postgresql(ledger._prune)  # noqa: SLF001

    assert written.startswith(
        "DELETE FROM limits WHERE (limits.station_id, limits.token) IN (SELECT limits.station_id,"
    )
    assert "newer.station_id = limits.station_id" in written
    assert "FROM limits WHERE limits.state = 'superseded'" in written


def test_nothing_to_save() -> None:
    with connected() as connection:
        ledger.save(connection, [])
        assert ledger.last_token(connection) == 0
