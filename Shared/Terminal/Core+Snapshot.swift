/// The keyframe format. Everything is written in a fixed order with LEB128 numbers; see `RowEncoder` for the rows.
///
/// "SBK", version, columns, rows, scrollback limit, screens, history, cursor, modes, tables, parser, checksum (FNV-1a, 32 bits).
enum SnapshotFormat {
    static let magic: [UInt8] = Array("SBK".utf8)
    static let version: UInt8 = 1

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return hash
    }
}

extension Core {
    mutating func snapshot(page: ((HistoryPage) -> [UInt8])?) -> [UInt8] {
        var encoder = RowEncoder()
        _ = encoder.style(0, styles)
        encode(grid, &encoder)
        encode(other, &encoder)
        encodeOpenHistory(&encoder)
        let penLink = encoder.link(link, links)

        var writer = ByteWriter()
        writer.bytes = SnapshotFormat.magic
        writer.byte(SnapshotFormat.version)
        writer.number(columns)
        writer.number(rows)
        writer.number(scrollback)
        writer.flag(isAlternate)
        writer.flag(other.rows > 0)
        writer.flag(hasDoubleRows)
        encoder.writeTables(&writer)
        writer.number(history.openCount)
        writer.bytes.append(contentsOf: encoder.rows.bytes)
        writer.number(history.skipped)
        writer.number(history.pages.count)
        for sealed in history.pages {
            writer.number(sealed.lineCount)
            if !sealed.isLoaded {
                writer.byte(1)
                writer.data(sealed.reference ?? [])
            } else if let page {
                writer.byte(1)
                writer.data(page(sealed))
            } else {
                writer.byte(0)
                writer.data(sealed.encoded())
            }
        }
        writeCursor(&writer, penLink)
        writeModes(&writer)
        writeTexts(&writer)
        writeParser(&writer)
        let sum = SnapshotFormat.checksum(writer.bytes[...])
        for shift in stride(from: 0, to: 32, by: 8) { writer.byte(UInt8(truncatingIfNeeded: sum >> UInt32(shift))) }
        return writer.bytes
    }

    private func encode(_ grid: borrowing Grid, _ encoder: inout RowEncoder) {
        for row in 0..<grid.rows {
            encoder.append(
                UnsafeBufferPointer(start: grid.row(row), count: grid.columns), flags: grid.rowFlags(row) & RowFlags.content, styles: styles,
                clusters: clusters, links: links)
        }
    }

    private func write(_ style: TextStyle, _ writer: inout ByteWriter) {
        writer.number(Int(style.foreground.raw))
        writer.number(Int(style.background.raw))
        writer.number(Int(style.underlineColor.raw))
        writer.number(Int(style.attributes.rawValue))
    }

    private func writeCursor(_ writer: inout ByteWriter, _ penLink: Int) {
        writer.number(row)
        writer.number(column)
        writer.flag(pendingWrap)
        writer.flag(cursorVisible)
        writer.byte(cursorShape.rawValue)
        writer.flag(cursorBlinks)
        write(style, &writer)
        writer.number(penLink)
        writer.flag(protected)
        writer.flag(originMode)
        for slot in 0..<UInt8(4) { writer.byte(charset(slot).rawValue) }
        writer.byte(locked)
        writer.byte(singleShift)
        for cursor in [saved, otherSaved] {
            writer.number(cursor.row)
            writer.number(cursor.column)
            writer.flag(cursor.pendingWrap)
            write(cursor.style, &writer)
            writer.flag(cursor.protected)
            writer.flag(cursor.origin)
            for charset in cursor.charsets { writer.byte(charset.rawValue) }
            writer.byte(cursor.locked)
        }
        writer.flag(joinable)
        writer.number(joinable ? lastRow : 0)
        writer.number(joinable ? lastColumn : 0)
        writer.number(Int(lastScalar))
        for value in [top, bottom, left, right] { writer.number(value) }
    }

    /// Every switch of `Modes`, in the order of the keyframe.
    static let switches: [any WritableKeyPath<Modes, Bool> & Sendable] = [
        \.applicationCursorKeys, \.applicationKeypad, \.insert, \.newline, \.keyboardLocked, \.localEchoOff, \.reverseScreen, \.autowrap,
        \.reverseWrap, \.extendedReverseWrap, \.leftRightMargins, \.columns132, \.allowColumnChange, \.autorepeat, \.backarrowSendsBackspace,
        \.bracketedPaste, \.focusEvents, \.alternateScroll, \.synchronizedUpdate, \.colorSchemeReports, \.sizeReports,
    ]

    private func writeModes(_ writer: inout ByteWriter) {
        var bits = 0
        for (index, path) in Core.switches.enumerated() where modes[keyPath: path] { bits |= 1 << index }
        writer.number(bits)
        writer.byte(modes.mouse.rawValue)
        writer.byte(modes.mouseEncoding.rawValue)
        writer.byte(modes.kittyKeyboard)
        writer.byte(modes.modifyOtherKeys)
        writer.byte(otherKittyFlags)
        writer.data(kittyStack)
        writer.data(otherKittyStack)
        writer.number(savedModes.count)
        for (mode, value) in savedModes.sorted(by: { $0.key < $1.key }) {
            writer.number(Int(mode))
            writer.flag(value)
        }
        // Only the stops that differ from every eighth column.
        let defaults = Core.defaultTabs(columns)
        let different = (0..<columns).filter { tabs[$0] != defaults[$0] }
        writer.number(different.count)
        for column in different { writer.number(column) }
    }

    private func writeTexts(_ writer: inout ByteWriter) {
        writer.text(title)
        writer.text(iconTitle)
        writer.number(titleStack.count)
        for title in titleStack { writer.text(title) }
        writer.number(palette.count)
        for (index, color) in palette.sorted(by: { $0.key < $1.key }) {
            writer.byte(index)
            writer.number(Int(color))
        }
        for color in dynamicColors { writer.number(color.map { Int($0) + 1 } ?? 0) }
    }

    private func writeParser(_ writer: inout ByteWriter) {
        writer.byte(state.rawValue)
        writer.byte(utf8.missing)
        if utf8.missing > 0 {
            writer.byte(utf8.low)
            writer.byte(utf8.high)
            writer.number(Int(utf8.value))
        }
        if state == .ground { return }
        writer.byte(prefix)
        writer.byte(intermediate)
        writer.byte(secondIntermediate)
        if state != .escape && state != .escapeIntermediate {
            writer.number(parameterCount)
            for index in 0..<min(parameterCount, Core.maximumParameters) { writer.number(Int(parameters[index])) }
            writer.number(Int(subparameters))
            writer.flag(parameterStarted)
            writer.data(string)
            writer.number(stringLength)
        }
    }
}
