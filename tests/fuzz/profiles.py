"""How long the machines run: bounded and always the same, or with ``CHARGER_FUZZ=N`` N times as many examples.

The long ones have more steps, are chosen by chance, and what failed is remembered in ``.hypothesis``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("CHARGER_FUZZ", "0"))
CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def profile(examples: int, steps: int) -> settings:
    """Settings for one machine: so many examples of so many steps in the bounded run."""
    if TIMES:
        return settings(
            deadline=None,
            max_examples=examples * TIMES,
            print_blob=True,
            stateful_step_count=3 * steps,
            suppress_health_check=CHECKS,
        )
    return settings(
        database=None,
        deadline=None,
        derandomize=True,
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=CHECKS,
    )
