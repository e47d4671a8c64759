"""The command line: exit codes, and what it says. The outputs quoted in the README are produced here."""

import json
import shutil
from pathlib import Path

import pytest

from charger.cli import run_command

ROOT = Path(__file__).parent.parent
STATION = "id: CP1\nvendor: V\nmodel: M\ncentral: {url: 'ws://127.0.0.1:9/'}\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder made by `charger init`, seen from its parent."""
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "mine"]) == 0
    return tmp_path / "mine"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_init_makes_a_station_that_checks(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {path.name for path in mine.iterdir()} == {"station.yaml", "charts", "diagrams"}
    schema = json.loads((mine / "charts" / "chart.schema.json").read_text())
    assert schema["$schema"].startswith("http://json-schema.org/draft-07")
    capsys.readouterr()
    assert run_command(["check", "mine/station.yaml"]) == 0
    assert capsys.readouterr().out.endswith(" transitions: no findings.\n")


def test_init_leaves_a_folder_with_something_in_it_alone(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["init", "mine"]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_readme_shows_what_check_prints(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(
        mine / "charts" / "connector.yaml",
        "        after: {ConnectionTimeOut: Released}\n",
        "        after: {ConnectionTimeOut: Released}\n"
        "        always: {guard: FreeVending, target: Loking, actions: [session.open: {tag: FREE}]}\n",
    )
    edit(mine / "charts" / "index.yaml", "settings:\n", "settings:\n  FreeVending: true\n")
    capsys.readouterr()
    assert run_command(["check", "mine/charts"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "1 error, 0 warnings."
    readme = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    start = readme.index(printed[0].strip())
    assert [line.strip() for line in printed[:-1]] == readme[start : start + 4]


def test_the_readmes_other_edits_check(mine: Path) -> None:
    edit(mine / "charts" / "indicator.yaml", "Faulted: red", "Faulted: red blinking 200ms")
    edit(
        mine / "charts" / "connector.yaml",
        "    - offer.amps >= 6 ",
        "    - clock.between(22:00, 06:00)\n    - offer.amps >= 6 ",
    )
    assert run_command(["check", "mine/charts"]) == 0


def test_the_readme_shows_the_delivery_chart_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("# charts/delivery.yaml (whole)\n")[2].partition("```")[0].splitlines()
    chart = [
        line.partition("  # ")[0].rstrip()
        for line in (ROOT / "charts/delivery.yaml").read_text().splitlines()
    ]
    missing = [line for line in shown if line.partition("  # ")[0].rstrip() not in chart]
    assert missing == []


def test_findings_as_json_and_for_github(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(mine / "charts" / "link.yaml", "initial: Down", "initial: Dwn")
    capsys.readouterr()
    assert run_command(["check", "mine/charts", "--format", "json"]) == 1
    [finding] = json.loads(capsys.readouterr().out)
    assert (finding["file"], finding["rule"]) == ("mine/charts/link.yaml", "unknown-target")
    assert run_command(["check", "mine/charts", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith(
        "::error file=mine/charts/link.yaml,line=5,col=10,title=unknown-target::"
    )


def test_run_refuses_what_check_finds(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(mine / "charts" / "link.yaml", "initial: Down", "initial: Dwn")
    assert run_command(["run", "mine/station.yaml"]) == 1
    error = capsys.readouterr().err
    assert "did you mean 'Down'" in error
    assert "the station does not start" in error


def test_mistakes_in_a_station_and_its_charts_are_told_together(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(mine / "charts" / "link.yaml", "initial: Down", "initial: Dwn")
    edit(mine / "station.yaml", "HeartbeatInterval: 300", "HeartbeatIntervall: 300")
    capsys.readouterr()
    assert run_command(["check", "mine/station.yaml"]) == 1
    printed = capsys.readouterr().out
    assert "did you mean 'HeartbeatInterval'" in printed
    assert "did you mean 'Down'" in printed


def test_a_station_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere.yaml"
    assert run_command(["check", str(nowhere)]) == 2
    assert capsys.readouterr().err == f"charger: {nowhere}: there is no such file or folder\n"


def test_diagram_draws_and_tells_what_is_stale(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["diagram", "mine/charts", "--check"]) == 0
    edit(mine / "charts" / "power.yaml", "after: {500ms: Dry}", "after: {700ms: Dry}")
    capsys.readouterr()
    assert run_command(["diagram", "mine/charts", "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "mine/diagrams/power.svg  stale",
        "draw them again: charger diagram mine/charts",
    ]
    if shutil.which("dot"):
        assert run_command(["diagram", "mine/charts"]) == 0
        assert capsys.readouterr().out == "mine/diagrams/power.svg  changed\n"
        assert run_command(["diagram", "mine/charts", "--check"]) == 0


def test_config_shows_where_every_value_came_from(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHARGER_PASSWORD", "open sesame")
    assert run_command(["config", "mine/station.yaml"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: row[1:] for row in rows if row}
    assert found["central.password"] == ["********", "environment", "CHARGER_PASSWORD"]
    assert found["configuration.ConnectionTimeOut"][0] == "60"
    assert found["configuration.ConnectionTimeOut"][1].endswith(f"station.yaml:{_line(mine)}")


def _line(mine: Path) -> int:
    lines = (mine / "station.yaml").read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.strip().startswith("ConnectionTimeOut"))


def test_the_certified_product_has_the_certificates_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key that the certificate lists, with its value; those it marks with a dash are not offered."""
    assert run_command(["config", str(ROOT / "stations/imkev7.yaml")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {
        row[0].removeprefix("configuration."): row[1:]
        for row in rows
        if row and row[0].startswith("configuration.")
    }
    values = {
        "AuthorizeRemoteTxRequests": "false",
        "ClockAlignedDataInterval": "20",
        "ConnectionTimeOut": "60",
        "HeartbeatInterval": "15",
        "MeterValuesSampledDataMaxLength": "4",
        "NumberOfConnectors": "1",
        "TransactionMessageAttempts": "10",
        "TransactionMessageRetryInterval": "2",
        "UnlockConnectorOnEVSideDisconnect": "false",
        "WebSocketPingInterval": "20",
    }
    assert {key: found[key][0] for key in values} == values
    assert found["AllowOfflineTxForUnknownId"][:2] == ["not", "offered"]


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(["chek"])
    assert ended.value.code == 2
    assert "invalid choice: 'chek'" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "-1", "x", "9" * 5000])
def test_a_port_that_there_is_not(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(["csms", f"--port={port}"])
    assert ended.value.code == 2
    assert f"'{port}' is no port: a number from 0 to 65535" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run_command(["init", str(tmp_path / "file" / "mine")]) == 2
    assert capsys.readouterr().err == f"charger: init {tmp_path / 'file' / 'mine'}: Not a directory\n"


def test_whoever_is_interrupted_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at a long walk: no traceback, and the exit code of the shell."""

    def interrupted(*_given: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("charger.verify.verify.verify", interrupted)
    assert run_command(["verify"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
