"""The decision table of authorization, row by row, and what the cache, groups and readers add to it.

The expected results come from `decision`, written from the digest (§2.4) and not from the charts. Every
combination of keys, knowledge and answers is played with a whole station.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from rig import MemoryStorage, Rig

from charger.clock import VirtualClock
from charger.functions import authorization
from charger.functions.times import to_seconds, to_text

STATUSES = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
KNOWLEDGE = ("unknown", "expired by time", *STATUSES)
ANSWERS = (*STATUSES, "timeout", "error", "offline")
"""What comes of an Authorize.req; offline: there is no link."""
TAG = "04a2B3c4"
LEARNT = 1_800_000_000.0
"""When the cache learnt, epoch s; a tag that expires by time expires 60 s later."""


def info(status: str = "Accepted", **more: str) -> dict[str, Any]:
    return {"idTagInfo": {"status": status, **more}}


# -- the table ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One combination of what the decision depends on."""

    known: str
    answer: str
    pre: bool = False
    """LocalPreAuthorize."""
    local: bool = True
    """LocalAuthorizeOffline."""
    strangers: bool = False
    """AllowOfflineTxForUnknownId."""
    cache: bool = True
    """AuthorizationCacheEnabled."""
    remote: bool = True
    """AuthorizeRemoteTxRequests."""

    def keys(self) -> dict[str, str]:
        return {
            "LocalPreAuthorize": str(self.pre).lower(),
            "LocalAuthorizeOffline": str(self.local).lower(),
            "AllowOfflineTxForUnknownId": str(self.strangers).lower(),
            "AuthorizationCacheEnabled": str(self.cache).lower(),
            "AuthorizeRemoteTxRequests": str(self.remote).lower(),
            "MessageTimeout": "5",
        }


def decision(case: Case) -> tuple[bool, bool]:
    """Whether a transaction starts and whether Authorize.req is sent (digest §2.4)."""
    known = case.known if case.cache else "unknown"  # cache off: neither used nor filled
    if case.answer != "offline":
        if case.pre and known == "Accepted":
            return True, False
        if case.answer in STATUSES:
            return case.answer == "Accepted", True
    asked = case.answer != "offline"  # in vain: silence and CALLERROR are decided like offline
    if known == "unknown":
        return case.strangers, asked
    return case.local and known == "Accepted", asked


def combinations(known: str, answer: str) -> Iterator[Case]:
    """Every setting of the keys that can make a difference or be suspected of making one."""
    for pre, local, strangers, enabled in itertools.product((False, True), repeat=4):
        if answer in STATUSES and local != strangers:
            continue  # both are about being offline: all or none is enough
        if not enabled and known not in {"unknown", "Accepted", "Blocked"}:
            continue  # a cache that is not used: one valid entry and one other are enough
        yield Case(known, answer, pre, local, strangers, enabled)


@cache
def learnt(known: str, connectors: int) -> dict[tuple[str, str], Any]:
    """The durable facts of a station that the Central System has told of the tag."""
    rig = Rig(connectors, clock=VirtualClock(LEARNT))
    if known == "expired by time":
        rig.cs.answers["Authorize"] = info(expiryDate=to_text(LEARNT + 60))
    else:
        rig.cs.answers["Authorize"] = info(known)
    if known != "unknown":
        rig.swipe(TAG.upper())
    return dict(rig.storage.facts)


def station(case: Case, connectors: int = 1) -> Rig:
    """The power is back after an hour: only what was stored is known."""
    storage = MemoryStorage()
    storage.facts = dict(learnt(case.known, connectors))
    rig = Rig(connectors, storage=storage, clock=VirtualClock(LEARNT + 3600), **case.keys())
    rig.cs.answers["Authorize"] = info(case.answer) if case.answer in STATUSES else case.answer
    if case.answer == "offline":
        rig.cut()
    return rig


def plug_first(rig: Rig) -> None:
    rig.plug()
    rig.swipe(TAG)
    rig.after(6)


def tag_first(rig: Rig) -> None:
    rig.swipe(TAG)
    rig.after(6)
    rig.plug()
    rig.after(2)


def at_its_own_reader(rig: Rig) -> None:
    rig.plug(1)
    rig.swipe(TAG, 1)
    rig.after(6)


def remote_plug_first(rig: Rig) -> None:
    rig.plug()
    assert rig.call("RemoteStartTransaction", idTag=TAG, connectorId=1) == {"status": "Accepted"}
    rig.after(8)


