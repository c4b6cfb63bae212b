"""How many clients may be connected, by what the system gives of descriptors."""

from __future__ import annotations

import resource

import pytest

from gateway.process.descriptors import RESERVE, most_connections


class Limits:
    """Stands in for the system's limit on descriptors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, *, fixed: bool = False) -> None:
        self.limits = (soft, hard)
        self._fixed = fixed
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.limits)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _: int, limits: tuple[int, int]) -> None:
        if self._fixed:
            raise ValueError("current limit exceeds maximum limit")
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "pools", "most"),
    [
        pytest.param(1024, 4096, 200, 4096 - 200 - RESERVE, id="raised"),
        pytest.param(4096, 4096, 200, 4096 - 200 - RESERVE, id="as it is"),
        pytest.param(256, 256, 200, 128, id="few: half are for clients"),
        pytest.param(1024, resource.RLIM_INFINITY, 200, (1 << 20) - 200 - RESERVE, id="no limit"),
    ],
)
def test_clients_leave_the_upstreams_theirs(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, pools: int, most: int
) -> None:
    """The limit is raised to the hard one; what pools and the process itself need is kept back."""
    limits = Limits(monkeypatch, soft, hard)
    assert most_connections(pools) == most
    assert limits.limits == (hard, hard)


def test_a_limit_that_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is made do with."""
    Limits(monkeypatch, 1024, 4096, fixed=True)
    assert most_connections(100) == 1024 - 100 - RESERVE
