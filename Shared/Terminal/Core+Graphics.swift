extension Core {
    /// SGR of several numbers without colons, of which nearly every one is a colour.
    @inline(__always)
    mutating func selectPlainGraphics() {
        if parameterCount == 5 && isColor(parameters[0]) && parameters[1] == 2
            && UInt32(bitPattern: parameters[2] | parameters[3] | parameters[4]) < 256
        {
            setColor(
                TextColor.rgb(
                    UInt8(truncatingIfNeeded: parameters[2]), UInt8(truncatingIfNeeded: parameters[3]), UInt8(truncatingIfNeeded: parameters[4])))
        } else if parameterCount == 3 && isColor(parameters[0]) && parameters[1] == 5 && UInt32(bitPattern: parameters[2]) < 256 {
            setColor(.indexed(UInt8(truncatingIfNeeded: parameters[2])))
        } else {
            selectGraphics()
        }
    }

    @inline(__always)
    private func isColor(_ parameter: Int32) -> Bool { parameter == 38 || parameter == 48 }

    /// 38 or 48, which the first parameter is.
    @inline(__always)
    private mutating func setColor(_ color: TextColor) {
        if parameters[0] == 38 { style.foreground = color } else { style.background = color }
        penIsStale = true
    }

    /// SGR.
    mutating func selectGraphics() {
        penIsStale = true
        let count = min(parameterCount, Core.maximumParameters)
        if count == 0 {
            style = .plain
            return
        }
        var index = 0
        while index < count {
            let value = Int(parameters[index])
            var next = index + 1
            while next < count && subparameters & (1 << UInt32(next)) != 0 { next += 1 }
            switch value {
            case 4 where next > index + 1: style.underline = Underline(rawValue: UInt8(min(parameters[index + 1], 255))) ?? .single
            case 38, 48, 58:
                let (color, used) = color(index, next, count)
                if let color {
                    if value == 38 { style.foreground = color } else if value == 48 { style.background = color } else { style.underlineColor = color }
                }
                next = used
            // Of other attributes xterm knows no variants.
            default: if next == index + 1 { selectGraphic(value) }
            }
            index = next
        }
    }

    /// SGR of one number; a colour that is not there changes nothing.
    mutating func selectGraphic(_ value: Int) {
        penIsStale = true
        switch value {
        case 0: style = .plain
        case 1: style.attributes.insert(.bold)
        case 2: style.attributes.insert(.dim)
        case 3: style.attributes.insert(.italic)
        case 4: style.underline = .single
        case 5, 6: style.attributes.insert(.blink)
        case 7: style.attributes.insert(.inverse)
        case 8: style.attributes.insert(.hidden)
        case 9: style.attributes.insert(.strike)
        case 21: style.underline = .double
        case 22: style.attributes.subtract([.bold, .dim])
        case 23: style.attributes.remove(.italic)
        case 24: style.underline = .none
        case 25: style.attributes.remove(.blink)
        case 27: style.attributes.remove(.inverse)
        case 28: style.attributes.remove(.hidden)
        case 29: style.attributes.remove(.strike)
        case 30...37: style.foreground = .indexed(UInt8(truncatingIfNeeded: value - 30))
        case 39: style.foreground = .standard
        case 40...47: style.background = .indexed(UInt8(truncatingIfNeeded: value - 40))
        case 49: style.background = .standard
        case 53: style.attributes.insert(.overline)
        case 55: style.attributes.remove(.overline)
        case 59: style.underlineColor = .standard
        case 90...97: style.foreground = .indexed(UInt8(truncatingIfNeeded: value - 82))
        case 100...107: style.background = .indexed(UInt8(truncatingIfNeeded: value - 92))
        default: break
        }
    }

    /// The colour behind 38, 48 or 58, with colons (ISO 8613-6) or semicolons (as xterm takes them), and where it ends.
    private func color(_ index: Int, _ next: Int, _ count: Int) -> (TextColor?, Int) {
        func byte(_ at: Int) -> UInt8? {
            at < count && parameters[at] <= 255 ? UInt8(parameters[at]) : nil
        }
        if next > index + 1 {
            switch parameters[index + 1] {
            case 5: return (next > index + 2 ? byte(index + 2).map(TextColor.indexed) : nil, next)
            case 2:
                // 38:2:r:g:b or 38:2:colourspace:r:g:b
                let first = next - index >= 6 ? index + 3 : index + 2
                guard first + 2 < next, let red = byte(first), let green = byte(first + 1), let blue = byte(first + 2) else { return (nil, next) }
                return (.rgb(red, green, blue), next)
            default: return (nil, next)
            }
        }
        guard next < count else { return (nil, next) }
        switch parameters[next] {
        case 5: return (byte(next + 1).map(TextColor.indexed), min(next + 2, count))
        case 2:
            guard let red = byte(next + 1), let green = byte(next + 2), let blue = byte(next + 3) else { return (nil, min(next + 4, count)) }
            return (.rgb(red, green, blue), next + 4)
        default: return (nil, next + 1)
        }
    }

    /// The parameters that would set the present style, for DECRQSS and the ANSI dump.
    static func graphicsParameters(_ style: TextStyle) -> String {
        var parts = ["0"]
        let attributes = style.attributes
        if attributes.contains(.bold) { parts.append("1") }
        if attributes.contains(.dim) { parts.append("2") }
        if attributes.contains(.italic) { parts.append("3") }
        switch style.underline {
        case .none: break
        case .single: parts.append("4")
        case .double: parts.append("21")
        case let other: parts.append("4:\(other.rawValue)")
        }
        if attributes.contains(.blink) { parts.append("5") }
        if attributes.contains(.inverse) { parts.append("7") }
        if attributes.contains(.hidden) { parts.append("8") }
        if attributes.contains(.strike) { parts.append("9") }
        if attributes.contains(.overline) { parts.append("53") }
        func add(_ color: TextColor, base: Int?, extended: Int) {
            if let index = color.index {
                if let base, index < 8 {
                    parts.append("\(base + Int(index))")
                } else if let base, index < 16 {
                    parts.append("\(base + 52 + Int(index))")
                } else {
                    parts.append(base == nil ? "\(extended):5:\(index)" : "\(extended);5;\(index)")
                }
            } else if let (red, green, blue) = color.components {
                parts.append(base == nil ? "\(extended):2::\(red):\(green):\(blue)" : "\(extended);2;\(red);\(green);\(blue)")
            }
        }
        add(style.foreground, base: 30, extended: 38)
        add(style.background, base: 40, extended: 48)
        add(style.underlineColor, base: nil, extended: 58)
        return parts.joined(separator: ";")
    }
}
