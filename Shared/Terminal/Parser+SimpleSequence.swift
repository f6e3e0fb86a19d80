extension Core {
    /// A whole control sequence of digits and semicolons, as nearly all are; anything else is begun and left to `controlSequence`.
    ///
    /// Those of one number or none, which are most, are done here, all others by `listSequence`.
    @inline(__always)
    mutating func simpleSequence(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        guard end - start >= 8 else { return listSequence(start, start, end, count: 0) }
        let word = UInt64(littleEndian: UnsafeRawPointer(start).loadUnaligned(as: UInt64.self))
        let number = LeadingNumber(word)
        if number.isFinal && number.length <= 4 {
            numberSequence(number)
            return start + (number.length + 1)
        }
        if number.end == UInt8(ascii: ";") && number.length <= 4 {
            parameters[0] = Int32(bitPattern: number.value)
            return listSequence(start, start + (number.length + 1), end, count: 1)
        }
        if number.end == UInt8(ascii: "?") && number.length == 0 {
            let mode = LeadingNumber(word >> 8)
            if mode.end == UInt8(ascii: "h") || mode.end == UInt8(ascii: "l"), mode.length > 0, mode.length <= 4 {
                joinable = false
                setPrivateMode(Int(mode.value), mode.end == UInt8(ascii: "h"))
                return start + (mode.length + 2)
            }
        }
        return listSequence(start, start, end, count: 0)
    }

    /// Those that programs move and paint with are done here, all others by `plainSequence`.
    @inline(__always)
    private mutating func numberSequence(_ number: LeadingNumber) {
        let repeatable = joinable
        joinable = false
        let value = Int(number.value)
        switch number.end {
        case UInt8(ascii: "m"): selectGraphic(value)
        case UInt8(ascii: "A"): moveUp(max(value, 1))
        case UInt8(ascii: "B"): moveDown(max(value, 1))
        case UInt8(ascii: "C"): moveRight(max(value, 1))
        case UInt8(ascii: "D"): moveLeft(max(value, 1))
        case UInt8(ascii: "K"): eraseInLine(value, selective: false)
        default:
            parameters[0] = Int32(bitPattern: number.value)
            parameterCount = number.length > 0 ? 1 : 0
            subparameters = 0
            plainSequence(number.end, repeatable: repeatable)
        }
    }

    /// A sequence of several numbers or with a marker; `count` numbers are read, and `first` stands behind them.
    @inline(never)
    private mutating func listSequence(
        _ start: UnsafePointer<UInt8>, _ first: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, count read: Int
    ) -> UnsafePointer<UInt8> {
        var at = first
        var count = read
        var marker: UInt8 = 0
        if count == 0 && at < end && at.pointee &- 0x3C <= 3 {
            marker = at.pointee
            at += 1
        }
        while end - at >= 8 && count < Core.maximumParameters {
            let number = LeadingNumber(UInt64(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)))
            if number.length > 4 { break }
            at += number.length + 1
            parameters[count] = Int32(bitPattern: number.value)
            if number.end == UInt8(ascii: ";") {
                count += 1
            } else if number.isFinal {
                parameterCount = number.length > 0 || count > 0 ? count + 1 : 0
                subparameters = 0
                finishList(number.end, marker)
                return at
            } else {
                break
            }
        }
        enterParameters(.csiEntry)
        return start
    }

    @inline(__always)
    private mutating func finishList(_ final: UInt8, _ marker: UInt8) {
        if marker != 0 {
            prefix = marker
            intermediate = 0
            secondIntermediate = 0
            dispatchControlSequence(final)
            return
        }
        let repeatable = joinable
        joinable = false
        switch final {
        case UInt8(ascii: "m"): selectPlainGraphics()
        case UInt8(ascii: "H"): moveTo(row: parameter(0) - 1, column: parameter(1) - 1)
        default: plainSequence(final, repeatable: repeatable)
        }
    }
}

/// The digits that eight bytes, the first one lowest, begin with.
private struct LeadingNumber {
    /// What they say, if they are at most four; 0 when there is none.
    let value: UInt32
    /// How many they are.
    let length: Int
    /// The byte behind them.
    let end: UInt8

    /// Eight bytes at once: a loop over digits ends at a place that no processor foresees.
    @inline(__always)
    init(_ word: UInt64) {
        let digits = word ^ 0x3030_3030_3030_3030
        // What is no digit sets its high bit; a carry reaches only bytes behind it.
        let stop = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
        let bits = UInt64(truncatingIfNeeded: stop.trailingZeroBitCount) & 0x78
        // Two digits, then two pairs of digits, in one multiplication each.
        var value = UInt32(truncatingIfNeeded: digits &<< (32 &- bits))
        value = (value &* 2561) >> 8 & 0x00FF_00FF
        value = (value &* 6_553_601) >> 16
        self.value = value
        length = Int(truncatingIfNeeded: bits >> 3)
        end = UInt8(truncatingIfNeeded: word &>> bits)
    }

    /// Whether the sequence ends behind them.
    @inline(__always)
    var isFinal: Bool { end &- 0x40 <= 0x3E }
}
