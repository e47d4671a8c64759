"""The link: when it is opened, watched, closed and opened again (OCPP-J §3.2, §5.3; digest §1.1, §1.4)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rig import Rig


def test_back_off_doubles_from_2_s_to_60_s() -> None:
    """Digest §1.1: quick at first, then patient; up to 3 s at random so that stations do not come at once."""
    rig = Rig()
    rig.cs.attempts.clear()
    rig.cut()
    rig.after(600)
    waits = [later - earlier - rig.cs.delay for earlier, later in pairwise(rig.cs.attempts)]
    assert len(waits) >= 8
    for number, wait in enumerate(waits):
        least = min(60, 2 * 2**number)
        assert least - 0.01 <= wait <= least + 3.01


def test_back_off_begins_anew_after_a_link_that_opened() -> None:
    """Digest §1.1: reset after a successful open."""
    rig = Rig()
    rig.cut()
    rig.after(200)
    rig.mend()
    assert rig.cs.linked
    rig.cs.attempts.clear()
    rig.cut()
    rig.after(6)
    assert len(rig.cs.attempts) == 2


def test_an_attempt_without_any_outcome_is_given_up_after_45_s() -> None:
    """A connection that neither opens nor fails must not end all attempts."""
    rig = Rig(start=False)
    rig.cs.deaf = True
    rig.driver.start()
    rig.after(44)
    assert rig.state("link") == "Connecting"
    rig.after(2)
    assert rig.state("link") == "Waiting"
    rig.cs.deaf = False
    rig.after(8)
    assert rig.state("link") == "Up"


def test_pings_at_the_interval() -> None:
    """§9.1.34: WebSocketPingInterval s between pings; a new value counts at once; 0 ends them."""
    rig = Rig(WebSocketPingInterval="30")
    rig.after(100)
    assert [later - earlier for earlier, later in pairwise(rig.cs.pings)] == pytest.approx([30, 30])
    rig.call("ChangeConfiguration", key="WebSocketPingInterval", value="7")
    before = len(rig.cs.pings)
    rig.after(21)
    assert len(rig.cs.pings) - before == 3
    rig.call("ChangeConfiguration", key="WebSocketPingInterval", value="0")
    before = len(rig.cs.pings)
    rig.after(1000)
    assert len(rig.cs.pings) == before


@pytest.mark.parametrize("times", [1, 2])
def test_new_settings_are_used_at_once(times: int) -> None:
    """Another URL or password: the link is closed and opened with it."""
    rig = Rig()
    for _ in range(times):
        rig.wires("link.settings_changed")
        rig.after(1)
    assert rig.state("link") == "Up"
    assert len(rig.cs.attempts) == 1 + times
    assert rig.log("BootNotification") == ["BootNotification"]


def test_a_lost_link_takes_the_answers_owed_with_it() -> None:
    """OCPP-J §4.1: an answer belongs to the connection on which the CALL came."""
    rig = Rig()
    rig.session()
    assert rig.call("UnlockConnector", connectorId=1) is None
    rig.cut()
    rig.after(10)
    assert rig.answer() is None
    rig.mend()
    assert rig.answer() is None
    assert rig.told()[-1] == "Finishing"