def remote_tag_first(rig: Rig) -> None:
    assert rig.call("RemoteStartTransaction", idTag=TAG) == {"status": "Accepted"}
    rig.after(6)
    rig.plug()
    rig.after(2)


def outcome(rig: Rig) -> tuple[bool, bool]:
    """As the Central System and the meter see it, and as it is on disk: all must agree."""
    started = rig.status(1) == "Charging"
    assert (rig.hardware.describe(1)["contactor"] == "closed") is started
    assert (("transaction", "1") in rig.storage.facts) is started
    if not started:
        assert rig.status(1) == "Preparing"
    if rig.cs.linked:
        starts = rig.sent("StartTransaction")
        assert [start["idTag"] for start in starts] == ([TAG] if started else [])
    asked = rig.sent("Authorize")
    assert asked in ([], [{"idTag": TAG}])
    return started, bool(asked)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("known", KNOWLEDGE)
@pytest.mark.parametrize("come", [plug_first, tag_first])
def test_the_decision_table_of_cards(come: Any, known: str, answer: str) -> None:
    """Digest §2.4: who starts, and who is asked about."""
    wrong = {}
    for case in combinations(known, answer):
        rig = station(case)
        come(rig)
        if (found := outcome(rig)) != decision(case):
            wrong[case] = found
    assert wrong == {}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("come", [tag_first, at_its_own_reader])
def test_with_several_connectors_the_decision_is_the_same(come: Any, answer: str) -> None:
    """Digest §2.4: which connector it is for, and at which reader, makes no difference to who may start."""
    for known in KNOWLEDGE:
        for pre, other in ((False, True), (True, False)):
            case = Case(known, answer, pre, local=other, strangers=other)
            rig = station(case, 2)
            come(rig)
            assert outcome(rig) == decision(case), case


@pytest.mark.parametrize("answer", [answer for answer in ANSWERS if answer != "offline"])
@pytest.mark.parametrize("known", ["unknown", "expired by time", "Accepted", "Blocked"])
@pytest.mark.parametrize("come", [remote_plug_first, remote_tag_first])
def test_the_decision_table_of_remote_starts(come: Any, known: str, answer: str) -> None:
    """Digest §2.8: AuthorizeRemoteTxRequests true: as for a card; false: nobody is asked, it starts."""
    wrong = {}
    for case in combinations(known, answer):
        rig = station(case)
        come(rig)
        if (found := outcome(rig)) != decision(case):
            wrong[case] = found
    assert wrong == {}
    for pre, strangers in itertools.product((False, True), repeat=2):
        case = Case(known, answer, pre, local=strangers, strangers=strangers, remote=False)
        rig = station(case)
        come(rig)
        assert outcome(rig) == (True, False), case


def test_the_table_has_every_row() -> None:
    """The product is what it is meant to be: of each kind of row there are cases."""
    cases = [case for known in KNOWLEDGE for answer in ANSWERS for case in combinations(known, answer)]
    assert len(cases) == len(set(cases))
    assert {decision(case) for case in cases} == set(itertools.product((False, True), repeat=2))
    assert {(case.known, case.answer) for case in cases} == set(itertools.product(KNOWLEDGE, ANSWERS))
    assert len(cases) >= 400


@pytest.mark.parametrize("key", ["AuthorizationCacheEnabled", "AllowOfflineTxForUnknownId"])
def test_an_optional_key_that_is_not_offered_counts_as_false(key: str) -> None:
    """Digest §2.12: absent means that the feature is missing."""
    storage = MemoryStorage()
    storage.facts = dict(learnt("Accepted" if "Cache" in key else "unknown", 1))
    rig = Rig(1, storage=storage, clock=VirtualClock(LEARNT + 3600), **{key: None})
    rig.cut()
    plug_first(rig)
    assert outcome(rig) == (False, False)


def test_a_blocked_tag_of_a_cache_that_is_switched_off_is_a_stranger() -> None:
    """Digest §2.4: off, the cache is not used; AllowOfflineTxForUnknownId is about everybody then."""
    rig = station(Case("Blocked", "offline", strangers=True, cache=False))
    plug_first(rig)
    assert outcome(rig) == (True, False)


# -- what the cache learns ----------------------------------------------------------------------------------


