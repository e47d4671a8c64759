"""Proves the tests of the step and of the guard: every mutation must make one fail. A quarter of an hour.

    python tests/mutants.py [part of "MODULE MUTATION"]

A mutation is one edit of one module in a copy of the program. The differential tests (test_step.py,
test_machine.py) are asked first, without shrinking; what they let live, all tests of the folder see.
Those of the guard are in hardware/guard_mutants.py, and run in every `make test` as well.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIFFERENTIAL = ("test_step.py", "test_machine.py")
PATIENCE = 300
"""For one run of the tests, s."""
PROFILE = """
from hypothesis import Phase, settings
settings.register_profile("mutants", phases=[Phase.generate], derandomize=True)
settings.load_profile("mutants")
"""
MUTATIONS: dict[str, list[tuple[str, str, str]]] = {
    "machine.py": [
        ("the branches of a plan are swapped", "node.branches[answer]", "node.branches[not answer]"),
        ("a guard already answered is asked again", "(*node.asked, (node.transition, answer))", "node.asked"),
        ("answers known are not used", "if position < len(self.script):", "if False:"),
        ("the configuration is not restored", "engine.current_state_value = ", "_ = "),
        ("only the leaf is restored", "[_ROOT, *map(_state_id, self.chart.path(leaf))]", "[_state_id(leaf)]"),
        ("plans forget the leaf", "(leaf, key)", "('', key)"),
        ("plans forget the trigger", "(leaf, key)", "(leaf, '')"),
        ("an engine that raised is used again", "self._engine = None  # an engine", "pass  # an engine"),
        (
            "a step that raised is remembered",
            "        engine.send(_event_id(key))\n",
            "        try:\n            engine.send(_event_id(key))\n        except Exception:\n            self._graft((leaf, key), _End(None))\n            raise\n",
        ),
        ("the last part is dropped", "parts = tuple(self._recorder.parts)\n        ended", "parts = tuple(self._recorder.parts)[:-1]\n        ended"),
        ("every transition leaves its state", "transition.target != transition.source and transition.source in", "False and transition.source in"),
        ("a self transition stays inside", "transition.target != transition.source and transition.source in", "transition.source in"),
        ("guards are not asked", "if transition.guard is not None:", "if False:"),
        ("the last true guard wins", "competing.append(_transition(chart, transition, recorder))", "competing.insert(0, _transition(chart, transition, recorder))"),
        ("`initial` is not looked at", "first = written.initial or written.children[0]", "first = written.children[0]"),
        ("inherited transitions are not heard", "for state in chart.lineage(leaf) for t in", "for state in [chart.states[leaf]] for t in"),
        ("a move without target is none", "_End(Move(parts, ended) if parts else None)", "_End(Move(parts, ended) if ended != leaf else None)"),
        ("a question knows too many answers", "self._recorder.asked[:position]", "self._recorder.asked[: position + 1]"),
        ("triggers collide", '"_{ord(char):x}_"', '"_"'),
        ("a plan ends after its first guard", "for position, (transition, answer) in enumerate(self._recorder.asked)", "for position, (transition, answer) in enumerate(self._recorder.asked[:1])"),
    ],
    "ensemble.py": [
        ("`always` before the event", "        else:\n            self._hear(event)\n", "        else:\n            self._rest()\n            self._hear(event)\n"),
        ("others look before a chart rests", "        self._take(instance, move)\n        self._settle(instance)\n", "        self._take(instance, move)\n"),
        ("one round of `always`", "        moved = True\n        while moved:\n            moved = False\n", "        moved = True\n        for _ in range(1):\n            moved = False\n"),
        ("the last signal first", "self._waiting.popleft()", "self._waiting.pop()"),
        ("signals are not of their connector", "number = instance.number or None", "number = None"),
        ("a named connector is ignored", 'number = arguments.pop("connector", None)', 'number = arguments.pop("connector", None) and None'),
        ("a step does not ask anew", "        self._event = event\n        self._changes += 1\n\n", "        self._event = event\n\n"),
        ("a signal does not ask anew", "        self._event = event\n        self._changes += 1\n        word", "        self._event = event\n        word"),
        ("a move does not make others ask", "        self._changes += 1\n        self._budget -= 1\n", "        self._budget -= 1\n"),
        ("guards see the event before (on)", "            return False\n        instance.scene.event = self._event\n", "            return False\n"),
        ("guards see the event before (always)", "        moved = False\n        instance.scene.event = self._event\n", "        moved = False\n"),
        ("reply before actions", "                    self._perform_all(instance, transition.actions)\n                    if transition.reply:\n                        self._reply(instance, transition.reply)\n", "                    if transition.reply:\n                        self._reply(instance, transition.reply)\n                    self._perform_all(instance, transition.actions)\n"),
        ("timers outlive their state", "                del self._timers[key]\n                self._host.cancel_timer(key)\n", "                pass\n"),
        ("a late expiry is heard", "        if found is None:\n            return  #", "        if found is None:\n            self._hear(self._event)\n            return  #"),
        ("`after` is armed twice", "running.due, running.spent = None, True", "running.due, running.spent = None, False"),
        ("`every` rings once", '        if running.kind == "after" or', '        if running.kind in ("after", "every") or'),
        ("tries are never set back", "            instance.tries[child] = 0\n", "            pass\n"),
        ("tries are not counted", "instance.tries[state.name] += 1", "instance.tries[state.name] = 1"),
        ("a written key changes no timer", "if another or (not running.spent and (written or", "if another or (not running.spent and ("),
        ("a clock set changes no timer", "(written or (by_clock and self._clock_set))", "written"),
        ("statuses are not inherited", "for state in chart.lineage(leaf) if state.status", "for state in [chart.states[leaf]] if state.status"),
        ("a status is told again and again", "                self._reported[number] = status\n", ""),
        ("connector 0 hears connectors", "and len(one.chart.scopes) == 1", "and True"),
        ("the station does not hear connectors", "or (one.number == 0 and len(one.chart.scopes) == 1)", ""),
        ("a call goes to all", "if event.call is not None:\n            return [(one", "if False:\n            return [(one"),
        ("the wildcard hears what is mentioned", "if (one.number > 0) not in scopes]", "if True]"),
        ("an answer is for any visit", "asked is not None and asked[0].visit == asked[1]", "asked is not None"),
        ("an answer is for ever", "self._awaited.pop(event.token, None)", "self._awaited.get(event.token)"),
        ("an answer is for the state that asked", "self._asking.append((self._next_token, instance))", "self._awaited[self._next_token] = (instance, instance.visit)"),
        ("debts of all connectors are one", "(name, instance.number)", "(name, 0)"),
        ("a debt is paid twice", "self._debts.pop((name, instance.number), None)", "self._debts.get((name, instance.number))"),
        ("an answered call is an error too", "        if call == self._unanswered:\n            self._unanswered = None\n", ""),
        ("silence is kept", "        if self._unanswered is not None:\n", "        if False:\n"),
        ("one move less is allowed", "if self._budget < 0:", "if self._budget <= 0:"),
        ("`never` is not watched", "            if ask(self._scene(number)):\n", "            if False:\n"),
        ("`whenever` is not watched", "                if not ask(self._scene(instance.number)):\n", "                if False:\n"),
        ("the last chart hears first", "        for chart in self._set.charts.values():\n            ones = ", "        for chart in reversed(self._set.charts.values()):\n            ones = "),
        ("`always` in another order", "            moved = False\n            for instance in self._instances:\n", "            moved = False\n            for instance in reversed(self._instances):\n"),
        ("one chart takes the event away", "heard = self._offer(instance, key) or heard", "heard = heard or self._offer(instance, key)"),
        ("the report comes too late", "        if word and word.report:\n            word.report(self._host, event)\n        self._unanswered = event.call\n        heard = False\n        for instance, key in self._listeners(event):\n            heard = self._offer(instance, key) or heard\n", "        self._unanswered = event.call\n        heard = False\n        for instance, key in self._listeners(event):\n            heard = self._offer(instance, key) or heard\n        if word and word.report:\n            word.report(self._host, event)\n"),
    ],
    "evaluate.py": [
        ("and is or", "lambda scene: first(scene) and rest(scene)", "lambda scene: first(scene) or rest(scene)"),
        ("or is and", "lambda scene: first(scene) or rest(scene)", "lambda scene: first(scene) and rest(scene)"),
        ("not is nothing", "lambda scene: not negated(scene)", "negated"),
        ("the case of letters matters", "one.casefold(), other.casefold()", "one, other"),
        ("nothing is less than a number", "ordering and (one is None or other is None)", "ordering and one is None and other is None"),
        ("another connector is asked", "scene.leaves[name][number if local else 0]", "scene.leaves[name][number and 1 if local else 0]"),
        ("in asks connector 1", "lambda scene: scene.leaves[name][scene.here] in leaves", "lambda scene: scene.leaves[name][1] in leaves"),
        ("any is all", "lambda scene: bool(numbers(scene))", "lambda scene: len(numbers(scene)) > 1"),
        ("all is any", "len(numbers(scene)) == max(len(leaf) for leaf in scene.leaves.values()) - 1", "bool(numbers(scene))"),
        ("one is any", "lambda scene: len(numbers(scene)) == 1", "lambda scene: bool(numbers(scene))"),
        ("first is last", "next(iter(numbers(scene)), None)", "next(reversed(numbers(scene)), None)"),
        ("connectors begin at 0", "for number in range(1, connectors) if inside", "for number in range(connectors) if inside"),
        ("tags are not inherited", "ref in chart.tags(leaf)", "ref in {tag for tag, _ in chart.states[leaf].tags}"),
        ("a compound state is never active", "state in chart.path(leaf) if state", "state == leaf if state"),
        ("a named guard of the chart is not seen", "if chart and name in chart.guards:", "if False:"),
        ("a place asked for is ignored", "lambda scene: there(scene, place(scene))", "lambda scene: inside(scene, scene.here)"),
        ("the connector of the event is no field", 'scene.event.fields.get("connector", scene.event.connector)', 'scene.event.fields.get("connector")'),
    ],
}  # fmt: skip


def failing(folder: Path, *files: str) -> str:
    """The first test that fails; empty when none does."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    try:
        told = subprocess.run(
            [*words, *files],
            cwd=folder / "tests" / "statechart",
            env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return "it does not end"
    if not told.returncode:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", told.stdout, re.M)
    return found[1] if found else f"pytest ended with {told.returncode}"


def copy_to(folder: Path) -> None:
    for name in ("charger", "charts", "tests/statechart"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    (folder / "tests" / "statechart" / "conftest.py").write_text(PROFILE, encoding="utf-8")


def guard(wanted: str) -> int:
    """The mutations of the guard; gives how many live."""
    sys.path.insert(0, str(ROOT / "tests" / "hardware"))
    import guard_mutants
    import test_guard

    alive = 0
    for what, old, new in guard_mutants.MUTATIONS:
        if wanted in f"guard.py {what}":
            found = guard_mutants.found_by(guard_mutants.mutant(old, new), test_guard)
            alive += not found
            tell("guard.py", what, found)
    return alive


def engine(wanted: str) -> int:
    """The mutations of the engine; gives how many live."""
    alive = 0
    chosen = [
        (module, what, old, new)
        for module, mutations in MUTATIONS.items()
        for what, old, new in mutations
        if wanted in f"{module} {what}"
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(folder)
        if chosen and (found := failing(folder, *DIFFERENTIAL)):
            sys.exit(f"the program as it is fails {found}")
        for module, what, old, new in chosen:
            path = folder / "charger" / "statechart" / module
            whole = path.read_text(encoding="utf-8")
            if old not in whole:
                sys.exit(f"{module} has no {old!r} any more")
            path.write_text(whole.replace(old, new), encoding="utf-8")
            found = failing(folder, *DIFFERENTIAL) or failing(folder, ".")
            path.write_text(whole, encoding="utf-8")
            alive += not found
            tell(module, what, found)
    return alive


def tell(module: str, what: str, found: str) -> None:
    sys.stdout.write(f"| {module} | {what} | {found or '**nothing**'} |\n")
    sys.stdout.flush()


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    sys.stdout.write("| module | mutation | found by |\n|---|---|---|\n")
    alive = guard(wanted) + engine(wanted)
    sys.exit(f"{alive} live" if alive else 0)


if __name__ == "__main__":
    main()
