"""Guards, delays and argument values: the grammar, and where the caret stands when a text is none of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.statechart import model
from charger.statechart.expressions import (
    ExpressionError,
    day_minutes,
    parse_argument,
    parse_delay,
    parse_guard,
    seconds,
)
from charger.statechart.findings import Mark
from charger.statechart.source import Scalar

AT = Mark("a.yaml", 7, 11, 40)


def shape(expr: model.Expr) -> Any:
    """A guard as nested tuples, without marks."""
    match expr:
        case model.And(parts=parts):
            return ("and", *map(shape, parts))
        case model.Or(parts=parts):
            return ("or", *map(shape, parts))
        case model.Not(part=part):
            return ("not", shape(part))
        case model.Compare(left=left, operator=operator, right=right):
            return (operator, shape(left), shape(right))
        case model.In(how=how, ref=ref):
            return (how, ref)
        case model.Tries(state=state):
            return ("tries", state)
        case model.Between(start=start, end=end):
            return ("between", start, end)
        case model.Const(value=value):
            return value
        case model.Here():
            return "HERE"
        case model.EventField(name=name):
            return f"event:{name}"
        case model.Capital(name=name):
            return f"key:{name}"
    return expr.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cable.present", "cable.present"),
        ("door", "door"),
        ("FreeVending", "key:FreeVending"),
        ("event.connectorId == none", ("==", "event:connectorId", None)),
        ("event.type == Soft", ("==", "event:type", "key:Soft")),
        ("event.tag != 'A and B'", ("!=", "event:tag", "A and B")),
        ("here > 1", (">", "HERE", 1)),
        ("offer.amps >= 6", (">=", "offer.amps", 6)),
        ("offer.amps < 6.5", ("<", "offer.amps", 6.5)),
        ("a <= -3", ("<=", "a", -3)),
        ("true", True),
        ("a == false", ("==", "a", False)),
        ("in(power.Closed)", ("in", "power.Closed")),
        ("any(free)", ("any", "free")),
        ("all( free )", ("all", "free")),
        ("one(free)", ("one", "free")),
        ("first(connector.Plugged) == here", ("==", ("first", "connector.Plugged"), "HERE")),
        ("tries(Engaging) >= 3", (">=", ("tries", "Engaging"), 3)),
        ("clock.between(22:00, 6:00)", ("between", 22 * 60, 6 * 60)),
        ("not a", ("not", "a")),
        ("not not a", ("not", ("not", "a"))),
        ("a and b and c", ("and", "a", "b", "c")),
        ("a or b and c", ("or", "a", ("and", "b", "c"))),
        ("(a or b) and c", ("and", ("or", "a", "b"), "c")),
        ("not a and b", ("and", ("not", "a"), "b")),
        ("not (a and b)", ("not", ("and", "a", "b"))),
        ("not a == 1", ("not", ("==", "a", 1))),
        ("((a))", "a"),
        ("  a\n  and   b ", ("and", "a", "b")),
    ],
)
def test_a_guard_is_read(text: str, expected: Any) -> None:
    assert shape(parse_guard(text, AT)) == expected


@pytest.mark.parametrize(
    ("text", "column", "length", "message"),
    [
        ("", 11, 40, "the guard ends where a fact, a key or a number should stand"),
        ("a and", 13, 3, "the guard ends where a fact, a key or a number should stand"),
        ("not", 11, 3, "the guard ends where a fact, a key or a number should stand"),
        ("a b", 13, 1, "'b' is not expected here: and, or, or a comparison"),
        ("a or or b", 16, 2, "'or' stands between two conditions"),
        ("and a", 11, 3, "'and' stands between two conditions"),
        ("a == == b", 16, 2, "'==' is not a fact, a key or a number"),
        ("22:00 > 3", 11, 5, "'22:00' is not a fact, a key or a number"),
        ("a = 1", 13, 1, "'=' has no meaning in a guard"),
        ("a && b", 13, 1, "'&' has no meaning in a guard"),
        ("a == 'open", 16, 1, "''' has no meaning in a guard"),
        ("(a", 12, 1, "the guard ends where ')' should stand"),
        ("(a b", 14, 1, "')' should stand here, not 'b'"),
        ("a)", 12, 1, "')' is not expected here: and, or, or a comparison"),
        ("in()", 14, 1, "')' is not a state or a tag"),
        ("in('Closed')", 14, 8, "''Closed'' is not a state or a tag"),
        ("any(3)", 15, 1, "'3' is not a state or a tag"),
        ("tries()", 17, 1, "')' is not a state"),
        ("any(a, b)", 16, 1, "')' should stand here, not ','"),
        (
            *("inside(a)", 11, 6),
            "no function 'inside'; there are in, any, all, one, first, tries, clock.between",
        ),
        ("clock.between(22:00)", 30, 1, "',' should stand here, not ')'"),
        (
            "clock.between(22:00",
            25,
            5,
            "the guard ends where ',' should stand; quote a guard that has commas in it",
        ),
        ("clock.between(24:00, 06:00)", 25, 5, "'24:00' is not a time of day like 22:00"),
        ("clock.between(now, 06:00)", 25, 3, "'now' is not a time of day like 22:00"),
        ("clock.between(22:00, 06:61)", 32, 5, "'06:61' is not a time of day like 22:00"),
    ],
)
def test_a_broken_guard_is_blamed_at_the_word(text: str, column: int, length: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_guard(text, AT)
    assert str(caught.value) == message
    assert caught.value.mark == Mark("a.yaml", 7, column, length)


@pytest.mark.parametrize("text", ["(" * 3000 + "a" + ")" * 3000, "not " * 3000 + "a"])
def test_a_guard_nested_too_deep_is_refused_and_not_a_crash(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested more than 50 levels deep"):
        parse_guard(text, AT)


def test_length_alone_is_no_depth() -> None:
    assert len(shape(parse_guard(" and ".join(["not (a or b)"] * 400), AT))) == 401


def test_every_part_knows_its_place() -> None:
    guard = parse_guard("a.b and not (Key <= in(x.Y))", AT)
    assert isinstance(guard, model.And)
    places = [(type(part).__name__, part.mark.column, part.mark.length) for part in model.parts(guard)]
    assert places == [
        ("And", 11, 3),
        ("Name", 11, 3),
        ("Not", 19, 3),
        ("Compare", 24, 3),
        ("Capital", 24, 3),
        ("In", 34, 3),
    ]


_WORDS = st.sampled_from(
    [*"()',=", "==", "<", "and", "or", "not", "in", "any", "tries", "a", "B", "1", "22:00", "clock.between"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=12).map(" ".join))
def test_any_words_are_a_guard_or_an_explained_mistake_within_the_text(text: str) -> None:
    mark = AT
    try:
        parse_guard(text, AT)
    except ExpressionError as error:
        mark = error.mark
    assert AT.column <= mark.column <= AT.column + max(len(text), 1)


# -- arguments -----------------------------------------------------------------------------------------


def _argument(value: Any, *, quoted: bool = False) -> Any:
    return shape(parse_argument(Scalar(AT, value, str(value), quoted)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("event.tag", "event:tag"),
        ("card.connector", "card.connector"),
        ("here", "HERE"),
        ("none", None),
        ("first(connector.Plugged)", ("first", "connector.Plugged")),
        ("Sample.Periodic", "Sample.Periodic"),
        ("Local", "Local"),
        ("occupied", "occupied"),
        ("blue breathing", "blue breathing"),
        ("yellow blinking 1.5s", "yellow blinking 1.5s"),
        (30, 30),
        (1.5, 1.5),
        (True, True),
        (None, None),
    ],
)
def test_an_argument_is_a_fact_a_field_or_what_it_says(value: Any, expected: Any) -> None:
    assert _argument(value) == expected


@pytest.mark.parametrize("text", ["event.tag", "card.connector", "here", "none", "first(free)"])
def test_a_quoted_argument_is_text(text: str) -> None:
    argument = parse_argument(Scalar(AT, text, text, quoted=True))
    assert argument == model.Const(AT, text)


# -- delays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"), [("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5)]
)
def test_a_duration_is_a_number_with_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected
    assert parse_delay(text, AT) == model.Fixed(expected)


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1 s", "1d", "1s2"])
def test_what_is_no_duration(text: str) -> None:
    assert seconds(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:00", 0), ("6:30", 390), ("23:59", 1439), ("24:00", None), ("12:60", None), ("noon", None)],
)
def test_a_time_of_day_is_minutes_after_midnight(text: str, expected: int | None) -> None:
    assert day_minutes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ConnectionTimeOut", model.OfKey("ConnectionTimeOut")),
        (
            "TransactionMessageRetryInterval * queue.transmissions",
            model.OfKey("TransactionMessageRetryInterval", "queue.transmissions"),
        ),
        ("Key*a.b", model.OfKey("Key", "a.b")),
        ("registration.interval", model.OfFact("registration.interval")),
        ("backoff(2s, 60s, 3s)", model.Backoff(2, 60, 3)),
        ("backoff(1m,1m,0s)", model.Backoff(60, 60, 0)),
    ],
)
def test_a_delay_is_a_duration_a_key_a_product_a_fact_or_a_backoff(text: str, expected: model.Delay) -> None:
    assert parse_delay(text, AT) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:00", model.DayTime(22 * 60)),
        ("15m", model.Fixed(900)),
        ("ClockAlignedDataInterval", model.OfKey("ClockAlignedDataInterval")),
        ("reservation.expiry", model.OfFact("reservation.expiry")),
    ],
)
def test_the_clock_takes_times_periods_and_instants(text: str, expected: model.Delay) -> None:
    assert parse_delay(text, AT, clock=True) == expected


@pytest.mark.parametrize(
    ("text", "clock", "message"),
    [
        ("0s", False, "a delay of nothing: use `always`"),
        ("soon", False, "'soon' is no delay; write 500ms, 30s, 2m, 1h, a Key, or backoff(…)"),
        ("22:00", False, "'22:00' is no delay; write 500ms, 30s, 2m, 1h, a Key, or backoff(…)"),
        ("Key *", False, "'Key *' is no delay; write 500ms, 30s, 2m, 1h, a Key, or backoff(…)"),
        ("Key * 3", False, "'Key * 3' is no delay; write 500ms, 30s, 2m, 1h, a Key, or backoff(…)"),
        ("noon", True, "'noon' is no delay; write \"22:00\", 15m, a Key, or a fact"),
        ("Key * a.b", True, "'Key * a.b' is no delay; write \"22:00\", 15m, a Key, or a fact"),
        ("backoff(2s", False, 'quote a delay that has commas in it: "backoff(3s, 60s, 10s)"'),
        ("10s)", False, 'quote a delay that has commas in it: "backoff(3s, 60s, 10s)"'),
        ("backoff(2s, 60s)", False, "backoff takes three durations: backoff(first, limit, jitter)"),
        ("backoff(2s, x, 3s)", False, "backoff takes three durations: backoff(first, limit, jitter)"),
        ("backoff(0s, 60s, 3s)", False, "backoff: first is more than nothing and at most limit"),
        ("backoff(61s, 60s, 3s)", False, "backoff: first is more than nothing and at most limit"),
        (
            *("backoff(2s, 60s, 3s)", True),
            "'backoff(2s, 60s, 3s)' is no delay; write \"22:00\", 15m, a Key, or a fact",
        ),
    ],
)
def test_what_is_no_delay_says_what_to_write(text: str, clock: bool, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_delay(text, AT, clock=clock)
    assert str(caught.value) == message
    assert caught.value.mark == AT
