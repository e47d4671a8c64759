"""docs/ocpp.md names messages, charts and stories that exist, and leaves no message out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from charger.central import messages

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "ocpp.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| [A-Z]\w+", line) and not line.startswith("| Message")
]
SECURITY = {
    *("CertificateSigned", "DeleteCertificate", "ExtendedTriggerMessage", "GetInstalledCertificateIds"),
    *("GetLog", "InstallCertificate", "LogStatusNotification", "SecurityEventNotification"),
    *("SignCertificate", "SignedFirmwareStatusNotification", "SignedUpdateFirmware"),
}
"""Of the security white paper, not of OCPP 1.6."""
STORIES = {path.name.split("-")[0] for path in (ROOT / "tests" / "stories").glob("*/*.yaml")}


def test_every_message_of_ocpp_is_there() -> None:
    named = {name.strip() for row in ROWS for name in row[0].split(",")}
    assert named == messages.ACTIONS - SECURITY


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_charts_and_stories_exist(row: list[str]) -> None:
    for chart in re.findall(r"`(\w+)`", row[1]):
        assert (ROOT / "charts" / f"{chart}.yaml").exists(), chart
    for story in filter(None, (name.strip() for name in row[3].split(","))):
        assert story in STORIES, story


@pytest.mark.parametrize("row", [row for row in ROWS if row[1] != "–"], ids=lambda row: row[0])
def test_a_chart_that_is_named_has_the_message(row: list[str]) -> None:
    texts = [(ROOT / "charts" / f"{chart}.yaml").read_text() for chart in re.findall(r"`(\w+)`", row[1])]
    queued = row[0] in ("StartTransaction", "StopTransaction", "MeterValues")
    assert queued or any(f"ocpp.{row[0]}" in text for text in texts)
