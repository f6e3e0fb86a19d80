internal import Contract
public import Pattern
internal import TOMLKit

/// How one agent's screen, title and hooks read: data, from its manifest.
public struct AgentRules: Sendable {
    /// What kind of program draws the screen.
    public enum Kind: String, Sendable, CaseIterable {
        /// Owns the screen: composer, spinner, dialogs.
        case tui
        /// Prints lines and reads them: only the last row can ask.
        case lines
        /// A shell and what it runs.
        case shell
    }

    /// A part of the screen that a rule looks at.
    public enum Region: String, Sendable, CaseIterable {
        /// The block above the composer: what is going on now.
        case live
        /// Below the composer.
        case footer
        /// An open question with its options.
        case dialog
        /// What stands in the composer.
        case composer
        /// The last row that is not blank.
        case last
        /// The last dozen rows.
        case bottom
        case screen
        case title
    }

    /// What a matching rule says.
    public enum Verdict: String, Sendable, CaseIterable {
        case executing, waiting, idle
        /// A person looks at something else: the status before stays.
        case hold
    }

    /// One rule.
    public struct Rule: Sendable {
        public var name: String
        public var region: Region
        public var verdict: Verdict
        public var reason: String?
        /// Each of these is somewhere in the region; numbers of `patterns`.
        public var all: PatternMatches
        /// At least one of these, unless it is empty.
        public var any: PatternMatches
        /// None of these.
        public var not: PatternMatches

        /// Whether what was found in the region is what the rule asks for.
        public func accepts(_ found: PatternMatches) -> Bool {
            found.isSuperset(of: all) && (any.isEmpty || !found.isDisjoint(with: any)) && found.isDisjoint(with: not)
        }
    }

    /// What a hook says.
    public struct HookMeaning: Sendable, Equatable {
        public var verdict: Verdict?
        public var reason: String?
    }

    public var kind: Kind
    /// Glyphs that open the composer; empty: the usual ones.
    public var prompts: [String]
    /// Glyphs that open the live row; empty: the usual ones.
    public var spinners: [String]
    /// What "esc to cancel" beside a running counter means: `executing` for most, `waiting` for some.
    public var escapeCancels: Verdict?
    /// Every title of this agent means something: one that no rule matches is idle.
    public var plainTitleIsIdle: Bool
    /// Titles that say idle are also shown while a dialog is open.
    public var idleTitleMayWait: Bool
    /// The generic rules do not stand behind these.
    public var isAlone: Bool
    public var rules: [Rule]
    /// What `all`, `any` and `not` number.
    public var patterns: PatternSet
    public var patternTexts: [String]
    /// By event name, or `event:detail`.
    public var hooks: [String: HookMeaning]

    public static let reasons: [Verdict: Set<String>] = [
        .executing: ["thinking", "tool", "background", "retrying"],
        .waiting: ["approval", "question", "plan", "trust", "login", "password", "input", "quota"],
        .idle: ["turn_done", "prompt", "draft", "asked_in_prose", "interrupted", "new"],
        .hold: [],
    ]

