"""numba loops of `distest.kernels.planes`: blocks of 512 symbols as planes of 4, 2 and 1 bits."""

from typing import Any

from distest.kernels.jit._jit import inline, kernel, u8, u32
from distest.kernels.jit._lanes import both, down, either, up

Array = Any


@inline
def _fours(symbols: Array, shift: Any, out: Array) -> None:
    for j in range(256):
        a, b = both(down(symbols[j], shift), u8(15)), both(down(symbols[j + 256], shift), u8(15))
        out[j] = either(up(a, u8(4)), b)


@inline
def _twos(symbols: Array, shift: Any, out: Array) -> None:
    for j in range(128):
        a, b = both(down(symbols[j], shift), u8(3)), both(down(symbols[j + 128], shift), u8(3))
        c, d = both(down(symbols[j + 256], shift), u8(3)), both(down(symbols[j + 384], shift), u8(3))
        out[j] = either(either(up(a, u8(6)), up(b, u8(4))), either(up(c, u8(2)), d))


@inline
def _ones(symbols: Array, out: Array) -> None:
    for j in range(64):
        byte = both(symbols[j], u8(1))
        for row in range(1, 8):
            byte = either(up(byte, u8(1)), both(symbols[j + 64 * row], u8(1)))
        out[j] = byte


@inline
def pack_block(symbols: Array, width: int, out: Array) -> None:
    """The 512 symbols of `width` bits (1 to 8) to the 64 * width bytes of out."""
    if width == 8:
        for j in range(512):
            out[j] = symbols[j]
        return
    at = 0
    if width & 4:
        _fours(symbols, u8(width & 3), out[:256])
        at = 256
    if width & 2:
        _twos(symbols, u8(width & 1), out[at : at + 128])
        at += 128
    if width & 1:
        _ones(symbols, out[at : at + 64])


@inline
def pack_tail(symbols: Array, count: int, width: int, out: Array, at: int) -> None:
    """The first `count` symbols in order, most significant bit first, to out from out[at] on."""
    word, held = u32(0), 0
    for j in range(count):
        word = either(up(word, u32(width)), u32(symbols[j]))
        held += width
        while held >= 8:
            held -= 8
            out[at] = u8(down(word, u32(held)))
            at += 1
    if held > 0:
        out[at] = u8(up(word, u32(8 - held)))


@inline
def unpack_tail(data: Array, at: int, width: int, count: int, symbols: Array) -> None:
    """What `pack_tail` wrote."""
    word, held = u32(0), 0
    for j in range(count):
        while held < width:
            word = either(up(word, u32(8)), u32(data[at]))
            held += 8
            at += 1
        held -= width
        symbols[j] = both(u8(down(word, u32(held))), u8((1 << width) - 1))


@inline
def _four_apart(data: Array, shift: Any, symbols: Array) -> None:
    for j in range(256):
        symbols[j] = up(down(data[j], u8(4)), shift)
    for j in range(256):
        symbols[j + 256] = up(both(data[j], u8(15)), shift)


@inline
def _two_apart(data: Array, shift: Any, symbols: Array) -> None:
    for row in range(4):
        part = symbols[128 * row : 128 * row + 128]
        right = u8(6 - 2 * row)
        for j in range(128):
            part[j] = either(part[j], up(both(down(data[j], right), u8(3)), shift))


@inline
def _one_apart(data: Array, symbols: Array) -> None:
    for row in range(8):
        part = symbols[64 * row : 64 * row + 64]
        right = u8(7 - row)
        for j in range(64):
            part[j] = either(part[j], both(down(data[j], right), u8(1)))


@inline
def unpack_block(data: Array, width: int, symbols: Array) -> None:
    """The reverse of pack_block."""
    if width == 8:
        for j in range(512):
            symbols[j] = data[j]
        return
    at = 0
    if width & 4:
        _four_apart(data[:256], u8(width & 3), symbols)
        at = 256
    else:
        for j in range(512):
            symbols[j] = u8(0)
    if width & 2:
        _two_apart(data[at : at + 128], u8(width & 1), symbols)
        at += 128
    if width & 1:
        _one_apart(data[at : at + 64], symbols)


@kernel
def pack(symbols: Array, width: int, out: Array) -> None:
    """All blocks of symbols, whose size is a multiple of 512."""
    for block in range(symbols.size // 512):
        pack_block(symbols[512 * block : 512 * block + 512], width, out[64 * width * block : 64 * width * (block + 1)])


@kernel
def unpack(data: Array, width: int, symbols: Array) -> None:
    """The reverse of pack."""
    for block in range(symbols.size // 512):
        piece = data[64 * width * block : 64 * width * (block + 1)]
        unpack_block(piece, width, symbols[512 * block : 512 * block + 512])
