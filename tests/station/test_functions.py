"""What OCPP knows, piece by piece: cache, queue, records, transactions, configuration (charger/functions)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from charger.functions import authorization, delivery, times
from charger.functions.authorization import Cache, TagInfo
from charger.functions.configuration import KEYS, Configuration, setting_key, split, typed
from charger.functions.delivery import GIVEN_UP, Message, Queue
from charger.functions.records import Records
from charger.functions.transactions import Transaction, Transactions
from charger.ports import Change


@pytest.fixture
def records() -> Records:
    return Records()


# -- records -----------------------------------------------------------------------------------------------


def test_records_tell_what_changed_once(records: Records) -> None:
    """One step, one commit: the last value of each fact."""
    records.put("a", "x", 1)
    records.put("a", "x", 2)
    records.put("a", "y", None)  # was not there
    assert records.take_changes() == (Change("a", "x", 2),)
    assert records.take_changes() == ()
    records.put("a", "x", 2)  # is so already
    assert records.take_changes() == ()
    records.put("a", "x", None)
    assert records.take_changes() == (Change("a", "x", None),)
    assert records.get("a", "x") is None


def test_records_are_what_was_stored() -> None:
    """What a start finds; keys sorted, the first one in the order of writing."""
    records = Records([Change("a", "1", "x"), Change("a", "2", "y"), Change("b", "1", "z")])
    assert list(records.items("a")) == [("1", "x"), ("2", "y")]
    assert (records.size("a"), records.size("none")) == (2, 0)
    assert (records.first("a"), records.first("none")) == ("1", None)
    records.put("a", "0", "w")
    assert records.first("a") == "1"
    assert records.keys("a") == ["0", "1", "2"]


def test_counted_numbers_never_repeat(records: Records) -> None:
    """Also over restarts: the sequence is a fact itself."""
    assert [records.count("n") for _ in range(3)] == [1, 2, 3]
    later = Records(records.take_changes())
    assert later.count("n") == 4


# -- cache -------------------------------------------------------------------------------------------------


def test_the_cache_keeps_the_newest_word(records: Records) -> None:
    """§3.5.1, errata 3.4: valid or not; the same word again writes nothing."""
    cache = Cache(records)
    cache.learn(TagInfo("TAG", "Accepted"), 0.0)
    records.take_changes()
    cache.learn(TagInfo("TAG", "Accepted"), 0.0)
    assert records.take_changes() == ()
    cache.learn(TagInfo("tag", "Blocked"), 0.0)
    found = cache.find("TAG", 0.0)
    assert found is not None
    assert (found.tag, found.status) == ("tag", "Blocked")
    assert cache.find("other", 0.0) is None
    assert cache.find(None, 0.0) is None


def test_a_full_cache_lets_go_of_what_is_not_valid_first(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errata 3.4: not valid ones first, then the oldest valid one."""
    monkeypatch.setattr(authorization, "CACHE_SIZE", 3)
    cache = Cache(records)
    for tag, status in (("one", "Accepted"), ("two", "Blocked"), ("three", "Accepted"), ("four", "Accepted")):
        cache.learn(TagInfo(tag, status), 0.0)
    assert records.keys("cache") == ["four", "one", "three"]
    cache.learn(TagInfo("one", "Accepted", parent="new word"), 0.0)  # known: nobody has to go
    cache.learn(TagInfo("five", "Accepted"), 0.0)
    assert records.keys("cache") == ["five", "four", "one"]


def test_an_entry_expires_at_its_time() -> None:
    """§3.5.1: status becomes Expired when expiryDate passes; what is refused stays as it is."""
    info = TagInfo("TAG", "Accepted", expiry=100.0)
    assert (info.at(99.9).status, info.at(100.0).status) == ("Accepted", "Expired")
    assert replace(info, status="Blocked").at(200.0).status == "Blocked"
    assert replace(info, expiry=None).at(1e12).status == "Accepted"


def test_id_tag_info_as_it_comes() -> None:
    """§7.27: parentIdTag and expiryDate are optional."""
    info = authorization.from_wire(
        "TAG", {"status": "Accepted", "parentIdTag": "P", "expiryDate": "2030-01-01T00:00:00Z"}
    )
    assert info == TagInfo("TAG", "Accepted", "P", times.to_seconds("2030-01-01T00:00:00Z"))
    assert authorization.from_wire("TAG", {"status": "Invalid"}) == TagInfo("TAG", "Invalid")