    init(_ reader: ManifestReader) throws(ErrorBody) {
        let screen = try reader.table("screen", in: reader.root)
        try reader.allow(
            ["kind", "prompts", "spinners", "escape_cancels", "plain_title_is_idle", "idle_title_may_wait", "alone"], in: screen, of: "screen")
        let kindText = try reader.string("kind", in: screen, of: "screen") ?? "tui"
        guard let kind = Kind(rawValue: kindText) else {
            throw reader.problem("screen.kind is \"\(kindText)\"; known: \(Kind.allCases.map(\.rawValue).joined(separator: ", "))", near: "kind")
        }
        self.kind = kind
        prompts = try reader.strings("prompts", in: screen, of: "screen")
        spinners = try reader.strings("spinners", in: screen, of: "screen")
        escapeCancels = try reader.string("escape_cancels", in: screen, of: "screen").flatMap(Verdict.init)
        plainTitleIsIdle = try reader.bool("plain_title_is_idle", in: screen, of: "screen") ?? false
        idleTitleMayWait = try reader.bool("idle_title_may_wait", in: screen, of: "screen") ?? false
        isAlone = try reader.bool("alone", in: screen, of: "screen") ?? false

        var texts: [String] = []
        var numbers: [String: Int] = [:]
        var rules: [Rule] = []
        for table in try reader.tables("rules") {
            let name = try reader.string("name", in: table, of: "rules") ?? ""
            guard !name.isEmpty else { throw reader.problem("a rule needs a name", near: "[[rules]]") }
            let near = "\"\(name)\""
            try reader.allow(["name", "region", "status", "reason", "all", "any", "not"], in: table, of: "rules")
            let regionText = try reader.string("region", in: table, of: "rules") ?? "live"
            guard let region = Region(rawValue: regionText) else {
                throw reader.problem(
                    "rule \(near): region \"\(regionText)\" is not known; known: \(Region.allCases.map(\.rawValue).joined(separator: ", "))", near: near)
            }
            let verdictText = try reader.string("status", in: table, of: "rules") ?? ""
            guard let verdict = Verdict(rawValue: verdictText) else {
                throw reader.problem("rule \(near): status must be one of \(Verdict.allCases.map(\.rawValue).joined(separator: ", "))", near: near)
            }
            let reason = try reader.string("reason", in: table, of: "rules")
            if let reason, Self.reasons[verdict]?.contains(reason) != true {
                throw reader.problem(
                    "rule \(near): \(verdict.rawValue) has no reason \"\(reason)\"; known: \((Self.reasons[verdict] ?? []).sorted().joined(separator: ", "))",
                    near: near)
            }
            func matches(_ key: String) throws(ErrorBody) -> PatternMatches {
                var result = PatternMatches()
                for text in try reader.strings(key, in: table, of: "rules") {
                    let pattern = Self.pattern(text)
                    if numbers[pattern] == nil {
                        do throws(ErrorBody) {
                            _ = try LinePattern(pattern, ignoringCase: true)
                        } catch {
                            throw reader.problem("rule \(near): \(text): \(error.message)", near: String(text.prefix(12)))
                        }
                        numbers[pattern] = texts.count
                        texts.append(pattern)
                    }
                    guard let number = numbers[pattern], number < PatternSet.largest else {
                        throw reader.problem("there are more than \(PatternSet.largest) patterns", near: near)
                    }
                    result.insert(number)
                }
                return result
            }
            let rule = Rule(
                name: name, region: region, verdict: verdict, reason: reason, all: try matches("all"), any: try matches("any"),
                not: try matches("not"))
            guard !rule.all.isEmpty || !rule.any.isEmpty else { throw reader.problem("rule \(near) asks for nothing: give all or any", near: near) }
            rules.append(rule)
        }
        self.rules = rules
        patternTexts = texts
        patterns = try PatternSet(texts, ignoringCase: true)
        hooks = try Self.hooks(reader)
    }

    /// `/…/` is a regular expression, everything else is looked for as it stands; neither minds case.
    private static func pattern(_ text: String) -> String {
        if text.count > 2, text.hasPrefix("/"), text.hasSuffix("/") { return String(text.dropFirst().dropLast()) }
        var escaped = ""
        for scalar in text.unicodeScalars {
            if "\\.[]{}()*+?^$|".unicodeScalars.contains(scalar) { escaped += "\\" }
            escaped.unicodeScalars.append(scalar)
        }
        return escaped
    }

    /// `[hooks.events]`: `Event = "waiting/approval"`; an empty text says that the event means nothing.
    private static func hooks(_ reader: ManifestReader) throws(ErrorBody) -> [String: HookMeaning] {
        guard let table = try reader.table("hooks", in: reader.root), let events = try reader.table("events", in: table) else { return [:] }
        var result: [String: HookMeaning] = [:]
        for key in events.keys {
            let text = try reader.string(key, in: events, of: "hooks.events") ?? ""
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard let first = parts.first else {
                result[key] = HookMeaning()
                continue
            }
            guard let verdict = Verdict(rawValue: first), verdict != .hold, parts.count == 1 || reasons[verdict]?.contains(parts[1]) == true else {
                throw reader.problem("hooks.events.\(key): \"\(text)\" is not a status, or status/reason", near: key)
            }
            result[key] = HookMeaning(verdict: verdict, reason: parts.count > 1 ? parts[1] : nil)
        }
        return result
    }
}
