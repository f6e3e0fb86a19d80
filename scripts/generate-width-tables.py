#!/usr/bin/env python3
"""Writes Shared/Terminal/WidthTables.swift.

Source of the data: the Python package wcwidth (pip install wcwidth==0.7.0), whose tables are
derived from the Unicode Character Database: EastAsianWidth, DerivedGeneralCategory,
emoji-variation-sequences and GraphemeBreakProperty.

A scalar's class is one printable character (value + 0x30) in a two-stage table:
bits 0-1 cells (0, 1, 2) · bit 2 Extended_Pictographic · bit 3 narrow, wide before U+FE0F ·
bit 4 regional indicator · bit 5 wide emoji that U+FE0E makes narrow.
"""
import pathlib, wcwidth
from wcwidth import table_grapheme, table_vs16

def members(table):
    return {c for low, high in table for c in range(low, high + 1)}

pictographs = members(table_grapheme.EXTENDED_PICTOGRAPHIC)
vs16 = members(table_vs16.VS16_NARROW_TO_WIDE["9.0.0"])
# Wide characters of emoji-variation-sequences.txt that have a text presentation.
vs15 = set()
for spec in ("231A-231B 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653 267F 2693 26A1 26AA-26AB 26BD-26BE 26C4-26C5 26CE 26D4 "
             "26EA 26F2-26F3 26F5 26FA 26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757 2795-2797 27B0 27BF 2B1B-2B1C 2B50 2B55 "
             "1F004 1F0CF 1F18E 1F191-1F19A 1F201 1F21A 1F22F 1F232-1F236 1F238-1F23A 1F250-1F251 1F30D-1F30F 1F315 1F31C 1F378 "
             "1F393 1F3A7 1F3AC-1F3AE 1F3C2 1F3C4 1F3C6 1F3CA 1F3E0 1F3ED 1F408 1F415 1F41F 1F426 1F442 1F446-1F449 1F44D-1F44E "
             "1F453 1F46A 1F47D 1F4A3 1F4B0 1F4B3 1F4BB 1F4BF 1F4CB 1F4DA 1F4DF 1F4E4-1F4E6 1F4EA-1F4ED 1F4F7 1F4F9-1F4FB 1F508 "
             "1F50D 1F512-1F513 1F550-1F567 1F610 1F687 1F68D 1F691 1F694 1F698 1F6AD 1F6B2 1F6B9-1F6BA 1F6BC").split():
    low, _, high = spec.partition("-")
    vs15 |= set(range(int(low, 16), int(high or low, 16) + 1))

def value(c):
    width = wcwidth.wcwidth(chr(c)) if not 0xD800 <= c <= 0xDFFF else 1
    if 0x1F1E6 <= c <= 0x1F1FF: width = 1
    if c == 0xAD: width = 1  # soft hyphen takes a cell in terminals
    v = 1 if width < 0 else width
    if c in pictographs: v |= 4
    if v & 3 == 1 and c in vs16: v |= 8
    if 0x1F1E6 <= c <= 0x1F1FF: v |= 16
    if v & 3 == 2 and c in vs15: v |= 32
    return v

blocks, first = {}, []
for base in range(0, 0x110000, 256):
    block = tuple(value(c) for c in range(base, base + 256))
    first.append(blocks.setdefault(block, len(blocks)))
assert len(blocks) <= 256

def text(values):
    out = []
    line = ""
    for v in values:
        ch = chr(v + 0x30)
        line += "\\\\" if ch == "\\" else ch
        if len(line) >= 120:
            out.append(line + "\\"); line = ""
    if line: out.append(line + "\\")
    out[-1] = out[-1][:-1]
    return "\n        ".join(out)

path = pathlib.Path(__file__).resolve().parent.parent / "Shared/Terminal/WidthTables.swift"
path.write_text(f'''// Made by scripts/generate-width-tables.py from wcwidth {wcwidth.__version__} (Unicode {wcwidth.list_versions()[-1]}); do not edit.

/// Two-stage table of character classes; the script describes the values.
enum WidthTables {{
    /// Block number of every 256 scalars as two digits of base 16, each plus 0x30.
    static let blocks: StaticString = """
        {text([d for b in first for d in (b >> 4, b & 15)])}
        """

    /// Classes of the distinct blocks, plus 0x30.
    static let classes: StaticString = """
        {text([v for b in blocks for v in b])}
        """
}}
''')
print(len(blocks), "blocks")
