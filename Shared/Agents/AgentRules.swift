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
        /// Nobody knows: the screen and the terminal's modes together say.
        case any
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
        public var all = PatternMatches()
        /// At least one of these, unless it is empty.
        public var any = PatternMatches()
        /// None of these.
        public var not = PatternMatches()
        /// All patterns that speak for it.
        public var wanted = PatternMatches()
        var texts: [String: [String]]

        /// Whether what was found in the region is what the rule asks for.
        public func accepts(_ found: PatternMatches) -> Bool {
            found.isSuperset(of: all) && (any.isEmpty || !found.isDisjoint(with: any)) && found.isDisjoint(with: not)
        }
    }

    /// What a hook says.
    public struct HookMeaning: Sendable, Equatable {
        public init(verdict: Verdict? = nil, reason: String? = nil) {
            self.verdict = verdict
            self.reason = reason
        }
        public var verdict: Verdict?
        public var reason: String?
    }

    public var kind = Kind.any
    /// Glyphs that open the composer, beside the usual ones.
    public var prompts: [String] = []
    /// Glyphs that only this agent's spinner begins rows with.
    public var spinners: [String] = []
    /// A title that no rule matches says idle.
    public var plainTitleIsIdle = false
    /// There is always a composer or a dialog: when the composer goes while the agent works, something is asked.
    public var composerIsConstant = false
    /// The end of a turn leaves a row behind; without one, a composer alone says little.
    public var endsTurnsWithRow = false
    /// Names of the fallback's rules that do not hold here; `*`: none does.
    public var without: [String] = []
    public private(set) var rules: [Rule] = []
    /// What the rules' patterns number.
    public private(set) var patterns = PatternSet.none
    /// By event name, `event:detail` or `event@tool`.
    public var hooks: [String: HookMeaning] = [:]

    /// No rules at all.
    public init() {}

    public static let reasons: [Verdict: Set<String>] = [
        .executing: ["thinking", "tool", "background", "retrying"],
        .waiting: ["approval", "question", "plan", "trust", "login", "password", "input", "quota"],
        .idle: ["turn_done", "prompt", "draft", "asked_in_prose", "interrupted", "new"],
        .hold: [],
    ]

    init(_ reader: ManifestReader) throws(ErrorBody) {
        let screen = try reader.table("screen", in: reader.root)
        try reader.allow(
            ["kind", "prompts", "spinners", "plain_title_is_idle", "composer_is_constant", "ends_turns_with_row", "without"], in: screen, of: "screen")
        let kindText = try reader.string("kind", in: screen, of: "screen") ?? Kind.any.rawValue
        guard let kind = Kind(rawValue: kindText) else {
            throw reader.problem("screen.kind is \"\(kindText)\"; known: \(Kind.allCases.map(\.rawValue).joined(separator: ", "))", near: "kind")
        }
        self.kind = kind
        prompts = try reader.strings("prompts", in: screen, of: "screen")
        spinners = try reader.strings("spinners", in: screen, of: "screen")
        plainTitleIsIdle = try reader.bool("plain_title_is_idle", in: screen, of: "screen") ?? false
        composerIsConstant = try reader.bool("composer_is_constant", in: screen, of: "screen") ?? false
        endsTurnsWithRow = try reader.bool("ends_turns_with_row", in: screen, of: "screen") ?? false
        without = try reader.strings("without", in: screen, of: "screen")
        for table in try reader.tables("rules") { rules.append(try Self.rule(table, reader)) }
        try number()
        hooks = try Self.hooks(reader)
    }

    /// These rules with another manifest's behind them. Throws when they are too many together.
    func before(_ fallback: AgentRules) throws(ErrorBody) -> AgentRules {
        guard !without.contains("*") else { return self }
        var joined = self
        joined.rules += fallback.rules.filter { rule in !without.contains(rule.name) && !rules.contains { $0.name == rule.name } }
        try joined.number()
        return joined
    }

    private static func rule(_ table: TOMLTable, _ reader: ManifestReader) throws(ErrorBody) -> Rule {
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
        var texts: [String: [String]] = [:]
        for key in ["all", "any", "not"] {
            for text in try reader.strings(key, in: table, of: "rules") {
                let pattern = Self.pattern(text)
                do throws(ErrorBody) {
                    _ = try LinePattern(pattern, ignoringCase: true)
                } catch {
                    throw reader.problem("rule \(near): \(text): \(error.message)", near: String(text.prefix(12)))
                }
                texts[key, default: []].append(pattern)
            }
        }
        guard texts["all"] != nil || texts["any"] != nil else { throw reader.problem("rule \(near) asks for nothing: give all or any", near: near) }
        return Rule(name: name, region: region, verdict: verdict, reason: reason, texts: texts)
    }

    /// Numbers the patterns of all rules and makes one set of them.
    private mutating func number() throws(ErrorBody) {
        var texts: [String] = []
        var numbers: [String: Int] = [:]
        func matches(_ list: [String]?) throws(ErrorBody) -> PatternMatches {
            var result = PatternMatches()
            for text in list ?? [] {
                let number = numbers[text] ?? texts.count
                if number == texts.count {
                    guard number < PatternSet.largest else { throw ErrorBody(.badRequest, "there are more than \(PatternSet.largest) patterns") }
                    numbers[text] = number
                    texts.append(text)
                }
                result.insert(number)
            }
            return result
        }
        for index in rules.indices {
            rules[index].all = try matches(rules[index].texts["all"])
            rules[index].any = try matches(rules[index].texts["any"])
            rules[index].not = try matches(rules[index].texts["not"])
            rules[index].wanted = rules[index].all
            rules[index].wanted.formUnion(rules[index].any)
        }
        patterns = try PatternSet(texts, ignoringCase: true)
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
