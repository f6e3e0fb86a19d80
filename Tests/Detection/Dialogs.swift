/// Questions as agents draw them, and how terminals wrap them.
enum Dialogs {
    static let rule = String(repeating: "─", count: 80)

    static let permission = [
        "● Bash(rm -rf build)", "", rule, " Bash command", "", "   rm -rf build", " Do you want to proceed?", " ❯ 1. Yes",
        "   2. Yes, and don’t ask again for: rm -rf build", "   3. No, and tell Claude what to do differently", "", " Esc to cancel · Tab to amend",
    ]

    static let all: [(agent: String, rows: [String])] = [
        ("claude", permission),
        (
            "claude",
            [
                rule, " Accessing workspace:", "", " /home/x/proj", "", " Quick safety check: Is this a project you trust?", "", " ❯ No, exit",
                "   Yes, I trust this folder", "", " Enter to confirm · Esc to cancel",
            ]
        ),
        (
            "claude",
            [
                rule, " ☐ File", "", "Which file should I change?", "", "❯ 1. alpha.py", "     the first", "  2. beta.py", "     the second", "  3. Type something.",
                rule, "  4. Chat about this", "", "Enter to select · ↑/↓ to navigate · Esc to cancel",
            ]
        ),
        (
            "codex",
            [
                "  Would you like to run the following command?", "", "  $ rm -rf build", "", "› 1. Yes, proceed (y)",
                "  2. Yes, and don't ask again for commands that start with `rm` (p)", "  3. No, and tell Codex what to do differently (esc)", "",
                "  Press enter to confirm or esc to cancel",
            ]
        ),
        // Its last row says how to interrupt: it is a question all the same.
        (
            "codex",
            [
                "  Question 1/1 (1 unanswered)", "  Which one should be changed?", "", "  › 1. alpha.py   the first", "    2. beta.py    the second", "",
                "  tab to add notes | enter to submit answer | esc to interrupt",
            ]
        ),
        ("nobody", ["The tool wants to run: ls", "", "Allow this tool?", "", "› 1. Allow once", "  2. Allow always", "  3. Deny", "", "↑↓ move · Enter choose · Esc cancel"]),
        ("nobody", ["The tool wants to run: ls", "", "Allow this tool?", "", "  ▸ Allow once", "    Allow always", "    Deny", "", "↑↓ move · Enter choose · Esc cancel"]),
        (
            "claude",
            [
                rule, " Bash-Befehl", "", "   rm -rf build", "", " Möchten Sie fortfahren?", " ❯ 1. Ja", "   2. Ja, und nicht mehr fragen", "   3. Nein", "",
                " Esc zum Abbrechen · Tab zum Ändern",
            ]
        ),
    ]

    /// Rows cut at the width, as a terminal does; rules are drawn as long as the terminal is wide.
    static func cut(_ rows: [String], _ columns: Int) -> [String] {
        rows.flatMap { row -> [String] in
            if row.hasPrefix("───") { return [String(repeating: "─", count: columns)] }
            if row.isEmpty { return [""] }
            var parts: [String] = []
            var rest = Substring(row)
            while !rest.isEmpty {
                parts.append(String(rest.prefix(columns)))
                rest = rest.dropFirst(columns)
            }
            return parts
        }
    }

    /// Rows wrapped between words, as programs do: what goes on stands under the words above it.
    static func wrapped(_ rows: [String], _ columns: Int) -> [String] {
        rows.flatMap { row -> [String] in
            if row.hasPrefix("───") { return [String(repeating: "─", count: columns)] }
            if row.count <= columns { return [row] }
            let blanks = row.prefix { $0 == " " }.count
            let indent = String(repeating: " ", count: min(blanks + (row.contains(". ") && row.prefix(8).contains(".") ? 5 : 0), columns / 2))
            var parts: [String] = []
            var line = String(repeating: " ", count: blanks)
            for word in row.split(separator: " ") {
                if line.count + word.count + 1 > columns, !line.allSatisfy({ $0 == " " }) {
                    parts.append(line)
                    line = indent
                }
                line += (line.allSatisfy { $0 == " " } ? "" : " ") + word
            }
            return parts + [line]
        }
    }
}
