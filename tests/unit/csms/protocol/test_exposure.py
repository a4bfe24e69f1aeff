"""Who can reach an address."""

from __future__ import annotations

import pytest

from csms.protocol.exposure import Exposure, exposure


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.1", Exposure.LOOPBACK),
        ("127.9.9.9", Exposure.LOOPBACK),
        ("::1", Exposure.LOOPBACK),
        ("::ffff:127.0.0.1", Exposure.LOOPBACK),
        ("localhost", Exposure.LOOPBACK),
        ("10.1.2.3", Exposure.PRIVATE),
        ("192.168.1.1", Exposure.PRIVATE),
        ("172.16.0.1", Exposure.PRIVATE),
        ("169.254.1.1", Exposure.PRIVATE),
        ("fe80::1", Exposure.PRIVATE),
        ("fd00::1", Exposure.PRIVATE),
        ("0.0.0.0", Exposure.PUBLIC),  # noqa: S104
        ("::", Exposure.PUBLIC),
        ("8.8.8.8", Exposure.PUBLIC),
        ("2600::1", Exposure.PUBLIC),
        ("::ffff:8.8.8.8", Exposure.PUBLIC),
    ],
)
def test_how_far_an_address_reaches(host: str, reach: Exposure) -> None:
    assert exposure(host) is reach


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(OSError, match=r".+"):
        exposure("no such host.invalid")
