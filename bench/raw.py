"""The floor: the frames of a session over `websockets` and `json`, prepared in advance, and no charge point at all.

It answers whatever it is asked with Accepted, and sends the next prepared frame when the last is answered.
What it costs, every charge point on this library pays; nothing it does is worth having.

    python raw.py ws://127.0.0.1:9000/ocpp/RAW
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from websockets.asyncio.client import connect

TIME = "2026-01-01T00:00:00.000Z"


def status(word, connector=1):
    payload = {"connectorId": connector, "errorCode": "NoError", "status": word, "timestamp": TIME}
    return "StatusNotification", payload


BEGIN = [
    ("BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "Raw"}),
    status("Available", 0),
    status("Available"),
    status("Preparing"),
]
START = [
    ("Authorize", {"idTag": "BENCH"}),
    status("Preparing"),
    ("StartTransaction", {"connectorId": 1, "idTag": "BENCH", "meterStart": 0, "timestamp": TIME}),
    status("Charging"),
]


def stop(transaction):
    payload = {"transactionId": transaction, "meterStop": 0, "timestamp": TIME, "reason": "Remote"}
    return [status("Finishing"), ("StopTransaction", payload)]


async def main(url):
    numbers = itertools.count()
    async with connect(url, subprotocols=["ocpp1.6"], compression=None, ping_interval=None) as connection:
        waiting = list(BEGIN)
        unanswered = False
        while True:
            if waiting and not unanswered:
                unanswered = True
                await connection.send(json.dumps([2, str(next(numbers)), *waiting.pop(0)]))
            kind, identifier, *rest = json.loads(await connection.recv())
            if kind != 2:
                unanswered = False
                continue
            await connection.send(json.dumps([3, identifier, {"status": "Accepted"}]))
            action, payload = rest
            starts = action == "RemoteStartTransaction"
            waiting += START if starts else stop(payload["transactionId"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