def told_by_authorize(rig: Rig, word: dict[str, Any]) -> None:
    rig.cs.answers["Authorize"] = word
    rig.swipe(TAG)
    rig.after(1)
    if word["idTagInfo"]["status"] == "Accepted":
        rig.swipe(TAG)


def told_by_start(rig: Rig, word: dict[str, Any]) -> None:
    rig.cs.answers["StartTransaction"] = {"transactionId": 77, **word}
    assert rig.call("RemoteStartTransaction", idTag=TAG, connectorId=1) == {"status": "Accepted"}
    rig.plug()
    rig.after(3)
    rig.call("RemoteStopTransaction", transactionId=77)
    rig.after(5)
    rig.unplug()


def told_by_stop(rig: Rig, word: dict[str, Any]) -> None:
    """The start said the opposite."""
    opposite = "Blocked" if word["idTagInfo"]["status"] == "Accepted" else "Accepted"
    rig.cs.answers["StartTransaction"] = {"transactionId": 77, **info(opposite)}
    rig.cs.answers["StopTransaction"] = word
    assert rig.call("RemoteStartTransaction", idTag=TAG, connectorId=1) == {"status": "Accepted"}
    rig.plug()
    rig.after(3)
    rig.swipe(TAG)
    rig.after(5)
    rig.unplug()


SOURCES = [told_by_authorize, told_by_start, told_by_stop]


def taught(source: Any, word: dict[str, Any], **keys: str) -> Rig:
    """A station that heard that word about the tag, from that message only, and then lost power and link."""
    rig = Rig(1, AuthorizeRemoteTxRequests="false", StopTransactionOnInvalidId="false", **keys)
    source(rig, word)
    rig.after(3)
    assert rig.status() == "Available"
    rig = rig.power_cut(10)
    rig.cut()
    return rig


def starts_offline(rig: Rig, tag: str = TAG) -> bool:
    rig.plug()
    rig.swipe(tag)
    rig.after(5)
    return rig.status() == "Charging"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("source", SOURCES)
def test_the_cache_is_filled_by_every_answer_with_a_word_about_a_tag(source: Any, status: str) -> None:
    """Digest §2.4: Authorize, StartTransaction and StopTransaction.conf, valid or not, over a power cut."""
    rig = taught(source, info(status), AllowOfflineTxForUnknownId="true")
    assert starts_offline(rig) is (status == "Accepted")
    rig = taught(source, info(status), AllowOfflineTxForUnknownId="false")
    assert starts_offline(rig) is (status == "Accepted")


@pytest.mark.parametrize("source", SOURCES)
def test_the_expiry_comes_with_every_answer(source: Any) -> None:
    """Digest §2.4: when expiryDate passes, the status becomes Expired, also while the power is away."""
    word = info(expiryDate=to_text(1_800_000_000 + 300))
    rig = taught(source, word, AllowOfflineTxForUnknownId="true")
    assert starts_offline(rig)
    rig = taught(source, word, AllowOfflineTxForUnknownId="true")
    rig.after(300)
    assert not starts_offline(rig)


@pytest.mark.parametrize("source", SOURCES)
def test_a_switched_off_cache_is_not_filled(source: Any) -> None:
    """Digest §2.4: with AuthorizationCacheEnabled false it is not filled; switched on later, it is empty."""
    rig = taught(source, info(), AuthorizationCacheEnabled="false")
    rig = rig.power_cut(10, AuthorizationCacheEnabled="true")
    rig.cut()
    assert not starts_offline(rig)


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_no_answer_teaches_nothing(answer: str) -> None:
    """Digest §2.4: what was known before stays as it was."""
    rig = station(Case("Accepted", answer))
    plug_first(rig)
    rig.swipe(TAG)
    rig.after(5)
    rig.unplug()
    rig = rig.power_cut(10)
    rig.cut()
    assert starts_offline(rig)


