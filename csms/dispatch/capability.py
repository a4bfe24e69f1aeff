"""What is known of how a charger takes limits, and in which forms to try when it refuses one.

Real chargers take some forms of a charging profile and refuse others; which ones cannot be asked,
only tried. The forms to try, best first, are a `ladder`. What a charger takes and refuses is
learned into its `Capability`, which is kept, and which is a first guess for others of its model,
but for the proofs that others count on. A field at its default says nothing. Nothing learned is
believed for ever: whoever has refused the whole ladder is asked again from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic.alias_generators import to_camel

from csms.balancing.quantize import SMALLEST_STEP_A
from csms.dispatch.commands import Form, Kind, Purpose, Scope
from csms.station.model import Charger, Connector, CurrentType, RateUnit

OTHER_STACK_LEVELS = (1, 8)
"""Tried after level 0, which every charger has. What a charger says its highest level is, is only
taken for an upper bound: some refuse it."""

LARGEST_STEP_A = 32.0
LARGEST_NUMBER = 1_000_000


class Proof(StrEnum):
    """Whether a charger does a thing, as far as that has been shown."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class AtZero(StrEnum):
    """What a charger does with a limit of 0.

    PAUSE: it pauses and goes on later; MINIMUM: it gives its least power all the same; STOP: it
    ends the session, or must be told to.
    """

    PAUSE = "pause"
    MINIMUM = "minimum"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Pins:
    """What the operator has laid down, so that nothing else is tried; None where nothing is."""

    unit: RateUnit | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None
    periods: int | None = None
    lease: Proof | None = None


@dataclass(frozen=True, slots=True)
class Capability:
    """How one charger takes limits.

    - `unit`: of its AC connectors; see `unit_of`.
    - `session_form`, `default_form`: what worked last for a session's limit and for a fallback.
      None: begin at the top of the ladder. Their unit is that of the connector they worked on.
    - `lacks`: purposes it has said it does not know.
    - `step_a`: its step in amperes per phase. `at_zero`: what it does with a limit of 0.
    - `lease`: it obeys the second period with the socket closed. `survives_reconnect`,
      `survives_reboot`: its limits do. `answers`: it answers requests at all.
      `applies_default_at_once`: a TxDefaultProfile acts on the running session too.
    - `smart_charging`, `max_stack_level`, `max_periods`, `max_profiles`: what it says of itself.
    - `pins` are the station file's; they are not part of what is kept.
    """

    unit: RateUnit | None = None
    session_form: Form | None = None
    default_form: Form | None = None
    lacks: frozenset[Purpose] = frozenset()
    step_a: float = SMALLEST_STEP_A
    at_zero: AtZero = AtZero.PAUSE
    lease: Proof = Proof.UNKNOWN
    survives_reconnect: Proof = Proof.UNKNOWN
    survives_reboot: Proof = Proof.UNKNOWN
    answers: Proof = Proof.UNKNOWN
    applies_default_at_once: Proof = Proof.UNKNOWN
    smart_charging: Proof = Proof.UNKNOWN
    max_stack_level: int | None = None
    max_periods: int | None = None
    max_profiles: int | None = None
    pins: Pins = Pins()

    @property
    def shares_slot(self) -> bool:
        """Whether a session's limit and the fallback are one and the same profile.

        Then they are one limit: value and end of the session's, and the fallback after that. It is
        given out as `Scope.DEFAULT`, since it outlives the session.
        """
        if self.pins.purpose is not None:
            return self.pins.purpose is not Purpose.SESSION
        return self.session_form is not None and self.session_form.purpose is not Purpose.SESSION

    @property
    def session_scope(self) -> Scope:
        """The scope in which what limits a session is given out."""
        return Scope.DEFAULT if self.shares_slot else Scope.SESSION

    def trusts_end(self, form: Form) -> bool:
        """Whether a limit in this form is sure to end when it says: whether it is a lease."""
        return self.lease is Proof.YES and form.carries_end


