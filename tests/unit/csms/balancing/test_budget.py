"""What is there to share."""

from __future__ import annotations

import pytest

from csms.balancing.allocation import Leaf, Node
from csms.balancing.allocators.max_min import allocate
from csms.balancing.budget import Budget, Reduction, grid_budget, holds, left_for_suspects, tree
from csms.station.model import Charger, Connector, ConnectorKey, Feeder, LimitSource, Station


def key(text: str) -> ConnectorKey:
    charger_id, connector_id = text.split("/")
    return ConnectorKey(charger_id, int(connector_id))


def charger(
    name: str, power_w: int, *, connectors: tuple[int, ...] = (), feeder: str | None = None
) -> Charger:
    powers = connectors or (power_w, power_w)
    return Charger(
        name,
        power_w,
        tuple(Connector(ConnectorKey(name, n), p) for n, p in enumerate(powers, start=1)),
        feeder_id=feeder,
    )


def leaves(**uppers_w: int) -> dict[ConnectorKey, Leaf]:
    """`A1=5` is connector 1 of charger A, whose vehicle can take 5 W."""
    keys = {ConnectorKey(name[0], int(name[1])): upper_w for name, upper_w in uppers_w.items()}
    return {k: Leaf(k, upper_w, LimitSource.VEHICLE) for k, upper_w in keys.items()}


def caps(node: Node) -> dict[str, int]:
    """The cap of every node by name."""
    found = {node.name: node.cap_w}
    for child in node.children:
        if isinstance(child, Node):
            found |= caps(child)
    return found


def test_a_budget_is_the_limit_less_its_reductions() -> None:
    budget = Budget(400_000, (Reduction("static load", 3_000), Reduction("reserve", 20_000)))
    assert budget.available_w == 377_000


def test_a_budget_is_never_negative() -> None:
    assert Budget(10, (Reduction("static load", 11),)).available_w == 0
    assert Budget(10).available_w == 10


def test_a_reduction_is_never_a_gift() -> None:
    with pytest.raises(ValueError, match="the reduction 'load' is negative: -1 W"):
        Reduction("load", -1)


def test_the_grid_budget_names_what_comes_off() -> None:
    site = Station("S", 100, (charger("A", 50),), static_load_w=7, reserve_w=5)
    budget = grid_budget(site, {key("A/1"): 11})
    assert budget.reductions == (
        Reduction("static load", 7),
        Reduction("reserve", 5),
        Reduction("connectors that take no part", 11),
    )
    assert budget.available_w == 77


def test_chargers_stand_under_the_grid_in_the_order_of_the_configuration() -> None:
    site = Station("S", 400, (charger("B", 300), charger("A", 200)))
    root = tree(site, leaves(A1=150, B2=150), {})
    assert (root.name, root.source) == ("S", LimitSource.GRID)
    assert [(n.name, n.source) for n in root.children if isinstance(n, Node)] == [
        ("B", LimitSource.CHARGER),
        ("A", LimitSource.CHARGER),
    ]
    assert [leaf.key for leaf in root.leaves()] == [key("B/2"), key("A/1")]
    assert caps(root) == {"S": 400, "B": 300, "A": 200}


def test_a_charger_nobody_takes_part_in_is_left_out_but_what_it_may_draw_counts() -> None:
    site = Station("S", 400, (charger("A", 300), charger("B", 200)))
    assert caps(tree(site, leaves(A1=1), {key("B/1"): 30})) == {"S": 370, "A": 300}


def test_a_connector_without_part_comes_off_every_cap_above_it() -> None:
    site = Station(
        "S", 400, (charger("A", 300, feeder="F"),), feeders=(Feeder("F", 200), Feeder("E", 5))
    )
    root = tree(site, leaves(A1=1), {key("A/2"): 30})
    assert caps(root) == {"S": 370, "F": 170, "A": 270}
    (feeder,) = root.children
    assert isinstance(feeder, Node)
    assert feeder.source is LimitSource.FEEDER


