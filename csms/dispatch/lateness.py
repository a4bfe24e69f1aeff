"""How long a reading was on its way, by its charger's own time for it.

Queues and clocks both make readings look late. What comes out of a queue comes faster than it was
taken, one reading less late than the one before. What comes from a wrong clock is always as late,
and is believed from the second reading on. When the clock was right a while ago the line may have
become slow instead: its readings are late then, but of use. OCPP 1.6 has no other means to tell
(interop E15, E18).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from csms.station.state import Reading

APART = 2
"""Two readings less than so many times the steadiness apart cannot tell a queue from a clock."""


@dataclass(frozen=True, slots=True)
class ChargerClock:
    """How a charger's clock stands to ours.

    `offset_s` is how late its readings are when nothing holds them up, `proven_at` when one last
    came as early (None: never). `anchor` is when a reading was received and how late it seemed, to
    compare the next one with.
    """

    offset_s: float = 0.0
    proven_at: float | None = None
    anchor: tuple[float, float] | None = None


def delay(
    clock: ChargerClock,
    reading: Reading,
    *,
    believed_s: float,
    steady_s: float,
    longest_s: float,
) -> tuple[ChargerClock, float | None]:
    """The clock with this reading, and its delay in seconds: None for a reading that is not of now.

    A delay up to `believed_s` is taken as it is. Beyond that a reading counts only when it is as
    late as the one before, to within `steady_s`; and for the clock's error rather than for a delay
    when that is above `longest_s` or has gone on for as long.
    """
    if reading.measured_at is None:
        return clock, 0.0
    late_s = reading.at - reading.measured_at
    delay_s = late_s - clock.offset_s
    anchor = (reading.at, late_s)
    if abs(delay_s) <= believed_s:
        proven_at = reading.at if delay_s <= steady_s else clock.proven_at
        return ChargerClock(min(clock.offset_s, late_s), proven_at, anchor), max(0.0, delay_s)
    if clock.anchor is not None and reading.at - clock.anchor[0] < APART * steady_s:
        return clock, None
    if clock.anchor is None or abs(late_s - clock.anchor[1]) > steady_s:
        return replace(clock, anchor=anchor), None
    proven = clock.proven_at is not None and reading.at - clock.proven_at <= longest_s
    if proven and 0 < delay_s <= longest_s:
        return replace(clock, anchor=anchor), delay_s
    return ChargerClock(late_s, reading.at, anchor), 0.0
