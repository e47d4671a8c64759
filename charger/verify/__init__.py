"""The exhaustive verifier: every situation that charts can come into, and what breaks in it."""
