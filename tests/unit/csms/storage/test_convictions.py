from __future__ import annotations

from csms.dispatch.compliance import Cause, Step
from csms.dispatch.conviction import Conviction
from csms.station.model import ConnectorKey
from csms.storage import convictions
from csms.storage.tables import convictions as table
from tests.unit.csms.storage.databases import connected

KEY = ConnectorKey("CP1", 1)
GUILTY = Conviction(KEY, Cause.LIMIT, 9, 8, 7, Step.STOP, 6.0)


def test_rows_are_written_and_deleted_together() -> None:
    other = ConnectorKey("CP1", 2)
    with connected() as connection:
        convictions.save(connection, [("site", KEY, GUILTY)])
        convictions.save(
            connection,
            [
                ("site", KEY, None),
                ("site", other, Conviction(other, None, 0, 0, 0, Step.NONE, 0.0)),
            ],
        )
        assert [c.connector for c in convictions.load(connection, "site")] == [other]


def test_the_names_kept_do_not_change_with_the_words_for_people() -> None:
    with connected() as connection:
        convictions.save(connection, [("site", KEY, GUILTY)])
        row = connection.execute(table.select()).one()
        assert (row.cause, row.step) == ("LIMIT", "STOP")


def test_a_deletion_leaves_other_stations_alone() -> None:
    with connected() as connection:
        convictions.save(connection, [("site", KEY, GUILTY), ("other", KEY, GUILTY)])
        convictions.save(connection, [("site", KEY, None)])
        assert convictions.load(connection, "site") == []
        assert convictions.load(connection, "other") == [GUILTY]
