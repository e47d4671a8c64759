"""The local web page and HTTP API of the charge point.

What people at the wall and test rigs see and press. It knows neither charts nor hardware: everything it
shows and does is handed to it as a `PanelSource` (`charger.panel.server`). The only importer of starlette
and uvicorn.
"""
