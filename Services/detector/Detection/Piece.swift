internal import Contract

/// One piece of evidence, as it stands now.
struct Piece: Equatable {
    var status: Status
    var reason: String?
    var source: Source
    var rule: String?
    var region: String?
    var text: String?
    var rank: Int
    /// How long it must last before it changes the status.
    var patience: Duration = .zero
    var until: Timestamp?

    enum Source: String {
        case screen, title, progress, hook, promptMarks = "prompt_marks", termios, process, composer, exit, assumed, silence, wait
    }

    /// Since when it is held without a break.
    var since = Timestamp(microseconds: 0)

    /// Since when the same rule of the same channel says the same, whatever it saw, by what was held before.
    func since(amid before: [Piece]) -> Timestamp? {
        before.firstIndex { $0.status == status && $0.source == source && $0.rule == rule }.map { before[$0].since }
    }

    /// One line for a person.
    var line: String {
        var line = source.rawValue
        if let region, region != line { line += " " + region }
        if let rule { line += ", " + rule }
        if let text, !text.isEmpty { line += ": " + String(text.prefix(160)) }
        return line
    }
}

/// The order of authority; a higher rank wins. See docs/status.md.
enum Rank {
    static let exit = 200
    static let dialog = 100
    static let password = 98
    static let yesNo = 96
    /// A record, which nothing on the screen can outvote but what a person must answer.
    static let agent = 96
    static let hiddenInput = 95
    static let titleWaiting = 90
    static let hookWaiting = 89
    static let ruleWaiting = 88
    static let titleExecuting = 80
    static let looseDialog = 79
    static let hookExecuting = 78
    static let lineModeExecuting = 76
    static let promptMarks = 75
    static let startScreen = 71
    static let screenExecuting = 70
    static let background = 65
    static let modal = 64
    static let lineEditor = 62
    static let awaitedLine = 61
    static let command = 60
    static let hookIdle = 55
    static let titleIdle = 50
    static let screenIdle = 46
    static let done = 45
    static let progress = 42
    static let composer = 30
    static let staleHook = 25
    static let words = 20

    /// From 0 to 1, for people.
    static func confidence(_ rank: Int) -> Double {
        switch rank {
        case 95...: 0.99
        case 75...: 0.95
        case 60...: 0.85
        case 45...: 0.8
        case 30...: 0.6
        default: 0.4
        }
    }
}
