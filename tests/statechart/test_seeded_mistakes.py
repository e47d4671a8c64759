"""Mistakes as people make them, one at a time, in the shipped charts: which rule finds it, and at which line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from chart_kit import shipped_copy

from charger.statechart import checks
from charger.vocabulary import build


class Seed(NamedTuple):
    """One edit, and what is said about it."""

    file: str
    old: str
    new: str
    rule: str
    at: str
    """What stands on the line that is blamed."""
    says: str
    """Part of the sentence."""


SEEDS = {
    # -- words -----------------------------------------------------------------------------------------
    "a wrong target": Seed(
        *("lock.yaml", "lock.engaged: Engaged", "lock.engaged: Enagged"),
        *("unknown-target", "lock.engaged: Enagged", "did you mean 'Engaged'?"),
    ),
    "a signal that one of its raisers leaves without what is needed": Seed(
        *("reset.yaml", "transaction.stop: {reason: HardReset}", "transaction.stop: {tag: none}"),
        *("missing-field", "transaction.stop: {tag: none}", "raised without 'reason'"),
    ),
    "a lamp that follows a status that does not exist": Seed(
        *("indicator.yaml", "SuspendedEV: blue", "Suspended: blue"),
        *("unknown-status", "Suspended: blue", "did you mean 'SuspendedEV'?"),
    ),
    "a colour with a slip": Seed(
        *("indicator.yaml", "Charging: blue breathing", "Charging: blue breathng"),
        *("unknown-word", "blue breathng", "did you mean 'breathing'?"),
    ),
    "a switch compared with a number": Seed(
        *("pilot.yaml", "{guard: not ev.asks, target: Resting}", "{guard: ev.asks == 0, target: Resting}"),
        *("mixed-kinds", "ev.asks == 0", "'ev.asks' is true or false and '0' a number"),
    ),
    # -- calls and answers -----------------------------------------------------------------------------
    "a default answer removed": Seed(
        *("connector.yaml", "    - {reply: Rejected}\n", ""),
        *(
            "call-unanswered",
            "{guard: may_start",
            "more when not in(registration.Accepted)",
        ),
    ),
    "a default answer given a guard": Seed(
        *("requests.yaml", "- {reply: Rejected}   ", "- {guard: not online, reply: Rejected}   "),
        *(
            "call-unanswered",
            "not online, reply: Rejected",
            "ocpp.ClearCache stays unanswered in 'Ready' when not cache.offered and in(link.Up)",
        ),
    ),
    "a reset of one kind forgotten": Seed(
        *("reset.yaml", "- {target: Hard, reply: Accepted}", "- {guard: event.type == Hard, target: Hard}"),
        *("call-unanswered", "guard: event.type == Hard, target", "not answered by this transition"),
    ),
    "a call of the station in a chart of the connectors": Seed(
        *("transaction.yaml", "on:\n  ocpp.Remote", "on:\n  ocpp.Reset: {reply: Rejected}\n  ocpp.Remote"),
        *("call-elsewhere", "ocpp.Reset: {reply: Rejected}", "never heard"),
    ),
    "a way out of a debt that does not pay": Seed(
        *(
            "lock.yaml",
            "after: {3s: {target: Jammed, reply: {ocpp.UnlockConnector: UnlockFailed}}}",
            "after: {3s: Jammed}",
        ),
        *("debt-unpaid", "        after: {3s: Jammed}", "'Unlocking' owes the answer"),
    ),
    "a debt taken on twice": Seed(
        *(
            "lock.yaml",
            "    initial: Waiting\n",
            "    initial: Waiting\n    on: {ocpp.UnlockConnector: {target: Unlocking, reply: later}}\n",
        ),
        *(
            "debt-owed-twice",
            "on: {ocpp.UnlockConnector: {target: Unlocking, reply: later}}",
            "answer this one now",
        ),
    ),
    "a payment where nothing is owed": Seed(
        *(
            "lock.yaml",
            "lock.released: Released\ninvariants",
            "lock.released: {target: Released, reply: {ocpp.UnlockConnector: Unlocked}}\ninvariants",
        ),
        *("debt-not-owed", "lock.released: {target: Released, reply", "nobody owes"),
    ),
    "an answer not heard": Seed(
        *("delivery.yaml", "        - {target: Failed, actions: [queue.count]}\n", ""),
        *(
            "unheard-answer",
            "entry: [queue.send]",
            "'queue.failed', which 'Sending' does not hear when event.cause == error",
        ),
    ),
    "an answer heard where nobody asks": Seed(
        *("link.yaml", "      link.lost: Down", "      ocpp.Heartbeat.failed: Down\n      link.lost: Down"),
        *("unasked-answer", "ocpp.Heartbeat.failed: Down", "this one never does"),
    ),
    "an accepted reset that ends nowhere": Seed(
        *(
            "reset.yaml",
            "target: Restarting, actions: [station.restart: {reason: HardReset}]}\n    on",
            "target: Idle}\n    on",
        ),
        *("promise-not-kept", "- {target: Hard, reply: Accepted}", "in 'Idle' or after it"),
    ),
    # -- guards ----------------------------------------------------------------------------------------
    "a guard that contradicts itself": Seed(
        *(
            "connector.yaml",
            "open_for_business: in(reset.Idle) and",
            "open_for_business: in(reset.Idle) and availability.inoperative and",
        ),
        *("guard-never-true", "{guard: may_start, reply: Accepted", "never hold together"),
    ),
    "a guard that asks for another state of its own chart": Seed(
        *(
            "power.yaml",
            "always: {guard: wanted, target: Closing}",
            "always: {guard: wanted and in(Closed), target: Closing}",
        ),
        *("guard-never-true", "wanted and in(Closed)", "'in(Closed)' is never true in 'Open'"),
    ),
    "a guard that asks what the event has just changed": Seed(
        *(
            "connector.yaml",
            "on: {cable.unplugged: Choosing}",
            "on: {cable.unplugged: {guard: cable.present, target: Choosing}}",
        ),
        *("guard-never-true", "{guard: cable.present, target: Choosing}", "never true on 'cable.unplugged'"),
    ),
    "a guard that says nothing": Seed(
        *(
            "trigger.yaml",
            "of_a_connector: event.requestedMessage == StatusNotification or event.requestedMessage == MeterValues",
            "of_a_connector: event.requestedMessage != StatusNotification or event.requestedMessage != MeterValues",
        ),
        *("guard-never-true", "{guard: not of_a_connector", "never hold together"),
    ),
    "two transitions swapped, so that the second is shadowed": Seed(
        *(
            "availability.yaml",
            "    - {guard: event.type == Inoperative and (any(locked) or any(busy)), reply: Scheduled, actions: [availability.set: {type: event.type}]}\n    - {reply: Accepted, actions: [availability.set: {type: event.type}]}\n",
            "    - {reply: Accepted, actions: [availability.set: {type: event.type}]}\n    - {guard: event.type == Inoperative and (any(locked) or any(busy)), reply: Scheduled, actions: [availability.set: {type: event.type}]}\n",
        ),
        *("never-taken", "reply: Scheduled", "has no guard and comes first"),
    ),
    "two guards swapped, of which one implies the other": Seed(
        "trigger.yaml",
        "        - {guard: event.requestedMessage == BootNotification and in(registration.Pending), reply: Accepted, actions: [raise: registration.boot]}\n",
        "        - {guard: event.requestedMessage == BootNotification, reply: Rejected}\n        - {guard: event.requestedMessage == BootNotification and in(registration.Pending), reply: Accepted, actions: [raise: registration.boot]}\n",
        "never-taken",
        "BootNotification and in(registration.Pending)",
        "whenever its guard holds, so does that of the one at line",
    ),
    "an event in a junction": Seed(
        *("authorization.yaml", "  Deciding:\n", "  Deciding:\n    on: {card.presented: Idle}\n"),
        *("never-taken", "    on: {card.presented: Idle}", "`always` leaves 'Deciding' at once"),
    ),
    "two timers for the same time": Seed(
        *("pilot.yaml", "          30s: {", "          5s: Withdrawing\n          30s: {"),
        *("same-moment", "              5s:", "runs out together with the one at line 26"),
    ),
    "always, round and round": Seed(
        *(
            "metering.yaml",
            "always: {guard: not transaction.open, target: Idle}",
            "always: {guard: transaction.open, target: Idle}",
        ),
        *("eventless-loop", "always: {guard: transaction.open, target: Sampling}", "Idle → Sampling → Idle"),
    ),
    # -- the way through a chart -----------------------------------------------------------------------
    "a deleted after": Seed(
        *("pilot.yaml", "    after: {300ms: Refused}\n", ""),
        *("no-way-out", "  Refusing:", "no way leads out of 'Refusing'"),
    ),
    "a timer that 0 stops": Seed(
        *(
            "delivery.yaml",
            "    on: {queue.answered: {target: Idle, actions: [queue.remove]}}     # late, but before it was sent again\n    always: {guard: TransactionMessageRetryInterval == 0, target: Idle}\n",
            "",
        ),
        *(
            "timer-may-be-off",
            "after: {TransactionMessageRetryInterval * queue.transmissions: Idle}",
            "only way out of 'Waiting'",
        ),
    ),
    "a confirmation that does not leave the state": Seed(
        *(
            "lock.yaml",
            "      lock.released: Released\n      lock.failed: Jammed\n",
            "      lock.released: {actions: [status.tell: {info: free}]}\n      lock.failed: {actions: [status.tell: {info: stuck}]}\n",
        ),
        *(
            "timer-not-cancelled",
            "    after: {3s: Jammed}",
            "no answer to 'lock.release' leads out of 'Releasing'",
        ),
    ),
    "an entry that opens and closes": Seed(
        *("power.yaml", "    entry: [contactor.close]", "    entry: [contactor.close, contactor.open]"),
        *(
            "action-undone",
            "entry: [contactor.close, contactor.open]",
            "'contactor.close' is undone at once by 'contactor.open'",
        ),
    ),
    "a command that the next state undoes": Seed(
        "pilot.yaml",
        "      - {guard: in(refused), target: Refusing}\n",
        "      - {guard: in(refused), target: Refusing, actions: [pilot.withdraw]}\n",
        "action-undone",
        "actions: [pilot.withdraw]",
        "'pilot.withdraw' is undone at once by 'pilot.refuse'",
    ),
    "a link that is opened again without a pause": Seed(
        *("link.yaml", "link.refused: Waiting", "link.refused: Connecting"),
        *(
            "command-loop",
            "entry: [link.connect]",
            "when 'link.refused' comes, 'link.connect' is done again at once",
        ),
    ),
    # -- safety and statuses ---------------------------------------------------------------------------
    "the fault handling of the connector removed": Seed(
        *("connector.yaml", "always: {guard: fault.present and not in(Faulted), target: Faulted}\n", ""),
        *("event-ignored", "  Available:", "'Available' ignores fault.raised and emergency.pressed"),
    ),
    "the pulled plug forgotten": Seed(
        *("connector.yaml", "    on: {cable.unplugged: {target: Passing, actions: [session.forget]}}\n", ""),
        *("event-ignored", "      Plugged:", "'Plugged' ignores cable.unplugged"),
    ),
    "a contactor that stays closed on a fault": Seed(
        *("power.yaml", "      - {guard: not safe, target: Opening}                      # at once\n", ""),
        *("hazard-ignored", "  Closed:", "though 'contactor.close' is in force"),
    ),
    "a contactor that falls off unnoticed": Seed(
        *("power.yaml", "on: {contactor.opened: Dry, interlock", "on: {interlock"),
        *("loss-ignored", "  Closed:", "does not notice 'contactor.opened'"),
    ),
    "a lost link unnoticed": Seed(
        *("link.yaml", "      link.lost: Down                           # closed, or no pong\n", ""),
        *("loss-ignored", "  Up:", "does not notice 'link.lost'"),
    ),
    "a way that the matrix does not have": Seed(
        *(
            "connector.yaml",
            "always: {guard: availability.inoperative and not in(locked), target: Passing, actions",
            "always: {guard: availability.inoperative and not in(locked), target: Choosing, actions",
        ),
        *(
            "forbidden-status",
            "not in(locked), target: Choosing",
            "Unavailable may not follow Preparing (Plugged → Choosing → Unavailable): show Available in between",
        ),
    ),
    "a status on the wrong state": Seed(
        *(
            "connector.yaml",
            "    status: Available\n    always: {guard: not availability",
            "    status: Finishing\n    always: {guard: not availability",
        ),
        *(
            "forbidden-status",
            "cable.plugged: Preparing",
            "Finishing may not follow Available (Available → Plugged → Passing)",
        ),
    ),
}


@pytest.mark.parametrize("mistake", SEEDS)
def test_the_mistake_is_found_at_its_place(tmp_path: Path, mistake: str) -> None:
    seed = SEEDS[mistake]
    folder = shipped_copy(tmp_path, (seed.file, seed.old, seed.new))
    lines = (folder / seed.file).read_text(encoding="utf-8").splitlines()
    found = [
        finding
        for finding in checks.check(folder, build, "charts").findings
        if finding.rule == seed.rule and seed.says in finding.message
    ]
    places = [(finding.mark.file, lines[finding.mark.line - 1]) for finding in found]
    assert any(file == f"charts/{seed.file}" and seed.at in line for file, line in places), places
