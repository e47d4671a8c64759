"""Everything with a wire: the adapters behind the port `charger.ports.Hardware`.

They report what happened as events and decide nothing; what a report means is for the charts to say. They
must not know the Central System, the panel or the database.
"""
