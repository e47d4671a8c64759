"""The configuration keys of OCPP 1.6 §9: a typed registry, validation and values.

A key that a station does not offer (null in station.yaml, optional keys only) is unknown to the Central
System; guards see its neutral value. Values are stored as the text the Central System wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from charger.functions import metering
from charger.functions.records import Records

_PHASE_ITEM = re.compile(r"\s*(?:(\d+)\.)?(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)\s*\Z")
_WHOLE = re.compile(r"\s*[0-9]{1,10}\s*\Z")

Type = Literal["bool", "int", "list", "text"]
NO_LIMIT = 2_147_483_647
"""The greatest integer of OCPP 1.6."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key."""

    name: str
    type: Type
    default: str
    description: str
    """What it means, in one line; its unit."""
    writable: bool = True
    optional: bool = False
    """May be left out of a station (OCPP 1.6 §9: not required)."""
    low: int = 0
    high: int = NO_LIMIT
    unit: str = ""
    check: Callable[[str, Configuration], bool] | None = None
    """Further validation of a text that has the right type."""
    reboot: bool = False
    """A change needs a restart to take effect."""
    setting: bool = False
    """Declared by the charts (index.yaml), not by OCPP."""


def _measurands(name: str) -> Callable[[str, Configuration], bool]:
    def check(text: str, configuration: Configuration) -> bool:
        items = split(text)
        return len(items) <= configuration.number(f"{name}MaxLength", 1) and all(
            metering.supported(item, configuration.phases) for item in items
        )

    return check


def _phase_rotation(text: str, configuration: Configuration) -> bool:
    matches = [_PHASE_ITEM.match(item) for item in text.split(",")]
    last = configuration.number("NumberOfConnectors", 1)
    most = configuration.number("ConnectorPhaseRotationMaxLength", 1)
    return len(matches) <= most and all(match and int(match[1] or 0) <= last for match in matches)


def _keys() -> tuple[Key, ...]:
    energy = "Energy.Active.Import.Register"
    keys = [
        Key("AllowOfflineTxForUnknownId", "bool", "false", "Offline, unknown tags may start.", optional=True),
        Key("AuthorizationCacheEnabled", "bool", "true", "Remember what was authorized.", optional=True),
        Key("AuthorizeRemoteTxRequests", "bool", "true", "Authorize before a remote start is carried out."),
        Key("BlinkRepeat", "int", "3", "How often the lamp blinks to signal.", optional=True),
        Key("ClockAlignedDataInterval", "int", "0", "Clock-aligned meter values, s; 0: none.", unit="s"),
        Key("ConnectionTimeOut", "int", "60", "From Preparing to giving up, s; 0: never.", unit="s"),
        Key("ConnectorPhaseRotation", "list", "NotApplicable", "Wiring order.", check=_phase_rotation),
        Key("ConnectorPhaseRotationMaxLength", "int", "16", "Items.", writable=False, optional=True),
        Key("GetConfigurationMaxKeys", "int", "100", "Keys in one request.", writable=False),
        Key("HeartbeatInterval", "int", "900", "Between Heartbeats, s; 0: none.", unit="s"),
        Key("LightIntensity", "int", "100", "Lamp brightness, %.", optional=True, high=100, unit="%"),
        Key("LocalAuthorizeOffline", "bool", "true", "Offline, known tags may start."),
        Key("LocalPreAuthorize", "bool", "false", "Online, known tags start without asking."),
        Key(
            "MaxEnergyOnInvalidId",
            "int",
            "0",
            "Still delivered to a refused tag, Wh.",
            optional=True,
            unit="Wh",
        ),
        Key("MessageTimeout", "int", "30", "For an answer, s (errata 3.83).", optional=True, low=1, unit="s"),
    ]
    for name, default in (
        ("MeterValuesAlignedData", energy),
        ("MeterValuesSampledData", f"{energy},Power.Active.Import"),
        ("StopTxnAlignedData", ""),
        ("StopTxnSampledData", ""),
    ):
        keys += [
            Key(name, "list", default, "What is measured.", check=_measurands(name)),
            Key(f"{name}MaxLength", "int", "8", "Items.", writable=False, optional=True),
        ]
    return (
        *keys,
        Key("MeterValueSampleInterval", "int", "60", "In a transaction, s; 0: none.", unit="s"),
        Key(
            "MinimumStatusDuration",
            "int",
            "0",
            "A status lasts so long before it is told, s.",
            optional=True,
            unit="s",
        ),
        Key("NumberOfConnectors", "int", "1", "Without connector 0.", writable=False),
        Key("ResetRetries", "int", "1", "Of a reset that did not work."),
        Key(
            "StopTransactionMaxMeterValues",
            "int",
            "100",
            "In transactionData.",
            writable=False,
            optional=True,
        ),
        Key(
            "StopTransactionOnEVSideDisconnect",
            "bool",
            "true",
            "Unplugged at the car, it ends.",
            optional=True,
        ),
        Key("StopTransactionOnInvalidId", "bool", "true", "A refused tag ends its transaction."),
        Key(
            "SupportedFeatureProfiles", "list", "Core,RemoteTrigger", "Profiles of OCPP 1.6.", writable=False
        ),
        Key("SupportedFeatureProfilesMaxLength", "int", "6", "Items.", writable=False, optional=True),
        Key("TransactionMessageAttempts", "int", "3", "Transmissions before giving up.", low=1),
        Key("TransactionMessageRetryInterval", "int", "60", "Times transmissions made, s.", unit="s"),
        Key("UnlockConnectorOnEVSideDisconnect", "bool", "true", "Unplugged at the car, our lock opens."),
        Key("WebSocketPingInterval", "int", "30", "Between pings, s; 0: none.", optional=True, unit="s"),
    )


