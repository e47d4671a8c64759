"""The link to the Central System: OCPP-J 1.6 over WebSocket.

`messages` turns text frames into checked values and back, `link` is the port `Central` for the field,
`demo` is a Central System small enough to try a charge point against.
Only this package imports `ocpp` and `websockets`; it knows nothing of charts, connectors or hardware.
"""