_NOTHING = Capability()


def unit_of(connector: Connector, capability: Capability) -> RateUnit:
    """The unit limits on this connector are written in, or tried in first.

    As the operator says; otherwise DC takes watts, whatever an AC connector of the same charger
    takes: amperes at a DC connector mean watts only together with the voltage of the vehicle. AC
    takes what worked or what the charger says, otherwise amperes, which every AC charger knows.
    """
    if capability.pins.unit is not None:
        return capability.pins.unit
    if connector.current_type is CurrentType.DC:
        return RateUnit.WATTS
    return capability.unit or RateUnit.AMPERES


def floor_of(connector: Connector, capability: Capability) -> int:
    """What this connector may draw at any lower limit, in watts; 0 where a limit of 0 holds."""
    return connector.goes_on_with_w if capability.at_zero is AtZero.MINIMUM else 0


def trusts_resume(capability: Capability) -> bool:
    """Whether a charger is known to obey the limit that ends a pause: it was commissioned."""
    return capability.lease is Proof.YES


# ------------------------------------------------------------------------------ what to try


@lru_cache(maxsize=4_096)
def ladder(
    scope: Scope, connector: Connector, capability: Capability, *, alone: bool = False
) -> tuple[Form, ...]:
    """The forms to write a limit in, in the order to try them; never empty, without repeats.

    What worked last comes first. `alone` says that the charger has no other connector: only then
    may the charger as a whole be limited instead. Purposes the charger lacks are left out, unless
    it lacks them all.
    """
    forms = _forms(scope, connector, capability, alone=alone)
    usable = [form for form in forms if form.purpose not in capability.lacks]
    return tuple(usable or forms)


def _forms(
    scope: Scope, connector: Connector, capability: Capability, *, alone: bool
) -> list[Form]:
    unit = unit_of(connector, capability)
    worked = capability.session_form
    if scope is Scope.DEFAULT and not capability.shares_slot:
        worked = capability.default_form
    tried = _session_forms if scope is Scope.SESSION else _default_forms
    found = [replace(worked, unit=unit)] if worked is not None else []
    found += tried(unit, connector, capability)
    forms = [
        form
        for form in dict.fromkeys(_pinned(form, connector, capability) for form in found)
        if _can_carry(form, scope, alone=alone)
    ]
    wanted = capability.pins.purpose if scope is Scope.SESSION or capability.shares_slot else None
    return [form for form in forms if form.purpose is wanted] or forms


def _session_forms(unit: RateUnit, connector: Connector, capability: Capability) -> list[Form]:
    first = Form(Purpose.SESSION, unit)
    default = Form(Purpose.DEFAULT, unit)
    return [
        first,
        replace(first, periods=1),
        replace(first, kind=Kind.RELATIVE),
        *_on_other_levels(first, capability),
        replace(first, unit=_other(unit)),
        _telling_phases_otherwise(first, connector),
        default,
        replace(default, periods=1),
        Form(Purpose.CHARGER, unit, periods=1),
    ]


def _default_forms(unit: RateUnit, connector: Connector, capability: Capability) -> list[Form]:
    # A fallback has no end, unless it is the session's limit too.
    first = Form(Purpose.DEFAULT, unit, periods=2 if capability.shares_slot else 1)
    return [
        first,
        replace(first, periods=1),
        replace(first, kind=Kind.RELATIVE),
        replace(first, unit=_other(unit)),
        *_on_other_levels(first, capability),
        _telling_phases_otherwise(first, connector),
        Form(Purpose.CHARGER, unit, periods=1),
    ]


def _on_other_levels(form: Form, capability: Capability) -> list[Form]:
    highest = capability.max_stack_level
    levels = (n if highest is None else min(n, highest) for n in OTHER_STACK_LEVELS)
    return [replace(form, stack_level=level) for level in levels]


def _telling_phases_otherwise(form: Form, connector: Connector) -> Form:
    told = form.names_phases(connector.current_type, connector.phases)
    return replace(form, tells_phases=not told)


