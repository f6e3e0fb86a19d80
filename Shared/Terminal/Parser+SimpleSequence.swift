extension Core {
    /// A whole control sequence of digits and semicolons, as nearly all are; anything else is begun and left to `controlSequence`.
    @inline(__always)
    mutating func simpleSequence(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        var count = 0
        var marker: UInt8 = 0
        if at < end && at.pointee &- 0x3C <= 3 {
            marker = at.pointee
            at += 1
        }
        while end - at >= 8 && count < Core.maximumParameters {
            // Eight bytes at once: a loop over digits ends at a place that no processor foresees.
            let word = UInt64(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self))
            let digits = word ^ 0x3030_3030_3030_3030
            // What is no digit sets its high bit; a carry reaches only bytes behind it.
            let stop = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
            let length = stop.trailingZeroBitCount >> 3
            if length > 4 { break }
            // Two digits, then two pairs of digits, in one multiplication each.
            var value = UInt32(truncatingIfNeeded: digits &<< UInt64(32 &- 8 &* length))
            value = (value &* 2561) >> 8 & 0x00FF_00FF
            value = (value &* 6_553_601) >> 16
            let byte = UInt8(truncatingIfNeeded: word &>> UInt64(8 &* length))
            at += length + 1
            if byte == 0x3B {
                parameters[count] = Int32(bitPattern: value)
                count += 1
            } else if byte &- 0x40 <= 0x3E {
                parameters[count] = Int32(bitPattern: value)
                parameterCount = length > 0 || count > 0 ? count + 1 : 0
                subparameters = 0
                if marker == 0 { plainSimpleSequence(byte) } else { markedSimpleSequence(byte, marker) }
                return at
            } else {
                break
            }
        }
        enterParameters(.csiEntry)
        return start
    }

    /// Those that programs move and paint with are done here, all others by `plainSequence`.
    @inline(__always)
    private mutating func plainSimpleSequence(_ final: UInt8) {
        let repeatable = joinable
        joinable = false
        switch final {
        case UInt8(ascii: "m"): selectPlainGraphics()
        case UInt8(ascii: "A"): moveUp(parameter(0))
        case UInt8(ascii: "B"): moveDown(parameter(0))
        case UInt8(ascii: "C"): moveRight(parameter(0))
        case UInt8(ascii: "D"): moveLeft(parameter(0))
        case UInt8(ascii: "H"): moveTo(row: parameter(0) - 1, column: parameter(1) - 1)
        default: plainSequence(final, repeatable: repeatable)
        }
    }

    private mutating func markedSimpleSequence(_ final: UInt8, _ marker: UInt8) {
        if marker == UInt8(ascii: "?") && parameterCount == 1 && (final == UInt8(ascii: "h") || final == UInt8(ascii: "l")) {
            joinable = false
            setPrivateMode(Int(parameters[0]), final == UInt8(ascii: "h"))
            return
        }
        prefix = marker
        intermediate = 0
        secondIntermediate = 0
        dispatchControlSequence(final)
    }
}
