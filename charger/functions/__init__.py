"""What OCPP knows: configuration, authorization, transactions, delivery, metering. Pure, no I/O.

Functions and records only; when and whether something is done is the charts' business.
"""
