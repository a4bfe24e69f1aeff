"""All input and output the core needs, as small protocols.

`protocol`, `storage` and `control` implement them; tests implement them with fakes. Nothing here
does anything. Times are UTC epoch seconds, powers watts, energies watt-hours.
"""

from csms.ports.archive import Archive, Frame, FrameLog, Quarantine, Quarantined
from csms.ports.chargers import Answer, ChargerLink, Exchange, LateAnswers, Outcome
from csms.ports.clock import Clock
from csms.ports.reports import (
    BootReport,
    BootVerdict,
    ChargerReport,
    Gate,
    Recorder,
    StartReport,
    StartVerdict,
    StopReport,
    Topic,
)
from csms.ports.security import (
    AUTHORIZATION_KEY,
    Admission,
    Approach,
    CertificateNames,
    Credential,
    Doorkeeper,
    Secret,
    SecurityEvent,
    SecurityProfile,
    SecurityStore,
)
from csms.ports.sessions import SessionStore, StoredSession
from csms.ports.store import (
    ChargerRecord,
    ConvictionStore,
    LedgerStore,
    LoopStore,
    Losses,
    ModelKey,
    StationStore,
    Store,
)
from csms.ports.tokens import IdToken, LocalListUpdate, TokenStatus, TokenStore

__all__ = [
    "AUTHORIZATION_KEY",
    "Admission",
    "Answer",
    "Approach",
    "Archive",
    "BootReport",
    "BootVerdict",
    "CertificateNames",
    "ChargerLink",
    "ChargerRecord",
    "ChargerReport",
    "Clock",
    "ConvictionStore",
    "Credential",
    "Doorkeeper",
    "Exchange",
    "Frame",
    "FrameLog",
    "Gate",
    "IdToken",
    "LateAnswers",
    "LedgerStore",
    "LocalListUpdate",
    "LoopStore",
    "Losses",
    "ModelKey",
    "Outcome",
    "Quarantine",
    "Quarantined",
    "Recorder",
    "Secret",
    "SecurityEvent",
    "SecurityProfile",
    "SecurityStore",
    "SessionStore",
    "StartReport",
    "StartVerdict",
    "StationStore",
    "StopReport",
    "Store",
    "StoredSession",
    "TokenStatus",
    "TokenStore",
    "Topic",
]
