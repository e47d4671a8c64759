"""The baseline: about the least that is a charge point, on the ChargePoint class of PyPI `ocpp` 2.1.

Validation is on and ASYNC_VALIDATION is left at its default. It says in a session what our station says, and
has nothing else: no page, no database, no hardware, no configuration, no retries, no state but variables.

    python minimal.py ws://127.0.0.1:9000/ocpp/MINIMAL
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint as Base
from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import MeterValue, SampledValue
from ocpp.v16.enums import (
    Action,
    ChargePointErrorCode,
    ChargePointStatus,
    Measurand,
    ReadingContext,
    Reason,
    RemoteStartStopStatus,
    UnitOfMeasure,
)
from websockets.asyncio.client import connect

SAMPLE_INTERVAL = 60.0


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ChargePoint(Base):
    """One connector with a car that is always there and always hungry."""

    def __init__(self, name, connection):
        super().__init__(name, connection)
        self.transaction = None
        self.metering = None
        self.energy = 0

    async def begin(self):
        await self.call(call.BootNotification(charge_point_vendor="Bench", charge_point_model="Minimal"))
        for connector in (0, 1):
            await self.status(ChargePointStatus.available, connector)
        await self.status(ChargePointStatus.preparing)

    async def status(self, status, connector=1):
        await self.call(
            call.StatusNotification(
                connector_id=connector,
                error_code=ChargePointErrorCode.no_error,
                status=status,
                timestamp=now(),
            )
        )

    @on(Action.remote_start_transaction)
    def remote_start(self, id_tag, **_rest):
        free = self.transaction is None
        return call_result.RemoteStartTransaction(
            RemoteStartStopStatus.accepted if free else RemoteStartStopStatus.rejected
        )

    @after(Action.remote_start_transaction)
    async def charge(self, id_tag, **_rest):
        answer = await self.call(call.Authorize(id_tag=id_tag))
        if answer.id_tag_info["status"] != "Accepted":
            return
        await self.status(ChargePointStatus.preparing)
        started = await self.call(
            call.StartTransaction(connector_id=1, id_tag=id_tag, meter_start=self.energy, timestamp=now())
        )
        self.transaction = started.transaction_id
        self.metering = asyncio.create_task(self.meter())
        await self.status(ChargePointStatus.charging)

    async def meter(self):
        while True:
            await asyncio.sleep(SAMPLE_INTERVAL)
            value = SampledValue(
                value=str(self.energy),
                context=ReadingContext.sample_periodic,
                measurand=Measurand.energy_active_import_register,
                unit=UnitOfMeasure.wh,
            )
            reading = MeterValue(timestamp=now(), sampled_value=[value])
            await self.call(
                call.MeterValues(connector_id=1, transaction_id=self.transaction, meter_value=[reading])
            )

    @on(Action.remote_stop_transaction)
    def remote_stop(self, transaction_id):
        running = transaction_id == self.transaction
        return call_result.RemoteStopTransaction(
            RemoteStartStopStatus.accepted if running else RemoteStartStopStatus.rejected
        )

    @after(Action.remote_stop_transaction)
    async def finish(self, transaction_id):
        self.metering.cancel()
        self.transaction = None
        await self.status(ChargePointStatus.finishing)
        await self.call(
            call.StopTransaction(
                meter_stop=self.energy, timestamp=now(), transaction_id=transaction_id, reason=Reason.remote
            )
        )


async def main(url):
    async with connect(url, subprotocols=["ocpp1.6"], compression=None, ping_interval=None) as connection:
        charge_point = ChargePoint(url.rpartition("/")[2], connection)
        await asyncio.gather(charge_point.start(), charge_point.begin())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
