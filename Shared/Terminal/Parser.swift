/// States of Paul Williams' parser for DEC terminals (https://vt100.net/emu/dec_ansi_parser).
enum ParserState: UInt8 {
    case ground, escape, escapeIntermediate
    case csiEntry, csiParameter, csiIntermediate, csiIgnore
    case dcsEntry, dcsParameter, dcsIntermediate, dcsIgnore, dcsString
    case oscString, otherString
}

extension Core {
    mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        let start = base.assumingMemoryBound(to: UInt8.self)
        let end = start + bytes.count
        let (row, column, visible) = (row, column, cursorVisible)
        var at = start
        while at < end {
            switch state {
            case .ground: at = ground(at, end)
            case .escape, .escapeIntermediate: escape(at.pointee); at += 1
            case .csiEntry, .csiParameter, .csiIntermediate, .csiIgnore: at = controlSequence(at, end)
            case .dcsEntry, .dcsParameter, .dcsIntermediate, .dcsIgnore: deviceControl(at.pointee); at += 1
            case .dcsString, .oscString, .otherString: at = controlString(at, end)
            }
        }
        if row != self.row || column != self.column || visible != cursorVisible { cursorVersion &+= 1 }
    }

    /// Text and controls; stops where something else than text goes on.
    @inline(__always)
    private mutating func ground(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        if utf8.missing > 0 {
            at = finishCharacter(at, end)
            if state != .ground { return at }
        }
        while at < end {
            let byte = at.pointee
            if byte &- 0x20 < 0x5F {
                let stop = endOfASCII(at, end)
                if plainPrinting { printASCII(at, stop - at) } else { printMapped(at, stop - at) }
                at = stop
            } else if byte == 0x1B {
                at += 1
                guard at < end, at.pointee == UInt8(ascii: "[") else {
                    enterEscape()
                    return at
                }
                at = simpleSequence(at + 1, end)
                if state != .ground { return at }
            } else if byte == 0x0D || byte == 0x0A {
                at += 1
                joinable = false
                if byte == 0x0D || modes.newline { carriageReturn() }
                if byte == 0x0D {
                    // Most lines end with both.
                    guard at < end, at.pointee == 0x0A else { continue }
                    at += 1
                }
                pendingWrap = false
                lineFeed()
            } else if byte < 0x20 {
                at += 1
                execute(byte)
                if state != .ground { return at }
            } else if byte == 0x7F {
                at += 1
            } else {
                at = beyondASCII(at, end)
                if state != .ground { return at }
            }
        }
        return at
    }

    /// A character beyond ASCII, or a run of those that full-screen programs draw with.
    private mutating func beyondASCII(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        let byte = start.pointee
        if byte == 0xE2 {
            let stop = printDrawing(start, end)
            if stop > start { return stop }
        }
        if byte >= 0xE0 && byte < 0xF0 && end - start >= 3 {
            // The common three-byte case without the state.
            let second = start[1], third = start[2]
            if second & 0xC0 == 0x80 && third & 0xC0 == 0x80 {
                let scalar = UInt32(byte & 0x0F) << 12 | UInt32(second & 0x3F) << 6 | UInt32(third & 0x3F)
                if scalar >= 0x800 && (scalar < 0xD800 || scalar > 0xDFFF) {
                    printScalar(scalar)
                    return start + 3
                }
            }
        }
        if byte >= 0xC2 && byte < 0xE0 && end - start >= 2 && start[1] & 0xC0 == 0x80 {
            // Two bytes, such as the space that does not break.
            printDecoded(UInt32(byte & 0x1F) << 6 | UInt32(start[1] & 0x3F))
            return start + 2
        }
        if utf8.begin(byte) { return finishCharacter(start + 1, end) }
        printScalar(Scalars.replacement)
        return start + 1
    }

    /// Goes on with a character whose first bytes are there; stops before a byte that does not belong to it.
    private mutating func finishCharacter(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        while at < end {
            guard utf8.accept(at.pointee) else {
                printScalar(Scalars.replacement)
                return at
            }
            at += 1
            if utf8.missing == 0 {
                printDecoded(utf8.value)
                return at
            }
        }
        return at
    }

    /// A decoded scalar may be an eight-bit control.
    private mutating func printDecoded(_ scalar: UInt32) {
        if scalar < 0xA0 { executeC1(UInt8(truncatingIfNeeded: scalar)) } else { printScalar(scalar) }
    }

    /// End of the printable ASCII that begins at `start`.
    @inline(__always)
    private func endOfASCII(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start + 1
        if at < end && at.pointee &- 0x20 >= 0x5F { return at }
        while end - at >= 8 {
            let word = UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
            // A byte below 0x20, 0x7F or above sets its high bit in one of these.
            let low = (word &- 0x2020_2020_2020_2020) & ~word
            let delete = (word ^ 0x7F7F_7F7F_7F7F_7F7F) &- 0x0101_0101_0101_0101
            let stop = (low | word | delete & ~(word ^ 0x7F7F_7F7F_7F7F_7F7F)) & 0x8080_8080_8080_8080
            if stop != 0 { return at + stop.littleEndian.trailingZeroBitCount >> 3 }
            at += 8
        }
        while at < end && at.pointee >= 0x20 && at.pointee < 0x7F { at += 1 }
        return at
    }

    mutating func enterEscape() {
        state = .escape
        prefix = 0
        intermediate = 0
        secondIntermediate = 0
    }

    /// CAN and SUB abort, ESC begins anew; true when `byte` was one of them.
    @inline(__always)
    private mutating func abort(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x1B:
            enterEscape()
            return true
        case 0x18, 0x1A:
            state = .ground
            return true
        default:
            return false
        }
    }

    private mutating func collect(_ byte: UInt8) {
        if intermediate == 0 { intermediate = byte } else if secondIntermediate == 0 { secondIntermediate = byte } else { secondIntermediate = 0xFF }
    }

    private mutating func escape(_ byte: UInt8) {
        if abort(byte) { return }
        switch byte {
        case 0x00..<0x20: execute(byte)
        case 0x20...0x2F:
            collect(byte)
            state = .escapeIntermediate
        case 0x7F: break
        case 0x30...0x7E:
            if state == .escape {
                switch byte {
                case UInt8(ascii: "["): enterParameters(.csiEntry); return
                case UInt8(ascii: "P"): enterParameters(.dcsEntry); return
                case UInt8(ascii: "]"): enterString(.oscString); return
                case UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"): enterString(.otherString); return
                default: break
                }
            }
            state = .ground
            dispatchEscape(byte)
        default:
            // Not an escape sequence: give it up and take the byte as text.
            state = .ground
            _ = utf8.begin(byte)
            if utf8.missing == 0 { printScalar(Scalars.replacement) }
        }
    }

    mutating func enterParameters(_ next: ParserState) {
        state = next
        parameterCount = 0
        subparameters = 0
        parameterStarted = false
        prefix = 0
        intermediate = 0
        secondIntermediate = 0
    }

    mutating func enterString(_ next: ParserState) {
        if next != .dcsString {
            // Only a device control has parameters; a keyframe must not show those of a sequence before.
            enterParameters(next)
        }
        state = next
        string.removeAll(keepingCapacity: true)
        stringLength = 0
    }

    /// Digits, colons and semicolons. `parameterStarted` says that the last parameter is open.
    @inline(__always)
    private mutating func parameter(_ byte: UInt8) {
        if byte <= 0x39 {
            if !parameterStarted { openParameter() }
            if parameterCount <= Core.maximumParameters {
                let value = parameters[parameterCount - 1]
                parameters[parameterCount - 1] = min(value &* 10 &+ Int32(byte & 0x0F), 99_999)
            }
        } else {
            if !parameterStarted { openParameter() }
            openParameter()
            if byte == 0x3A && parameterCount <= Core.maximumParameters { subparameters |= 1 << UInt32(parameterCount - 1) }
        }
    }

    private mutating func openParameter() {
        parameterStarted = true
        if parameterCount < Core.maximumParameters {
            parameters[parameterCount] = 0
            parameterCount += 1
        } else {
            parameterCount = Core.maximumParameters + 1
        }
    }

    /// Parameter `index`, `missing` where it is absent or 0.
    @inline(__always)
    func parameter(_ index: Int, _ missing: Int = 1) -> Int {
        guard index < min(parameterCount, Core.maximumParameters) else { return missing }
        let value = Int(parameters[index])
        return value == 0 ? missing : value
    }

    private mutating func controlSequence(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        while at < end {
            let byte = at.pointee
            at += 1
            switch byte {
            case 0x30...0x3B:
                switch state {
                case .csiEntry, .csiParameter:
                    state = .csiParameter
                    parameter(byte)
                case .csiIntermediate: state = .csiIgnore
                default: break
                }
            case 0x3C...0x3F:
                if state == .csiEntry {
                    prefix = byte
                    state = .csiParameter
                } else {
                    state = .csiIgnore
                }
            case 0x20...0x2F:
                if state != .csiIgnore {
                    collect(byte)
                    state = .csiIntermediate
                }
            case 0x40...0x7E:
                let ignored = state == .csiIgnore
                state = .ground
                if !ignored { dispatchControlSequence(byte) }
                return at
            case 0x7F: break
            case 0x00..<0x20:
                if abort(byte) { return at }
                execute(byte)
            default:
                // Beyond ASCII nothing can be part of a sequence: drop the sequence, keep the text.
                state = .ground
                return at - 1
            }
        }
        return at
    }

    private mutating func deviceControl(_ byte: UInt8) {
        if abort(byte) { return }
        switch byte {
        case 0x30...0x3B:
            switch state {
            case .dcsEntry, .dcsParameter:
                state = .dcsParameter
                parameter(byte)
            case .dcsIntermediate: state = .dcsIgnore
            default: break
            }
        case 0x3C...0x3F:
            if state == .dcsEntry {
                prefix = byte
                state = .dcsParameter
            } else {
                state = .dcsIgnore
            }
        case 0x20...0x2F:
            if state != .dcsIgnore {
                collect(byte)
                state = .dcsIntermediate
            }
        case 0x40...0x7E:
            if state == .dcsIgnore {
                enterString(.otherString)
            } else {
                enterString(.dcsString)
                string.append(byte)
            }
        case 0x80...0xFF: state = .dcsIgnore
        default: break
        }
    }

    /// The text of OSC, DCS, APC, PM and SOS up to its end.
    private mutating func controlString(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        while at < end {
            let byte = at.pointee
            if byte >= 0x20 {
                var stop = at + 1
                while stop < end && stop.pointee >= 0x20 { stop += 1 }
                if state != .otherString {
                    let room = min(Core.maximumString - string.count, stop - at)
                    if room > 0 { string.append(contentsOf: UnsafeBufferPointer(start: at, count: room)) }
                    stringLength = min(stringLength &+ (stop - at), 1 << 40)
                }
                at = stop
                continue
            }
            at += 1
            let finished = state
            switch byte {
            case 0x07 where finished == .oscString:
                state = .ground
                dispatchString(finished, bell: true)
                return at
            case 0x1B:
                enterEscapeKeepingHeader()
                dispatchString(finished, bell: false)
                enterEscape()
                return at
            case 0x18, 0x1A:
                state = .ground
                return at
            default:
                break
            }
        }
        return at
    }

    private mutating func enterEscapeKeepingHeader() { state = .escape }

    private mutating func dispatchString(_ kind: ParserState, bell: Bool) {
        joinable = false
        switch kind {
        case .oscString: operatingSystemCommand(bell: bell)
        case .dcsString: deviceControlString()
        default: break
        }
        string.removeAll(keepingCapacity: string.capacity <= 4096)
        stringLength = 0
    }
}
