"""What the registers of each kind of meter hold, worked out beside the program: from the makers' tables."""

import struct


def words(letter, *numbers):
    """Words of numbers one behind the other, the high one first."""
    data = b"".join(struct.pack(f">{letter}", number) for number in numbers)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def low_first(words):
    return [word for pair in zip(words[1::2], words[::2], strict=True) for word in pair]


def at(*pieces):
    return {address + offset: word for address, words in pieces for offset, word in enumerate(words)}


EASTRON_3 = at(
    (0x00, words("f", 230.2, 229.5, 231.0)),
    (0x06, words("f", 16.0, 15.5, 15.75)),
    (0x34, words("f", 10875.0)),
    (0x48, words("f", 12345.625)),
    (0x156, words("f", 99999.0)),  # import and export: not to be billed
)
EASTRON_1 = at(
    (0x00, words("f", 230.2)),
    (0x06, words("f", 16.0)),
    (0x0C, words("f", 3680.0)),
    (0x48, words("f", 12345.625)),
)
EASTRON_72 = at((0x34, words("f", 10875.0)), (0x48, words("f", 12345.625)))
ABB = at(
    (0x5B00, words("I", 2302, 2295, 2310)),
    (0x5B0C, words("I", 1600, 1550, 1575)),
    (0x5B14, words("i", 1087500)),
    (0x5000, words("Q", 1234562)),
)
GAVAZZI = at(
    (0x00, low_first(words("i", 2302, 2295, 2310))),
    (0x0C, low_first(words("i", 16000, 15500, 15750))),
    (0x28, low_first(words("i", 108750))),
    (0x34, low_first(words("i", 123456))),
)

THREE = ((16.0, 15.5, 15.75), (230.2, 229.5, 231.0))
ONE = ((16.0,), (230.2,))

METERS = {
    "sdm630": (4, EASTRON_3, 12345625.0, 10875.0, *THREE),
    "sdm120": (4, EASTRON_1, 12345625.0, 3680.0, *ONE),
    "sdm230": (4, EASTRON_1, 12345625.0, 3680.0, *ONE),
    "sdm72": (4, EASTRON_72, 12345625.0, 10875.0, (), ()),
    "sdm72-v2": (4, EASTRON_3, 12345625.0, 10875.0, *THREE),
    "abb-b23": (3, ABB, 12345620.0, 10875.0, *THREE),
    "em340": (4, GAVAZZI, 12345600.0, 10875.0, *THREE),
}
"""Name of the map → function code, registers, and the energy, power, currents and voltages that they say."""
