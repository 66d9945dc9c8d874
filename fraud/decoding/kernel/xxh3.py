"""XXH3 of up to 240 bytes, 64 bits, seed 0: bit by bit what `xxhash.xxh3_64_intdigest` gives.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. Longer inputs take another way there; no id of a sane
platform is as long, so that is left to the library.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.kernel.instructions import fold_product, load32, load64, swap_bytes

Int: TypeAlias = int | np.int64
Bool: TypeAlias = bool | np.bool_
Bytes: TypeAlias = npt.NDArray[np.uint8]

LONGEST: Final = 240

_U = np.uint64
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
        "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
        "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ),
    np.uint8,
)


def _secret(at: int) -> np.uint64:
    return np.uint64(int.from_bytes(_SECRET[at : at + 8].tobytes(), "little"))


_TO_3 = _U(int(_secret(0)) & 0xFFFFFFFF ^ int(_secret(0)) >> 32)
_TO_8 = _secret(8) ^ _secret(16)
_TO_16_LOW = _secret(24) ^ _secret(32)
_TO_16_HIGH = _secret(40) ^ _secret(48)
_PRIME_1 = _U(0x9E3779B185EBCA87)
_PRIME_2 = _U(0xC2B2AE3D27D4EB4F)
_PRIME_3 = _U(0x165667B19E3779F9)
_MIX_1 = _U(0x165667919E3779F9)
_MIX_2 = _U(0x9FB21C651E98DF25)
_MIDDLE, _MIDDLE_START, _MIDDLE_LAST = 128, 3, 136 - 17


@compiled
def xxh3(data: Bytes, at: Int, length: Int) -> np.uint64:
    """The hash of 1 to 240 bytes from `at` on."""
    if length <= 3:
        return _to_3(data, at, length)
    if length <= 8:
        return _to_8(data, at, length)
    if length <= 16:
        return _to_16(data, at, length)
    return _longer(data, at, length)


@compiled
def _to_3(data: Bytes, at: Int, length: Int) -> np.uint64:
    first, middle, last = _U(data[at]), _U(data[at + (length >> 1)]), _U(data[at + length - 1])
    h = (first << _U(16) | middle << _U(24) | last | _U(length) << _U(8)) ^ _TO_3
    h = (h ^ h >> _U(33)) * _PRIME_2
    h = (h ^ h >> _U(29)) * _PRIME_3
    return h ^ h >> _U(32)


@compiled
def _to_8(data: Bytes, at: Int, length: Int) -> np.uint64:
    h = (load32(data, at + length - 4) + (load32(data, at) << _U(32))) ^ _TO_8
    h ^= (h << _U(49) | h >> _U(15)) ^ (h << _U(24) | h >> _U(40))
    h *= _MIX_2
    h ^= (h >> _U(35)) + _U(length)
    h *= _MIX_2
    return h ^ h >> _U(28)


@compiled
def _to_16(data: Bytes, at: Int, length: Int) -> np.uint64:
    low = load64(data, at) ^ _TO_16_LOW
    high = load64(data, at + length - 8) ^ _TO_16_HIGH
    return _avalanche(_U(length) + swap_bytes(low) + high + fold_product(low, high))


@compiled
def _longer(data: Bytes, at: Int, length: Int) -> np.uint64:
    h = _U(length) * _PRIME_1
    if length > _MIDDLE:
        for part in range(8):
            h += _mix(data, at + 16 * part, 16 * part)
        h = _avalanche(h)
        for part in range(8, length // 16):
            h += _mix(data, at + 16 * part, 16 * (part - 8) + _MIDDLE_START)
        return _avalanche(h + _mix(data, at + length - 16, _MIDDLE_LAST))
    for part in range((length - 1) // 32 + 1):  # from both ends inwards
        h += _mix(data, at + 16 * part, 32 * part)
        h += _mix(data, at + length - 16 * (part + 1), 32 * part + 16)
    return _avalanche(h)


@compiled
def _mix(data: Bytes, at: Int, secret: Int) -> np.uint64:
    return fold_product(load64(data, at) ^ load64(_SECRET, secret), load64(data, at + 8) ^ load64(_SECRET, secret + 8))


@compiled
def _avalanche(h: np.uint64) -> np.uint64:
    h = (h ^ h >> _U(37)) * _MIX_1
    return h ^ h >> _U(32)
