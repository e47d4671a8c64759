"""YAML statecharts: read strictly, checked, compiled to python-statemachine, run step by step.

This package knows statecharts. It knows nothing of chargers: every name a chart may use comes to it as a
`Vocabulary`, and it imports no other package of ours.
"""
