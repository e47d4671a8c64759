"""The page in a real browser."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import pytest
from panel_browser import CHROMIUM, browser
from panel_fake import CHARGING, FakeStation, address, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")

HOSTILE = "<img src=x onerror=1>"
LIT = """[...document.querySelectorAll('.connector')].map(
    card => [...card.querySelectorAll('.lit')].map(state => state.dataset.state))"""


def lit(*cards):
    """Return the condition that these states are lit, card by card."""
    return f"JSON.stringify({LIT}) === JSON.stringify({[list(card) for card in cards]!r})"


def seen(station, script, **options):
    """Run an async function ``script(page, panel)`` with the page open; the browser may not complain."""

    async def main():
        async with running(station, **options) as panel, browser() as page:
            query = f"?token={options['token']}" if "token" in options else ""
            await page.open(panel.url + query)
            await page.until(
                "document.querySelectorAll('.connector').length > 0 && document.querySelector('.leaf')"
            )
            await script(page, panel)
            assert page.complaints == []

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_page_shows_the_station_and_lights_the_active_states():
    station = FakeStation()
    station.state["connectors"][0] = deepcopy(CHARGING)
    station.state["display"] = "have a nice coffee"
    station.state["connectors"][1]["faults"] = [{"error_code": "GroundFailure", "info": HOSTILE}]
    station.state["connectors"][0]["transaction"]["id_tag"] = HOSTILE

    async def look(page, panel):
        await page.until(lit(["Charging", "Energised"], ["Available"]))
        text = await page.evaluate("document.body.innerText")
        for words in (
            "CP001",
            "Link Up",
            "Accepted",
            "have a nice coffee",
            "7.4 kW",
            "5.18 kWh",
            "42:00",
            "32 A",
        ):
            assert words in text
        assert f"12 · {HOSTILE} · since" in text
        assert f"GroundFailure: {HOSTILE}" in text
        assert await page.evaluate("document.querySelectorAll('img').length") == 0
        assert await page.evaluate("document.querySelector('.connector .badge').dataset.status") == "Charging"
        ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
        assert len(ids) == len(set(ids))

    seen(station, look)


def test_a_step_changes_the_page_and_a_button_reaches_the_station():
    station = FakeStation()

    async def look(page, panel):
        await page.until(lit(["Available"], ["Available"]))
        await page.evaluate("document.querySelector('.connector [data-act=plug]').click()")
        await asyncio.wait_for(station.acted.wait(), 10)
        assert station.acts == [("plug", 1, {})]
        station.state["connectors"][0] = deepcopy(CHARGING)
        move = {"chart": "connector", "connector": 1, "from": "Available", "to": "Energised"}
        panel.published(
            {"time": "2026-11-22T12:00:00.000Z", "event": "cable.plugged", "connector": 1, "moves": [move]}
        )
        panel.frame("out", '[2,"1","Authorize",{"idTag":"' + HOSTILE + '"}]')
        await page.until(lit(["Charging", "Energised"], ["Available"]))
        await page.until("document.querySelector('#frames').innerText.includes('Authorize')")
        assert "connector: Available → Energised" in await page.evaluate(
            "document.querySelector('#steps').innerText"
        )
        assert HOSTILE in await page.evaluate("document.querySelector('#frames').innerText")
        assert await page.evaluate("document.querySelectorAll('img').length") == 0

    seen(station, look)


def test_a_refused_act_is_explained():
    station = FakeStation()
    station.refusal = ValueError("there is no cable to unplug")

    async def look(page, panel):
        await page.evaluate("document.querySelector('.connector [data-act=unplug]').click()")
        await page.until("document.querySelector('#toast').innerText === 'there is no cable to unplug'")
        page.complaints.clear()  # the browser logs every answer that is not fine

    seen(station, look)


def test_every_simulated_act_has_something_to_press():
    station = FakeStation()
    station.state |= {"inputs": {"door": False}, "outputs": {"fan": "blink"}}
    station.state["connectors"][1] |= {"inputs": {"stop_button": True}, "outputs": {}}
    here, card = "document.querySelector('#station')", "document.querySelectorAll('.connector')[1]"

    async def look(page, panel):
        async def press(root, selector, value=None):
            await page.evaluate(f"{root}.querySelector({selector!r}).{'click()' if value is None else value}")

        async def led_to(*act):
            await asyncio.wait_for(station.acted.wait(), 10)
            station.acted.clear()
            assert station.acts.pop() == act
            assert station.acts == []

        await press(here, "[name=id_tag]", "value = 'CARD'")
        await press(here, "[data-act=swipe] button")
        await led_to("swipe", None, {"id_tag": "CARD"})
        await press(here, "[name=connector]", "value = '2'")
        await press(here, "[data-act=swipe] button")
        await led_to("swipe", 2, {"id_tag": "CARD"})
        await press(here, "[data-act=fault] button")
        await led_to("fault", 0, {"error_code": "InternalError"})
        await press(here, "[data-act=clear]")
        await led_to("clear_fault", 0, {})
        await press(card, "[data-act=plug]")
        await led_to("plug", 2, {})
        await press(card, "[data-act=unplug]")
        await led_to("unplug", 2, {})
        await press(card, "[data-act=ready]")
        await led_to("ev", 2, {"state": "ready"})
        await press(card, "[data-act=suspended]")
        await led_to("ev", 2, {"state": "suspended"})
        await press(card, "[data-act=lock]")
        await led_to("lock", 2, {"fail": True})
        await press(card, "[data-act=lock]")
        await led_to("lock", 2, {"fail": False})
        await press(card, "[name=error_code]", "value = 'OverVoltage'")
        await press(card, "[name=info]", "value = 'test'")
        await press(card, "[data-act=fault] button")
        await led_to("fault", 2, {"error_code": "OverVoltage", "info": "test"})
        await press(card, "[data-act=clear]")
        await led_to("clear_fault", 2, {})
        await press(here, "[data-input=door]")
        await led_to("input", None, {"name": "door", "on": True})
        await press(card, "[data-input=stop_button]")
        await led_to("input", 2, {"name": "stop_button", "on": False})
        assert "fan blink" in await page.evaluate(f"{here}.innerText")

    seen(station, look)


def test_with_real_hardware_there_is_nothing_to_press():
    async def look(page, panel):
        count = "[...document.querySelectorAll('[data-sim]')].filter(e => e.offsetParent).length"
        assert await page.evaluate(count) == 0

    seen(FakeStation(simulated=False), look)


def test_another_chart_can_be_chosen():
    station = FakeStation()

    async def look(page, panel):
        await page.evaluate("document.querySelectorAll('.connector .tabs button')[1].click()")
        await page.until(
            "document.querySelector('.connector .none').innerText"
            " === 'There is no picture of the chart power.'"
        )
        await page.evaluate("document.querySelectorAll('.connector .tabs button')[0].click()")
        await page.until(lit(["Available"], ["Available"]))
        page.complaints.clear()  # the picture that is not there

    seen(station, look)


def test_the_page_works_with_a_token_and_takes_it_out_of_the_address():
    async def look(page, panel):
        assert await page.evaluate("location.href") == panel.url

    seen(FakeStation(), look, token="secret")


def test_the_page_finds_a_station_that_was_started_anew():
    async def main():
        async with browser() as page:
            async with running(FakeStation()) as panel:
                _, port = address(panel)
                await page.open(panel.url)
                await page.until(lit(["Available"], ["Available"]))
            await page.until("!document.querySelector('#lost').hidden")
            station = FakeStation()
            station.state["connectors"][0] = deepcopy(CHARGING)
            async with running(station, port=port):
                await page.until(lit(["Charging", "Energised"], ["Available"]))
                await page.until("document.querySelector('#lost').hidden")

    asyncio.run(asyncio.wait_for(main(), 60))
