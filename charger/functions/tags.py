"""How an idTag is made of what a card reader says: a template of station.yaml.

``{hex}`` is the card's UID as it is sent, in hexadecimal; ``{decimal}`` the same as a number; both also
``_reversed``, last byte first, as many readers print it. ``{typed}`` is what a keyboard reader types.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 20
"""Characters of an IdToken (OCPP 1.6 §7.28)."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pn532": ("hex", "hex_reversed", "decimal", "decimal_reversed"),
    "keyboard": ("typed",),
}
"""Type of a reader → what its templates may name."""
USUAL: Final = {"pn532": "{hex}", "keyboard": "{typed}"}
"""The template when there is none."""


def wrong(template: str, reader: str) -> str | None:
    """What is wrong with a template for that type of reader; None: nothing."""
    known = WORDS[reader]
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        return f"'{template}': every {{ needs its }}, as in {USUAL[reader]}"
    names = [name for _, name, _, _ in parts if name is not None]
    for text, name, form, conversion in parts:
        if name is not None and (name not in known or form or conversion):
            return f"'{template}': {{{name}}} is not known; a {reader} reader has {_listed(known)}"
        if text and not re.fullmatch(r"[ -~]*", text):
            return f"'{template}': an idTag is plain ASCII"
    if len(names) != 1:
        return f"'{template}' should name one of {_listed(known)}, once"
    return None


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def id_tag(template: str, uid: bytes | str) -> str:
    """Make the idTag.

    Args:
        template: one that is not `wrong`.
        uid: of the card, or the line that a keyboard reader typed.

    Raises:
        ValueError: no idTag comes of it; the sentence says why.
    """
    if isinstance(uid, str):
        made = template.format(typed=uid)
    else:
        made = template.format(
            hex=uid.hex().upper(),
            hex_reversed=uid[::-1].hex().upper(),
            decimal=int.from_bytes(uid, "big"),
            decimal_reversed=int.from_bytes(uid, "little"),
        )
    if not 1 <= len(made) <= LONGEST:
        raise ValueError(f"'{made}' has {len(made)} characters; an idTag has 1 to {LONGEST}")
    return made
