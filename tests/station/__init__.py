"""The behaviour of the station, by subject of OCPP 1.6, in virtual time."""