def _other(unit: RateUnit) -> RateUnit:
    return RateUnit.WATTS if unit is RateUnit.AMPERES else RateUnit.AMPERES


def _pinned(form: Form, connector: Connector, capability: Capability) -> Form:
    """The form with everything in it that is not open to trial."""
    pins = capability.pins
    periods = pins.periods or min(form.periods, capability.max_periods or form.periods)
    dc = connector.current_type is CurrentType.DC
    return replace(
        form,
        unit=unit_of(connector, capability) if dc or pins.unit is not None else form.unit,
        stack_level=form.stack_level if pins.stack_level is None else pins.stack_level,
        periods=periods if form.kind is Kind.ABSOLUTE else 1,
    )


def _can_carry(form: Form, scope: Scope, *, alone: bool) -> bool:
    if form.purpose is Purpose.CHARGER:
        return alone
    return scope is Scope.SESSION or form.purpose is Purpose.DEFAULT


# ------------------------------------------------------------------------------ what is learned


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a refusal teaches: what is known now, and the form to try next.

    `exhausted`: every form was refused, and the next one is the first again.
    """

    capability: Capability
    form: Form
    exhausted: bool = False


def after_refusal(
    capability: Capability,
    scope: Scope,
    connector: Connector,
    refused: Form,
    *,
    unsupported: bool = False,
    alone: bool = False,
) -> Lesson:
    """What to try after a charger has refused this form.

    `unsupported`: it said that it does not know such a thing (NotSupported, NotImplemented). Then
    no other form of the purpose is tried. A form that is not in the ladder any more, as something
    else was learned meanwhile, is followed by the first. A charger that has taken a session's own
    profile before is not given up on: it may not know the transaction yet, and a session that has
    such a profile could not be lowered by any other.
    """
    forms = ladder(scope, connector, capability, alone=alone)
    lacks = capability.lacks | ({refused.purpose} if unsupported else frozenset())
    learned = replace(capability, lacks=lacks, answers=Proof.YES)
    later = forms[forms.index(refused) + 1 :] if refused in forms else forms
    proven = capability.session_form is not None and not capability.shares_slot
    own_only = scope is Scope.SESSION and proven and Purpose.SESSION not in lacks
    for form in later:
        if form.purpose not in lacks and (form.purpose is Purpose.SESSION or not own_only):
            return Lesson(learned, form)
    again = replace(learned, lacks=frozenset())
    first = ladder(scope, connector, again, alone=alone)[0]
    return Lesson(again, first, exhausted=True)


def another_form(
    capability: Capability,
    scope: Scope,
    connector: Connector,
    ignored: Form,
    *,
    alone: bool = False,
) -> Form | None:
    """What to try when a charger accepts limits in this form and does not obey; None: nothing.

    Only forms of the same purpose on the same stack level: a profile elsewhere would stay beside
    the ignored one. A charger that was commissioned has shown that it obeys its form.
    """
    if capability.lease is Proof.YES:
        return None
    place = ignored.purpose, ignored.stack_level
    forms = ladder(scope, connector, capability, alone=alone)
    later = forms[forms.index(ignored) + 1 :] if ignored in forms else ()
    return next((form for form in later if (form.purpose, form.stack_level) == place), None)


def after_acceptance(
    capability: Capability, scope: Scope, connector: Connector, accepted: Form
) -> Capability:
    """What is known after a charger has accepted a limit in this form.

    That it obeys its end was shown of another form, if it was: then it must be shown again.
    """
    before = capability.session_form
    learned = replace(capability, answers=Proof.YES, lacks=capability.lacks - {accepted.purpose})
    if connector.current_type is CurrentType.AC:
        learned = replace(learned, unit=accepted.unit)
    if scope is Scope.DEFAULT:
        learned = replace(learned, default_form=accepted)
    if scope is Scope.SESSION or capability.shares_slot:
        learned = replace(learned, session_form=accepted)
        if before is not None and _timing(before) != _timing(accepted):
            learned = replace(learned, lease=capability.pins.lease or Proof.UNKNOWN)
    return learned


def _timing(form: Form) -> tuple[Purpose, Kind, int]:
    return form.purpose, form.kind, form.stack_level


def over(first: Capability, second: Capability) -> Capability:
    """The first, with what the second says wherever the first says nothing."""
    said = {name: value for name in _READERS if (value := _said(first, name)) is not None}
    return replace(second, **said)


def merge(
    charger: Charger, learned: Capability = _NOTHING, model: Capability = _NOTHING
) -> Capability:
    """All that is known of a charger: what is configured, what was learned of it, of its model."""
    told = charger.capabilities
    pins = Pins(
        unit=charger.rate_unit,
        purpose=None if told.purpose is None else Purpose(told.purpose),
        stack_level=told.stack_level,
        periods=told.periods,
        lease=_proof(told.lease),
    )
    known = over(learned, model)
    return replace(
        known,
        pins=pins,
        lease=pins.lease or known.lease,
        step_a=told.step_a or known.step_a,
        at_zero=known.at_zero if told.at_zero is None else AtZero(told.at_zero),
        survives_reconnect=_proof(told.survives_reconnect) or known.survives_reconnect,
        survives_reboot=_proof(told.survives_reboot) or known.survives_reboot,
    )


def _proof(told: bool | None) -> Proof | None:
    if told is None:
        return None
    return Proof.YES if told else Proof.NO


# ------------------------------------------------------------------------------ as JSON


def document(capability: Capability) -> dict[str, Any]:
    """What was learned, as JSON; what is not known and what is configured are left out."""
    said = {name: _said(capability, name) for name in _READERS}
    return {to_camel(name): _plain(value) for name, value in said.items() if value is not None}


def parse(stored: Mapping[str, Any]) -> Capability:
    """What `document` wrote. What another version wrote and this one cannot read is left out."""
    found: dict[str, Any] = {}
    for name, reader in _READERS.items():
        try:
            found[name] = reader(stored[to_camel(name)])
        except (KeyError, TypeError, ValueError):
            continue
    return Capability(**found)


def _said(capability: Capability, name: str) -> Any:
    value = getattr(capability, name)
    return None if value == getattr(_NOTHING, name) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Form):
        return {to_camel(f.name): _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    return value.value if isinstance(value, StrEnum) else value


def _form(value: Any) -> Form:
    # A form of which a part cannot be read would be another form: then it is left out as a whole.
    keys = {name: to_camel(name) for name in _FORM_READERS}
    return Form(**{n: _FORM_READERS[n](value[key]) for n, key in keys.items() if key in value})


def _purposes(value: Any) -> frozenset[Purpose]:
    return frozenset(Purpose(item) for item in value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise ValueError(f"not a whole number from 0 on: {value!r}")
    return value


def _step(value: Any) -> float:
    step_a = float(value)
    if not SMALLEST_STEP_A <= step_a <= LARGEST_STEP_A:
        raise ValueError(f"not a step in amperes: {value!r}")
    return step_a


def _told(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"neither told nor not told: {value!r}")
    return value


_FORM_READERS: Mapping[str, Callable[[Any], Any]] = {
    "purpose": Purpose,
    "unit": RateUnit,
    "stack_level": _whole,
    "periods": _whole,
    "kind": Kind,
    "tells_phases": _told,
}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "unit": RateUnit,
    "session_form": _form,
    "default_form": _form,
    "lacks": _purposes,
    "step_a": _step,
    "at_zero": AtZero,
    "lease": Proof,
    "survives_reconnect": Proof,
    "survives_reboot": Proof,
    "answers": Proof,
    "applies_default_at_once": Proof,
    "smart_charging": Proof,
    "max_stack_level": _whole,
    "max_periods": _whole,
    "max_profiles": _whole,
}
"""Every field that is kept, and how its JSON is read."""