@pytest.mark.parametrize("expiry", ["1999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_card_that_expired_long_ago_has_expired(expiry: str) -> None:
    """§3.5.1: an expiryDate is no time to set a clock by; any year will do."""
    rig = Rig(1, LocalPreAuthorize="true")
    rig.cs.answers["Authorize"] = info(expiryDate=expiry)
    rig.swipe("TAG", 1)
    rig.swipe("TAG", 1)  # cancels
    found = rig.facts.cache.find("TAG", rig.facts.time)
    assert found is not None
    assert found.status == "Expired"


def test_a_newer_word_takes_the_expiry_away() -> None:
    """Digest §2.4: updated on each answer."""
    rig = Rig(1)
    told_by_authorize(rig, info(expiryDate=to_text(1_800_000_000 + 60)))
    told_by_authorize(rig, info())
    rig.after(120)
    rig.cut()
    assert starts_offline(rig)


def test_an_expiry_that_is_over_when_it_comes() -> None:
    """Digest §2.4: online the answer counts; offline the tag has expired."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true")
    past = info(expiryDate="2020-01-01T00:00:00Z")
    rig.cs.answers |= {"Authorize": past, "StartTransaction": {"transactionId": 5, **past}}
    rig.session(tag=TAG)
    rig.swipe(TAG)
    rig.after(5)
    rig.unplug()
    rig.cut()
    assert not starts_offline(rig)


def test_an_expiry_during_a_transaction_ends_nothing() -> None:
    """Digest §2.4 is about starting; the card still stops what it started, without being asked for."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(expiryDate=to_text(1_800_000_000 + 60))
    rig.session(tag=TAG)
    rig.after(120)
    assert rig.status() == "Charging"
    rig.forget()
    rig.swipe(TAG)
    rig.after(5)
    assert rig.log("Authorize", "StopTransaction") == ["StopTransaction"]


def test_an_expiry_is_told_by_the_clock_of_the_central_system() -> None:
    """Digest §2.3: a clock that is set forward lets tags expire at once."""
    rig = Rig(1, HeartbeatInterval="60")
    told_by_authorize(rig, info(expiryDate=to_text(1_800_000_000 + 86_400)))
    rig.cs.answers["Heartbeat"] = {"currentTime": to_text(1_800_000_000 + 90_000)}
    rig.after(301)
    assert rig.log("Heartbeat") == ["Heartbeat"]
    rig.cut()
    assert not starts_offline(rig)


# -- a full cache -----------------------------------------------------------------------------------------


def tell(rig: Rig, tag: str, word: dict[str, Any]) -> None:
    """The Central System says something about a tag, and nobody charges."""
    rig.cs.answers["Authorize"] = word
    rig.swipe(tag)
    if word["idTagInfo"]["status"] == "Accepted":
        rig.swipe(tag)


def remembered(rig: Rig, tags: str) -> str:
    """Which of these tags the station still knows, valid or not: strangers may start offline, they may not."""
    rig.call("ChangeConfiguration", key="AllowOfflineTxForUnknownId", value="true")
    rig.call("ChangeConfiguration", key="LocalAuthorizeOffline", value="false")
    rig.cut()
    found = ""
    for tag in tags:
        rig.swipe(tag)
        if rig.facts.display == "refused":
            found += tag
        else:
            rig.swipe(tag)
        rig.after(15)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A cache of three tags."""
    monkeypatch.setattr(authorization, "CACHE_SIZE", 3)
    return Rig(2)


def test_a_full_cache_gives_up_the_not_valid_first(small: Rig) -> None:
    """Digest §2.4."""
    for tag, status in zip("ABCDE", ["Accepted", "Invalid", "Blocked", "Accepted", "Accepted"], strict=True):
        tell(small, tag, info(status))
    assert remembered(small, "ABCDE") == "ADE"


def test_a_full_cache_gives_up_the_oldest_valid_when_all_are(small: Rig) -> None:
    """Digest §2.4."""
    for tag in "ABCD":
        tell(small, tag, info())
    assert remembered(small, "ABCD") == "BCD"


def test_a_tag_that_is_known_pushes_nobody_out(small: Rig) -> None:
    """Digest §2.4: a newer word is an update."""
    for tag in "ABC":
        tell(small, tag, info())
    tell(small, "b", info("Blocked"))
    assert remembered(small, "ABC") == "ABC"


def test_a_full_cache_gives_up_what_expired_by_time_before_what_is_valid(small: Rig) -> None:
    """Digest §2.4: when expiryDate passes the status becomes Expired, so that it is not valid."""
    tell(small, "A", info())
    tell(small, "B", info(expiryDate=to_text(1_800_000_000 + 60)))
    tell(small, "C", info())
    small.after(120)
    tell(small, "D", info())
    assert remembered(small, "ABCD") == "ACD"


def test_the_order_in_a_full_cache_survives_a_power_cut(small: Rig) -> None:
    """Digest §2.4: the oldest stays the oldest."""
    for tag in "CAB":
        tell(small, tag, info())
    rig = small.power_cut()
    tell(rig, "D", info())
    assert remembered(rig, "ABCD") == "ABD"


# -- ClearCache ---------------------------------------------------------------------------------------------


def test_clear_cache_is_durable_and_forgets_what_is_not_valid_too() -> None:
    """Digest §2.4: emptied; a power cut brings nothing back."""
    rig = Rig(1)
    for tag, status in zip("ABCDE", STATUSES, strict=True):
        tell(rig, tag, info(status))
    assert rig.call("ClearCache") == {"status": "Accepted"}
    rig = rig.power_cut(1)
    assert remembered(rig, "ABCDE") == ""


def test_clear_cache_of_an_empty_cache() -> None:
    """Digest §2.4: nothing to forget is no reason to refuse."""
    assert Rig().call("ClearCache") == {"status": "Accepted"}


def test_clear_cache_of_a_cache_that_was_switched_off() -> None:
    """Digest §2.4, decision: Accepted, and it is emptied; switched on again it knows nobody."""
    rig = Rig(1)
    tell(rig, TAG, info())
    rig.call("ChangeConfiguration", key="AuthorizationCacheEnabled", value="false")
    assert rig.call("ClearCache") == {"status": "Accepted"}
    rig.call("ChangeConfiguration", key="AuthorizationCacheEnabled", value="true")
    rig.cut()
    assert not starts_offline(rig)


def test_clear_cache_does_not_end_what_is_running() -> None:
    """Digest §2.4: the cache is about starting; the card stops, and so does its group."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(tag="ONE")
    assert rig.call("ClearCache") == {"status": "Accepted"}
    rig.after(30)
    assert rig.status() == "Charging"
    rig.swipe("TWO")
    rig.after(5)
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["TWO"]


# -- case ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("presented", ["04a2b3", "04A2B3", "04a2B3"])
def test_tags_are_known_in_any_case(presented: str) -> None:
    """Digest §2.0: case is folded to compare, offline as well as online, and stays as presented."""
    rig = Rig(1)
    tell(rig, "04A2b3", info())
    rig.cut()
    assert starts_offline(rig, presented)
    rig.mend()
    assert rig.sent("StartTransaction")[0]["idTag"] == presented


@pytest.mark.parametrize("tag", ["-", "tag with blanks", "04A2B3C4D5E6F708091A", "#1%2&3"])
def test_any_text_is_a_tag(tag: str) -> None:
    """Digest §2.0: up to 20 characters of free content."""
    rig = Rig(1, LocalPreAuthorize="true")
    tell(rig, tag, info())
    rig.forget()
    rig.session(tag=tag)
    assert rig.log("Authorize") == []
    assert rig.sent("StartTransaction")[0]["idTag"] == tag


# -- groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["Authorize", "StartTransaction"])
@pytest.mark.parametrize("online", [True, False])
def test_the_parent_is_learnt_from_either_answer(source: str, *, online: bool) -> None:
    """Digest §2.4: Authorize.conf or StartTransaction.conf; offline from the cache."""
    rig = Rig(2)
    tell(rig, "TWO", info(parentIdTag="FAMILY"))
    rig.cs.answers["Authorize"] = info(**({"parentIdTag": "family"} if source == "Authorize" else {}))
    if source == "StartTransaction":
        rig.cs.answers["StartTransaction"] = {"transactionId": 9, **info(parentIdTag="Family")}
    rig.session(2, "ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="FAMILY")
    if not online:
        rig.cut()
    rig.swipe("TWO")
    rig.after(5)
    if not online:
        rig.mend()
    assert [(stop["idTag"], stop["reason"]) for stop in rig.sent("StopTransaction")] == [("TWO", "Local")]


def test_a_parent_is_not_compared_with_a_presented_tag() -> None:
    """Digest §2.4, §3.10: the tag of the group itself, or a tag whose parent is the starting tag, stop nothing."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(parentIdTag="FAMILY")
    rig.session(tag="ONE")
    for tag, parent in (("FAMILY", None), ("TWO", "ONE"), ("FAMILY", "ONE")):
        rig.cs.answers["Authorize"] = info(parentIdTag=parent) if parent else info()
        rig.swipe(tag)
        rig.after(5)
        assert rig.status() == "Charging", (tag, parent)
    assert rig.log("StopTransaction") == []


def test_a_tag_whose_parent_started_without_a_group_stops_nothing() -> None:
    """Digest §2.4: the parent of a tag is not the tag of a transaction."""
    rig = Rig(2)
    rig.session(1, "ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="ONE")
    rig.swipe("TWO")
    rig.after(5)
    assert rig.log("StopTransaction") == []
    assert rig.status(1) == "Charging"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "Accepted"])
def test_a_refused_card_of_the_group_stops_nothing(status: str) -> None:
    """Digest §2.4: Authorize status other than Accepted."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(tag="ONE")
    rig.cs.answers["Authorize"] = info(status, parentIdTag="Family")
    rig.swipe("TWO")
    rig.after(5)
    assert rig.log("StopTransaction") == []


def test_offline_a_group_not_known_here_does_not_stop() -> None:
    """Digest §2.4: only if the parent is known locally; not even when strangers may start."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true")
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(tag="ONE")
    rig.cut()
    rig.swipe("TWO")
    rig.after(5)
    assert rig.status() == "Charging"


# -- another tag while it charges (TC_068) --------------------------------------------------------------------


def test_a_reader_that_serves_only_a_charging_connector_asks_for_nobody_else() -> None:
    """Test TC_068: no StopTransaction and no Authorize.req, though the connector beside it is free."""
    rig = Rig(2)
    rig.session(1, "ONE")
    rig.forget()
    rig.swipe("TWO", 1)
    rig.after(5)
    assert rig.log() == []
    assert (rig.status(1), rig.status(2)) == ("Charging", "Available")


def test_a_reader_of_its_own_does_not_ask_because_of_a_group_elsewhere() -> None:
    """Test TC_068 with §2.4: the group charges at the other connector, at the other reader."""
    rig = Rig(2)
    rig.session(1, "ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(2, "TWO")
    rig.forget()
    rig.swipe("THREE", 1)
    rig.after(5)
    assert rig.log() == []
    assert (rig.status(1), rig.status(2)) == ("Charging", "Charging")


def test_a_reader_of_its_own_stops_for_the_group() -> None:
    """Test TC_069: with a known parent another card is asked for, at the reader of that connector too."""
    rig = Rig(2)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(1, "ONE")
    rig.swipe("TWO", 1)
    rig.after(5)
    assert [request["idTag"] for request in rig.sent("Authorize")] == ["ONE", "TWO"]
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["TWO"]


def test_a_shared_reader_asks_while_another_connector_is_free() -> None:
    """Digest §2.4: the other tag may want the connector that is free."""
    rig = Rig(2)
    rig.session(1, "ONE")
    rig.forget()
    rig.swipe("TWO")
    rig.after(1)
    assert rig.sent("Authorize") == [{"idTag": "TWO"}]
    rig.plug(2)
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Charging")
    assert rig.log("StopTransaction") == []


@pytest.mark.parametrize("reader", [None, 1])
def test_another_tag_offline_stops_nothing(reader: int | None) -> None:
    """Digest §2.4: nor does a stranger who may start offline."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true")
    rig.session(1, "ONE")
    rig.cut()
    rig.swipe("TWO", reader)
    rig.after(5)
    assert rig.status(1) == "Charging"
    rig.mend()
    assert rig.log("StopTransaction") == []


@pytest.mark.parametrize("reader", [None, 1])
def test_the_card_that_started_stops_at_either_reader(reader: int | None) -> None:
    """Digest §2.4: no Authorize.req for the tag that started."""
    rig = Rig(2)
    rig.session(1, "One")
    rig.forget()
    rig.swipe("oNE", reader)
    rig.after(5)
    assert rig.log("Authorize", "StopTransaction") == ["StopTransaction"]
    assert rig.sent("StopTransaction")[0]["idTag"] == "oNE"


# -- readers, plugs and ConnectionTimeOut ------------------------------------------------------------------------


def test_a_tag_at_a_reader_of_its_own_waits_for_that_connector() -> None:
    """Digest §2.4: bound to the connector of the reader; a plug elsewhere is somebody else's."""
    rig = Rig(2)
    rig.swipe("ONE", 2)
    assert (rig.status(1), rig.status(2)) == ("Available", "Preparing")
    rig.plug(1)
    rig.after(3)
    assert rig.status(1) == "Preparing"
    rig.plug(2)
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Preparing", "Charging")


@pytest.mark.parametrize(("connectors", "reader"), [(1, None), (2, 2), (2, None)])
def test_a_second_presentation_cancels_and_a_third_begins_anew(connectors: int, reader: int | None) -> None:
    """Digest §2.4, B1: whoever is at whichever reader, before plugging."""
    rig = Rig(connectors)
    connector = reader or 1
    for _ in range(2):
        rig.swipe("ONE", reader)
        rig.swipe("one", reader)
        rig.after(3)
        assert rig.status(connector) == "Available"
    rig.swipe("ONE", reader)
    rig.plug(connector)
    rig.after(3)
    assert rig.status(connector) == "Charging"
    assert len(rig.sent("StartTransaction")) == 1


def given_up(rig: Rig) -> int | None:
    """After how many whole s nobody waits for a plug any more; None: after 50 s still."""
    for seconds in range(1, 51):
        rig.after(1)
        if rig.status(1) == "Available" and not rig.facts.awaiting:
            return seconds
    return None


@pytest.mark.parametrize("value", ["0", "10", "20"])
@pytest.mark.parametrize(("connectors", "reader"), [(1, None), (2, 1), (2, None)])
def test_connection_time_out_after_the_tag(connectors: int, reader: int | None, value: str) -> None:
    """Digest §2.9: from Preparing (or the acceptance, at a shared reader) on; 0: no timeout."""
    rig = Rig(connectors, ConnectionTimeOut=value)
    rig.swipe("ONE", reader)  # takes a second
    assert given_up(rig) in ({None} if value == "0" else {int(value) - 1, int(value)})
    rig.plug(1)
    rig.after(5)
    assert rig.status(1) == ("Charging" if value == "0" else "Preparing")
    told = ["Available", "Preparing"] if connectors == 1 or reader else ["Available"]
    assert rig.told(1)[: len(told)] == told


@pytest.mark.parametrize("value", ["0", "10", "20"])
def test_connection_time_out_after_the_plug(value: str) -> None:
    """Digest §2.9, B6: Finishing after the timeout; in time, the tag starts; 0: no timeout."""
    rig = Rig(2, ConnectionTimeOut=value)
    rig.plug(1)
    rig.after(max(0, int(value) - 3))
    assert rig.status(1) == "Preparing"
    rig.after(3)
    assert rig.status(1) == ("Preparing" if value == "0" else "Finishing")


def test_after_its_timeout_a_plug_is_nobody_s() -> None:
    """B6: a later tag waits for the next plug at a shared reader, and does not start where the old one is."""
    rig = Rig(2, ConnectionTimeOut="10")
    rig.plug(1)
    rig.after(11)
    rig.swipe("ONE")
    rig.after(2)
    assert rig.status(1) == "Finishing"
    rig.plug(2)
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Finishing", "Charging")


@pytest.mark.parametrize("answer", [status for status in STATUSES if status != "Accepted"])
def test_a_refused_tag_does_not_lengthen_the_timeout(answer: str) -> None:
    """Digest §2.9: it counts from Preparing."""
    rig = Rig(1, ConnectionTimeOut="20")
    rig.cs.answers["Authorize"] = info(answer)
    rig.plug()
    rig.after(10)
    rig.swipe("ONE")
    rig.after(10)
    assert rig.told() == ["Available", "Preparing", "Finishing"]


def test_a_tag_refused_while_another_may_come() -> None:
    """Digest §2.4: the next card is decided upon by itself."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = lambda request: info("Accepted" if request["idTag"] == "TWO" else "Blocked")
    rig.plug()
    for tag in ("ONE", "ONE", "TWO"):
        rig.swipe(tag)
    rig.after(3)
    assert [request["idTag"] for request in rig.sent("Authorize")] == ["ONE", "ONE", "TWO"]
    assert [start["idTag"] for start in rig.sent("StartTransaction")] == ["TWO"]


def test_energy_flows_after_the_authorization_only() -> None:
    """Digest §2.4, §4.1: neither the lock nor the contactor nor an offer before the answer."""
    rig = Rig(1, MessageTimeout="30")
    rig.cs.answers["Authorize"] = "timeout"
    rig.plug()
    rig.swipe(TAG)
    rig.after(20)
    wires = rig.hardware.describe(1)
    assert (wires["contactor"], wires["pilot_amps"], wires["meter"]["energy_wh"]) == ("open", 0, 0)
    rig = Rig(1)
    rig.session(tag=TAG)
    [asked], [started] = rig.when("Authorize"), rig.when("StartTransaction")
    assert asked < started
    assert (to_seconds(rig.sent("StartTransaction")[0]["timestamp"]) or 0) >= 1_800_000_000 + asked