def test_nothing_is_the_same_as_no_tag() -> None:
    """§3.9: case does not matter; two missing tags are not one tag."""
    assert authorization.same("Ab", "aB")
    assert not authorization.same("ab", "ac")
    assert not authorization.same(None, None)
    assert not authorization.same("a", None)


# -- queue -------------------------------------------------------------------------------------------------


def test_an_empty_queue_has_nothing_to_count_or_remove(records: Records) -> None:
    """Nothing happens, nothing is written."""
    queue = Queue(records)
    queue.count_transmission()
    queue.remove()
    assert (queue.first(), queue.length(), records.take_changes()) == (None, 0, ())


def test_the_id_is_filled_in_when_a_message_leaves(records: Records) -> None:
    """Digest §1.5: given late, or never."""
    queue = Queue(records)
    start = Message("StartTransaction", {"idTag": "T"}, 1, 1)
    stop = Message("StopTransaction", {"meterStop": 5}, 1, 1)
    free = Message("MeterValues", {"connectorId": 1})
    assert queue.payload(start) == {"idTag": "T"}
    assert queue.payload(stop) == {"meterStop": 5, "transactionId": GIVEN_UP}
    assert queue.payload(free) == {"connectorId": 1}
    queue.bind(1, 0)
    assert queue.bound(1) == 0
    assert queue.payload(stop) == {"meterStop": 5, "transactionId": 0}


def test_transmissions_in_vain_are_counted(records: Records) -> None:
    """§3.7.1, digest §1.5: with the message, so that a power cut forgets none."""
    queue = Queue(records)
    queue.append(Message("MeterValues", {}))
    queue.count_transmission()
    queue.count_transmission()
    first = Queue(records).first()
    assert first is not None
    assert first.transmissions == 2


