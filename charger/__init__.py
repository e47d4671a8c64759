"""An OCPP 1.6J charge point whose whole behaviour is declared in YAML statecharts."""

__version__ = "0.1.0"
