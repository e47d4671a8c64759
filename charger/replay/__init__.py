"""Traces run again: bit-exactly, in front of other charts, and with every guard explained."""