KEYS: Mapping[str, Key] = {key.name: key for key in _keys()}
"""Every OCPP key that this program knows, by name."""


def split(text: str) -> list[str]:
    """The items of a comma separated list; blanks do not count."""
    return [item.strip() for item in text.split(",") if item.strip()]


class Configuration:
    """The keys of one station with their values.

    Args:
        records: where written values are kept (subject ``configuration``).
        settings: declared in charts/index.yaml, name and default.
        initial: from station.yaml; None takes a key away. Wins over the default until a value is written.
        fixed: what follows from the hardware; wins over everything.
        phases: the most that a connector has.
    """

    def __init__(
        self,
        records: Records,
        settings: Mapping[str, str | int | float | bool] | None = None,
        initial: Mapping[str, str | None] | None = None,
        fixed: Mapping[str, str] | None = None,
        phases: int = 3,
    ) -> None:
        self.phases = phases
        self._records = records
        self._initial = {name.casefold(): value for name, value in (initial or {}).items()}
        self._fixed = dict(fixed or {})
        self._keys = dict(KEYS) | {name: setting_key(name, value) for name, value in (settings or {}).items()}
        self._names = {name.casefold(): name for name in self._keys}
        self._typed: dict[str, Any] = {}

    def find(self, name: str) -> Key | None:
        """The key of that name in any case; None when it is not offered."""
        key = self._keys.get(self._names.get(name.casefold(), ""))
        if key and name.casefold() in self._initial and self._initial[name.casefold()] is None:
            return None
        return key

    def offered(self) -> list[Key]:
        """Every key the Central System may see, by name."""
        return [key for name in sorted(self._keys) if (key := self.find(name))]

    def writable(self, key: Key) -> bool:
        """Whether the Central System may write it."""
        return key.writable and key.name not in self._fixed

    def text(self, name: str) -> str:
        """The value as text."""
        if name in self._fixed:
            return self._fixed[name]
        stored = self._records.get("configuration", name)
        if stored is not None:
            return str(stored)
        if name.casefold() in self._initial:
            value = self._initial[name.casefold()]
            return _NEUTRAL[self._keys[name].type] if value is None else value
        return self._keys[name].default

    def value(self, name: str) -> Any:
        """The value with its type: bool, int, float, list of text, or text."""
        if name not in self._typed:
            self._typed[name] = typed(self._keys[name], self.text(name))
        return self._typed[name]

    def number(self, name: str, missing: int) -> int:
        """A number, or `missing` when the key is not offered."""
        return int(self.value(name)) if self.find(name) else missing

    def valid(self, key: Key, text: str) -> bool:
        """Whether the text may be its value."""
        match key.type:
            case "bool":
                right = text.strip().casefold() in ("true", "false")
            case "int":
                right = bool(_WHOLE.match(text)) and key.low <= int(text) <= key.high
            case _:
                right = True
        return right and (key.check is None or key.check(text, self))

    def write(self, key: Key, text: str) -> None:
        """Keep a valid value, written as everybody writes it: ``true``, ``60``."""
        text = text.strip()
        match key.type:
            case "bool":
                text = text.casefold()
            case "int":
                text = str(int(text))
        self._records.put("configuration", key.name, text)
        self._typed.pop(key.name, None)

    def origin(self, name: str) -> str:
        """Where the value comes from, for people: written, station.yaml, hardware, charts or default."""
        if name in self._fixed:
            return "hardware"
        if self._records.get("configuration", name) is not None:
            return "written by the Central System"
        if name.casefold() in self._initial:
            return "station.yaml"
        return "charts/index.yaml" if self._keys[name].setting else "default"


_NEUTRAL: Mapping[Type, str] = {"bool": "false", "int": "0", "list": "", "text": ""}


def typed(key: Key, text: str) -> Any:
    """A text as the type of its key."""
    match key.type:
        case "bool":
            return text.strip().casefold() == "true"
        case "int":
            return int(text)
        case "list":
            return split(text)
        case _:
            return text


def setting_key(name: str, value: str | float | bool) -> Key:
    """A key declared in charts/index.yaml; its type is that of its default."""
    kind: Type = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "text"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Key(name, kind, text, "Declared in charts/index.yaml.", optional=True, setting=True)
