extension LinePattern {
    /// Text that every match must contain: runs of plain characters outside groups, sets and repetitions. Empty if the pattern
    /// has alternatives.
    public static func requiredTexts(_ pattern: String) -> [String] {
        if pattern.contains("|") { return [] }
        var texts: [String] = []
        var run = String.UnicodeScalarView()
        var depth = 0
        var inSet = false
        let scalars = Array(pattern.unicodeScalars)
        var index = 0
        func isRepeated(_ at: Int) -> Bool { at < scalars.count && "*+?{".unicodeScalars.contains(scalars[at]) }
        func endRun() {
            if run.count >= 3 { texts.append(String(run)) }
            run = String.UnicodeScalarView()
        }
        while index < scalars.count {
            let scalar = scalars[index]
            if inSet {
                if scalar == "\\" { index += 1 } else if scalar == "]", index > 0, scalars[index - 1] != "[" { inSet = false }
            } else if "([{).^$*+?}".unicodeScalars.contains(scalar) {
                endRun()
                if scalar == "[" { inSet = true }
                if scalar == "(" { depth += 1 }
                if scalar == ")" { depth -= 1 }
                if scalar == "{" { while index < scalars.count, scalars[index] != "}" { index += 1 } }
            } else {
                var literal: Unicode.Scalar? = scalar
                if scalar == "\\" {
                    index += 1
                    literal = index < scalars.count && !scalars[index].properties.isAlphabetic ? scalars[index] : nil
                }
                if let literal, depth == 0, !isRepeated(index + 1) { run.append(literal) } else { endRun() }
            }
            index += 1
        }
        endRun()
        return texts
    }
}