def test_above_a_charger_its_reserved_watts_count_at_most_its_maximum() -> None:
    site = Station(
        "S", 1000, (charger("A", 300, feeder="F"), charger("B", 9)), feeders=(Feeder("F", 700),)
    )
    reserved = {key("A/1"): 250, key("A/2"): 250}
    root = tree(site, leaves(B1=1) | leaves(A1=1), reserved)
    assert caps(root) == {"S": 700, "F": 400, "A": 0, "B": 9}


def test_a_charger_that_draws_more_than_its_maximum_counts_at_what_is_known_of_it() -> None:
    site = Station(
        "S", 1000, (charger("A", 300, feeder="F"), charger("B", 9)), feeders=(Feeder("F", 700),)
    )
    reserved = {key("A/1"): 400, key("B/2"): 20}
    root = tree(site, leaves(B1=1) | leaves(A2=1), reserved, {"A": 450})
    assert caps(root) == {"S": 591, "F": 300, "A": 0, "B": 0}
    assert grid_budget(site, reserved, {"A": 350}).available_w == 641


def test_what_a_removed_connector_may_still_draw_counts() -> None:
    site = Station("S", 1000, (charger("A", 300),))
    root = tree(site, leaves(A1=1), {key("A/9"): 20})
    assert caps(root) == {"S": 980, "A": 280}


def test_a_feeder_the_station_does_not_have_leaves_the_charger_under_the_grid() -> None:
    site = Station("S", 1000, (charger("A", 300, feeder="F"),))
    assert caps(tree(site, leaves(A1=1), {})) == {"S": 1000, "A": 300}


@pytest.mark.parametrize(
    ("upper_w", "source", "connector_w", "expected"),
    [
        (80, LimitSource.VEHICLE, 100, (80, LimitSource.VEHICLE)),
        (100, LimitSource.VEHICLE, 100, (100, LimitSource.VEHICLE)),
        (101, LimitSource.VEHICLE, 100, (100, LimitSource.CONNECTOR)),
        (100, LimitSource.CONNECTOR, 100, (100, LimitSource.CONNECTOR)),
        (200, LimitSource.CONNECTOR, 200, (200, LimitSource.CHARGER)),
        (300, LimitSource.CONNECTOR, 300, (200, LimitSource.CHARGER)),
        (200, LimitSource.DEMAND, 300, (200, LimitSource.DEMAND)),
    ],
)
def test_a_leaf_is_cut_to_its_hardware(
    upper_w: int, source: LimitSource, connector_w: int, expected: tuple[int, LimitSource]
) -> None:
    site = Station("S", 1000, (charger("A", 200, connectors=(connector_w,)),))
    leaf = Leaf(key("A/1"), upper_w, source, floor_w=3, weight=2.0, priority=1)
    (found,) = tree(site, {leaf.key: leaf}, {}).leaves()
    assert (found.upper_w, found.upper_source) == expected
    assert (found.floor_w, found.weight, found.priority) == (3, 2.0, 1)


def test_four_vehicles_share_what_the_static_load_leaves() -> None:
    site = Station("S", 400_000, (charger("A", 300_000), charger("B", 300_000)), static_load_w=3000)
    taking_part = leaves(A1=150_000, A2=150_000, B1=150_000, B2=150_000)
    shares = allocate(tree(site, taking_part, {}), 0.0)
    assert {share.value_w for share in shares.values()} == {99_250}


# ------------------------------------------------------------------------------- suspects

THREE = Station(
    "S",
    100,
    (charger("A", 80, feeder="F"), charger("B", 60, feeder="F"), charger("C", 50)),
    (Feeder("F", 90),),
)


def left(reserved: dict[str, int], *suspects: str) -> dict[str, int]:
    found = left_for_suspects(
        THREE, {key(k): w for k, w in reserved.items()}, [key(k) for k in suspects]
    )
    return {str(k): v for k, v in found.items()}


