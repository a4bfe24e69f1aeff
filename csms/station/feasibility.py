"""Whether a station can hold, and whether a running station may become another one.

Neither is a question of form: that is judged by `csms.station.document`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from csms.station import grid
from csms.station.document import MAX_CHARGERS, MAX_CONNECTORS
from csms.station.model import RAMP_WINDOW_S, Charger, ConnectorKey, CurrentType, Station
from csms.station.units import w_to_kw

WHOLE_CHARGER = "charger"


def feasibility(station: Station) -> list[str]:
    """Every reason why this station cannot hold; empty when it can.

    The fallbacks are what the connectors may draw when nobody speaks to their chargers, so their
    sum must fit at every node of the tree (law 1).
    """
    return [
        *_too_many(station),
        *_duplicates(station),
        *_grid_reasons(station),
        *_feeder_reasons(station),
        *_ramp_reasons(station),
        *(reason for charger in station.chargers for reason in _charger_reasons(charger)),
    ]


def _too_many(station: Station) -> Iterator[str]:
    """What `parse_station` would not take back when the station is loaded again."""
    counted = [
        ("the station", "chargers", len(station.chargers), MAX_CHARGERS),
        ("the station", "feeders", len(station.feeders), MAX_CHARGERS),
    ]
    counted += [
        (f"charger {charger.charger_id}", "connectors", len(charger.connectors), MAX_CONNECTORS)
        for charger in station.chargers
    ]
    for owner, what, count, most in counted:
        if count > most:
            yield f"{owner} has {count} {what}, more than the {most} there may be"


def _duplicates(station: Station) -> Iterator[str]:
    named: Sequence[tuple[str, Iterable[object]]] = (
        ("feeder", (f.feeder_id for f in station.feeders)),
        ("charger", (c.charger_id for c in station.chargers)),
    )
    for kind, ids in named:
        for name, times in Counter(ids).items():
            if times > 1:
                yield f"{kind} {name} is there {times} times"


def _grid_reasons(station: Station) -> Iterator[str]:
    taken_w = station.static_load_w + station.reserve_w
    if taken_w > station.grid_limit_w:
        yield (
            f"static load and reserve are {w_to_kw(taken_w)} kW, "
            f"more than the grid limit of {w_to_kw(station.grid_limit_w)} kW"
        )
        return
    fallback_w = sum(c.unspoken_w for c in station.chargers)
    if fallback_w > station.grid_limit_w - taken_w:
        yield (
            f"{grid.fallbacks_named(station.chargers)} of all connectors sum to "
            f"{w_to_kw(fallback_w)} kW, more than the "
            f"{w_to_kw(station.grid_limit_w - taken_w)} kW the grid leaves "
            "after static load and reserve"
        )
    elif station.grid_source is not None:
        failsafe_w = station.grid_source.failsafe_w
        reason = grid.shortfall(station, "the fail-safe limit", failsafe_w)
        if reason is not None:
            yield reason


def _feeder_reasons(station: Station) -> Iterator[str]:
    limits = {f.feeder_id: f.limit_w for f in station.feeders}
    fallbacks: Counter[str] = Counter()
    for charger in station.chargers:
        if charger.feeder_id is None:
            continue
        if charger.feeder_id not in limits:
            yield f"charger {charger.charger_id} is on the unknown feeder {charger.feeder_id}"
            continue
        fallbacks[charger.feeder_id] += charger.unspoken_w
    for feeder_id, fallback_w in fallbacks.items():
        if fallback_w > limits[feeder_id]:
            yield (
                f"{grid.fallbacks_named(station.chargers)} on feeder {feeder_id} sum to "
                f"{w_to_kw(fallback_w)} kW, "
                f"more than its {w_to_kw(limits[feeder_id])} kW"
            )


def _ramp_reasons(station: Station) -> Iterator[str]:
    """A connector whose minimum is more than a step of the ramp might never get it."""
    step_w = station.ramp_step_w
    connector = max(station.connectors(), key=lambda c: c.minimum_w, default=None)
    if step_w is not None and connector is not None and connector.minimum_w > step_w:
        yield (
            f"maxRampKwPerMin is {w_to_kw(station.ramp_w_per_min or 0)}: the "
            f"{w_to_kw(step_w)} kW of a window of {RAMP_WINDOW_S:.0f} s are less than the minimum "
            f"of {w_to_kw(connector.minimum_w)} kW of connector {connector.key}"
        )


def _charger_reasons(charger: Charger) -> Iterator[str]:
    fallback_w = sum(c.fallback_w for c in charger.connectors)
    if fallback_w > charger.max_power_w:
        yield (
            f"the fallbacks of charger {charger.charger_id} sum to {w_to_kw(fallback_w)} kW, "
            f"more than its {w_to_kw(charger.max_power_w)} kW"
        )
    if charger.capabilities.purpose == WHOLE_CHARGER and len(charger.connectors) > 1:
        yield (
            f"charger {charger.charger_id} has {len(charger.connectors)} connectors: their limits "
            f"cannot be written for the charger as a whole (purpose {WHOLE_CHARGER!r})"
        )
    for connector in charger.connectors:
        if connector.max_power_w > charger.max_power_w:
            yield (
                f"connector {connector.key} may take {w_to_kw(connector.max_power_w)} kW, "
                f"more than its charger's {w_to_kw(charger.max_power_w)} kW"
            )
        for name, value_w in (
            ("fallback", connector.fallback_w),
            ("minimum", connector.minimum_w),
        ):
            if value_w > connector.max_power_w:
                yield (
                    f"connector {connector.key} has a {name} of {w_to_kw(value_w)} kW, "
                    f"more than its {w_to_kw(connector.max_power_w)} kW"
                )
        if connector.current_type is CurrentType.AC and 0 < connector.fallback_w < (
            connector.minimum_w
        ):
            yield (
                f"connector {connector.key} has a fallback of {w_to_kw(connector.fallback_w)} kW: "
                f"an AC vehicle takes nothing or at least {w_to_kw(connector.minimum_w)} kW"
            )


# ------------------------------------------------------------------------------ may it change?


def changes_in_use(old: Station, in_use: Collection[ConnectorKey], new: Station) -> list[str]:
    """Every reason why `old` may not become `new` while the connectors `in_use` have sessions."""
    before = _meanings(old)
    after = _meanings(new)
    reasons: list[str] = []
    for key in sorted(in_use):
        if new.charger(key.charger_id) is None:
            reasons.append(f"charger {key.charger_id} is removed, but {key} is in use")
        elif key not in after:
            reasons.append(f"connector {key} is removed, but it is in use")
        elif before.get(key, after[key]) != after[key]:
            # A limit given out in amperes would mean other watts than the ledger counts, and one of
            # another purpose or level would not replace it.
            reasons.append(
                f"connector {key} changes type, phases, voltage, unit, purpose or stack level "
                "while in use"
            )
    return reasons


def meant_otherwise(old: Station, new: Station) -> set[str]:
    """The chargers on which limits given out under `old` may let through other watts in `new`."""
    before, after = _meanings(old), _meanings(new)
    return {key.charger_id for key in after if before.get(key, after[key]) != after[key]}


def _meanings(station: Station) -> dict[ConnectorKey, tuple[object, ...]]:
    """What a limit on each connector means, besides its value."""
    return {
        connector.key: (
            connector.current_type,
            connector.phases,
            connector.voltage_v,
            charger.rate_unit,
            charger.capabilities.purpose,
            charger.capabilities.stack_level,
        )
        for charger in station.chargers
        for connector in charger.connectors
    }