def test_of_too_many_samples_every_second_one_goes(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errata 3.14, 3.91: never a start or a stop, and not the message that may be under way."""
    monkeypatch.setattr(delivery, "MOST_SAMPLES", 6)
    queue = Queue(records)
    actions = ["MeterValues", "StartTransaction", *["MeterValues"] * 5, "StopTransaction", "StartTransaction"]
    for number, action in enumerate(actions):
        queue.append(Message(action, {"n": number}, 1))
    again = Queue(records)
    again.append(Message("MeterValues", {"n": 9}, 1))
    left = [(value["action"][:5], value["payload"]["n"]) for _, value in records.items("message")]
    assert left == [
        *[("Meter", 0), ("Start", 1), ("Meter", 3), ("Meter", 5), ("StopT", 7), ("Start", 8), ("Meter", 9)],
    ]


def test_every_message_has_an_id_of_its_own(records: Records) -> None:
    """OCPP-J errata 3.1: also when the database was lost and the count begins anew."""
    ids = set()
    for count, time in ((records, 1.0), (Records(), 2.0)):
        queue = Queue(count)
        for _ in range(2):
            queue.append(Message("MeterValues", {}), time)
            first = queue.first()
            assert first is not None
            assert first.id is not None
            assert len(first.id) == 36
            ids.add(first.id)
            queue.remove()
    assert len(ids) == 4


def test_a_stop_takes_the_id_of_its_transaction_with_it(records: Records) -> None:
    """Nothing needs it any more."""
    queue = Queue(records)
    queue.bind(1, 77)
    queue.append(Message("StartTransaction", {}, 1))
    queue.append(Message("StopTransaction", {}, 1))
    queue.remove()
    assert queue.bound(1) == 77
    queue.remove()
    assert queue.bound(1) is None


def test_the_order_survives_a_restart_beyond_ten_messages(records: Records) -> None:
    """First in, first out, as the disk gives it back: sorted by key."""
    queue = Queue(records)
    for number in range(12):
        queue.append(Message("MeterValues", {"n": number}))
    again = Queue(Records(sorted(records.take_changes(), key=lambda change: (change.subject, change.key))))
    order = []
    while message := again.first():
        order.append(message.payload["n"])
        again.remove()
    assert order == list(range(12))


# -- transactions ------------------------------------------------------------------------------------------


def begun(**more: Any) -> Transaction:
    return Transaction(
        **({"number": 1, "connector": 1, "tag": "T", "started": 0.0, "meter_start": 0, "run": 1} | more)
    )


def test_transactions_by_connector_and_by_number(records: Records) -> None:
    """One per connector."""
    transactions = Transactions(records)
    one, two = begun(), begun(number=2, connector=2)
    transactions.put(one)
    transactions.put(two)
    assert transactions.on(1) == one
    assert transactions.on(3) is None
    assert transactions.all() == [one, two]
    assert transactions.numbered(2) == two
    assert transactions.numbered(9) is None
    assert transactions.last(1) == {}
    transactions.close(replace(one, ending="Local", parent="P"))
    assert transactions.on(1) is None
    assert transactions.last(1) == {"reason": "Local", "tag": "T", "parent": "P"}


def note(number: int, context: str = "Sample.Periodic") -> dict[str, Any]:
    return {"n": number, "sampledValue": [{"context": context}]}


@pytest.mark.parametrize("most", [0, 1, 4, 5, 12, 20])
def test_notes_are_thinned_series_by_series(records: Records, most: int) -> None:
    """Errata 3.14, 3.91: every second sample of each series; begin and end stay, whatever the limit."""
    transactions = Transactions(records)
    transactions.note(begun(), note(0, "Transaction.Begin"), 100)
    transactions.note(begun(), note(1, "Transaction.Begin"), 100)
    for number in range(2, 18):
        transactions.note(
            begun(), note(number, "Sample.Clock" if number % 4 == 0 else "Sample.Periodic"), 100
        )
    transactions.note(begun(), None, 100)  # nothing to note
    for number in (18, 19):
        transactions.note(begun(), note(number, "Transaction.End"), 100)
    transactions.note(begun(number=2), note(99), 100)
    notes = [one["n"] for one in transactions.take_notes(begun(), most)]
    assert notes[:2] == [0, 1]
    assert notes[-2:] == [18, 19]
    assert notes == sorted(notes)
    assert len(notes) <= max(4, most)
    if most == 20:
        assert notes == list(range(20))
    if most == 12:  # each series thinned once
        assert notes[2:-2] == [3, 6, 8, 9, 11, 14, 16, 17]
    assert transactions.take_notes(begun(), most) == []
    assert len(transactions.take_notes(begun(number=2), 5)) == 1


def test_a_long_transaction_does_not_keep_all_its_samples(records: Records) -> None:
    """Twice what may be sent, and no more."""
    transactions = Transactions(records)
    transactions.note(begun(), note(0, "Transaction.Begin"), 10)
    for number in range(1, 500):
        transactions.note(begun(), note(number), 10)
        assert records.size("reading") <= 21
    notes = [one["n"] for one in transactions.take_notes(begun(), 10)]
    assert notes[0] == 0
    assert len(notes) <= 10


# -- configuration -----------------------------------------------------------------------------------------


def test_every_default_is_a_valid_value(records: Records) -> None:
    """The registry does not contradict itself."""
    configuration = Configuration(records)
    for name, key in KEYS.items():
        assert configuration.valid(key, configuration.text(name)) or (key.default, key.type) == ("", "list")
        assert key.description.endswith(".") or key.unit


def test_a_key_taken_away_is_neutral_for_guards(records: Records) -> None:
    """Charts may ask for it all the same."""
    configuration = Configuration(
        records,
        initial={
            "AllowOfflineTxForUnknownId": None,
            "MaxEnergyOnInvalidId": None,
            "StopTxnSampledData": None,
        },
    )
    assert configuration.find("AllowOfflineTxForUnknownId") is None
    assert configuration.value("AllowOfflineTxForUnknownId") is False
    assert configuration.value("MaxEnergyOnInvalidId") == 0
    assert configuration.value("StopTxnSampledData") == []
    assert configuration.number("MaxEnergyOnInvalidId", 17) == 17
    assert configuration.number("ConnectionTimeOut", 17) == 60


def test_values_have_the_type_of_their_key() -> None:
    """Text on the wire, types in guards."""
    assert typed(setting_key("A", False), " TRUE ") is True
    assert typed(setting_key("A", 1), " +12 ") == 12
    assert typed(setting_key("A", "x"), "any Text") == "any Text"
    assert split(" a, ,b,") == ["a", "b"]


def test_settings_of_charts_are_written_and_validated_like_any_key(records: Records) -> None:
    """index.yaml: settings."""
    configuration = Configuration(records, {"FreeVending": True, "Note": "hello"})
    key = configuration.find("freevending")
    assert key is not None
    assert (key.setting, key.optional, configuration.origin("FreeVending")) == (
        True,
        True,
        "charts/index.yaml",
    )
    assert configuration.valid(key, "false")
    assert not configuration.valid(key, "maybe")
    configuration.write(key, "false")
    assert configuration.value("FreeVending") is False
    assert [one.name for one in configuration.offered()] == sorted([*KEYS, "FreeVending", "Note"])