def test_suspects_keep_what_they_have_where_there_is_enough() -> None:
    assert left({"A/1": 60, "B/1": 30, "C/1": 10}, "A/1", "C/1") == {}


def test_a_suspect_is_left_what_nobody_else_may_draw() -> None:
    assert left({"A/1": 60, "B/1": 20, "C/1": 30}, "A/1") == {"A/1": 50}
    assert left({"A/1": 60, "B/1": 40}, "A/1") == {"A/1": 50}
    # The smaller of what grid and feeder leave.
    assert left({"A/1": 60, "B/1": 40, "C/1": 30}, "A/1") == {"A/1": 30}
    assert left({"A/1": 60, "B/1": 40, "C/1": 5}, "A/1") == {"A/1": 50}


def test_no_suspect_counts_on_another_to_obey() -> None:
    assert left({"A/1": 80, "B/1": 10, "C/1": 50}, "A/1", "C/1") == {
        "A/1": 40,
        "C/1": 10,
    }


def test_the_suspects_of_one_charger_share_what_is_left_for_it() -> None:
    # They draw no more than 80 W together; what others may draw is 50 W.
    assert left({"A/1": 80, "A/2": 80, "C/1": 50}, "A/1", "A/2") == {
        "A/1": 25,
        "A/2": 25,
    }
    # One of the two obeys for sure, and may draw 20 W.
    assert left({"A/1": 80, "A/2": 20, "C/1": 50}, "A/1") == {"A/1": 30}


def test_what_is_left_of_a_charger_that_obeys_is_what_its_others_draw_then() -> None:
    suspects, reserved = [key("A/1")], {key("A/1"): 80, key("A/2"): 80, key("C/1"): 50}
    assert left_for_suspects(THREE, reserved, suspects) == {key("A/1"): 0}
    # What others' chargers may draw counts in full all the same.
    obeying = {key("A/2"): 10, key("C/1"): 0}
    found = left_for_suspects(THREE, reserved, suspects, obeying=obeying)
    assert found == {key("A/1"): 40}


def test_suspects_of_one_charger_share_its_maximum() -> None:
    assert left({"A/1": 80, "A/2": 80}, "A/1", "A/2") == {
        "A/1": 40,
        "A/2": 40,
    }
    assert left({"A/1": 80, "A/2": 80}, "A/1") == {}


def test_what_a_suspect_draws_above_its_maximum_is_taken_from_other_suspects() -> None:
    suspects = [key("A/1"), key("C/1")]
    reserved = {key("A/1"): 90, key("C/1"): 30}
    assert left_for_suspects(THREE, reserved, suspects, {"A": 90}) == {
        key("A/1"): 70,
        key("C/1"): 10,
    }


def test_what_is_left_is_never_negative() -> None:
    assert left({"A/1": 80, "B/1": 60, "C/1": 50}, "A/1") == {"A/1": 0}


def test_a_feeder_that_is_short_takes_nothing_from_others() -> None:
    assert left({"A/1": 60, "B/1": 35, "C/1": 5}, "C/1") == {}


@pytest.mark.parametrize(
    ("reserved", "fits"),
    [
        ({"A/1": 40, "C/1": 50}, True),
        ({"A/1": 41, "C/1": 50}, False),
        ({"A/1": 30, "A/2": 21}, False),
        ({"A/1": 40, "B/1": 30}, True),
        ({"A/1": 40, "B/1": 31}, False),
        ({"A/1": 40, "C/1": 50, "C/2": 50}, True),
    ],
)
def test_what_is_reserved_fits_at_a_charger_and_above_or_not(
    reserved: dict[str, int], fits: bool
) -> None:
    feeders = (Feeder("F", 70), Feeder("G", 10))
    chargers = (charger("A", 50, feeder="F"), charger("B", 50, feeder="F"), charger("C", 50))
    site = Station("S", 90, chargers, feeders=feeders)
    assert holds(site, {key(k): w for k, w in reserved.items()}, "A") is fits
