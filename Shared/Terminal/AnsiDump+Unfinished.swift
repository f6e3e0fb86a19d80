extension Core {
    /// Bytes that bring a parser at rest to where this one is: inside a character or a sequence that is not complete.
    /// A terminal that is given a dump and these goes on with the program's next byte as this one does.
    func unfinished() -> [UInt8] {
        var bytes: [UInt8] = []
        switch singleShift {
        case 2: bytes += [0x1B, UInt8(ascii: "N")]
        case 3: bytes += [0x1B, UInt8(ascii: "O")]
        default: break
        }
        switch state {
        case .ground: bytes += unfinishedCharacter()
        case .escape: bytes.append(0x1B)
        case .escapeIntermediate: bytes += [0x1B] + intermediates()
        case .csiEntry, .csiParameter, .csiIntermediate: bytes += [0x1B, UInt8(ascii: "[")] + parameterBytes()
        // A marker after a parameter is what makes a sequence one to ignore.
        case .csiIgnore: bytes += Array("\u{1B}[0?".utf8)
        case .dcsEntry, .dcsParameter, .dcsIntermediate: bytes += [0x1B, UInt8(ascii: "P")] + parameterBytes()
        case .dcsIgnore: bytes += Array("\u{1B}P0?".utf8)
        case .dcsString: bytes += [0x1B, UInt8(ascii: "P")] + parameterBytes() + stringBytes()
        case .oscString: bytes += [0x1B, UInt8(ascii: "]")] + stringBytes()
        case .otherString: bytes += [0x1B, UInt8(ascii: "_")]
        }
        return bytes
    }

    /// The bytes of `value` that have come. Their number follows from it: each length of sequence has values of its own
    /// (The Unicode Standard, table 3-7).
    private func unfinishedCharacter() -> [UInt8] {
        let value = utf8.value
        func lead(_ mark: UInt8, _ shift: UInt32) -> UInt8 { mark | UInt8(truncatingIfNeeded: value >> shift) }
        func next(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: value >> shift & 0x3F) }
        switch utf8.missing {
        case 3: return [lead(0xF0, 0)]
        case 2: return value < 0x10 ? [lead(0xE0, 0)] : [lead(0xF0, 6), next(0)]
        case 1:
            if value < 0x20 { return [lead(0xC0, 0)] }
            return value < 0x400 ? [lead(0xE0, 6), next(0)] : [lead(0xF0, 12), next(6), next(0)]
        default: return []
        }
    }

    private func parameterBytes() -> [UInt8] {
        var bytes: [UInt8] = prefix == 0 ? [] : [prefix]
        for index in 0..<min(parameterCount, Core.maximumParameters) {
            if index > 0 { bytes.append(subparameters >> UInt32(index) & 1 == 1 ? 0x3A : 0x3B) }
            bytes += String(parameters[index]).utf8
        }
        if parameterCount > Core.maximumParameters { bytes += ";0".utf8 }
        return bytes + intermediates()
    }

    private func intermediates() -> [UInt8] {
        guard intermediate != 0 else { return [] }
        guard secondIntermediate != 0 else { return [intermediate] }
        return secondIntermediate == 0xFF ? [intermediate, 0x20, 0x20] : [intermediate, secondIntermediate]
    }

    /// What was kept, and a byte more where something was not: either way it is too long for the other terminal too.
    private func stringBytes() -> [UInt8] {
        string + (stringLength > string.count ? [UInt8(ascii: "x")] : [])
    }
}
