public import Contract
public import ViewProtocol

/// The scrubber's mind: keys and messages in, commands and a status line out. Pure, with the clock as a parameter.
public struct ReplayState: Sendable {
    /// What is to be done.
    public enum Action: Equatable, Sendable {
        case send(ViewCommand)
        case repaint
        case quit
    }

    public private(set) var name: String
    public private(set) var position: ViewMessage.Position?
    /// Times of inputs and markers, in order.
    public private(set) var marks: [Timestamp] = []
    /// Speed at which space goes on.
    public private(set) var speed: Double
    /// What is typed after `g`; nil when nothing is asked.
    public private(set) var entry: String?
    /// A passing word for the person.
    public private(set) var message: String?
    public private(set) var exit: Exit?
    /// What the agent does, or did at the moment that is shown.
    public private(set) var status: PodStatus?
    /// Which part of the keys is shown: they may take more than a row.
    private var helpPage: Int?
    /// Where the last seek went, until the position arrives: several presses in a row add up.
    private var wanted: Timestamp?
    private let secondsEast: Int64

    public init(name: String, speed: Double = 1, secondsEast: Int64 = Moment.localOffset()) {
        self.name = name
        self.speed = speed
        self.secondsEast = secondsEast
    }

    /// Speeds of the keys 1 to 9.
    public static let speeds: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256]

    private static let skip = Duration.seconds(5)
    private static let longSkip = Duration.seconds(60)

    // MARK: - Messages

    public mutating func receive(_ message: ViewMessage, now: Timestamp) -> [Action] {
        switch message {
        case .keyframe(_, _, let time, _):
            if position == nil || position?.mode == .live { reach(time, live: position == nil || position?.mode == .live) }
        case .delta(_, _, _, let time):
            if position?.mode == .live { reach(time, live: true) }
        case .position(let new):
            position = new
            wanted = nil
        case .timeline(let timeline):
            marks = timeline.entries.filter { $0.what == "input" || $0.what == "marker" }.map(\.time).sorted()
            if position?.first == nil { position?.first = timeline.first }
            let last = max(position?.last ?? timeline.last, timeline.last)
            position?.last = last
        case .status(let new): status = new
        case .notice(let notice):
            if let error = notice.error { self.message = error.message }
            if let exit = notice.exit {
                self.exit = exit
                position?.live = false
            }
        }
        return [.repaint]
    }

    private mutating func reach(_ time: Timestamp, live: Bool) {
        var next = position ?? ViewMessage.Position(mode: .live, seq: 0, time: time)
        next.mode = .live
        next.time = max(next.time, time)
        position = next
    }

    // MARK: - Keys

    public mutating func press(_ key: Key, now: Timestamp) -> [Action] {
        if key == .interrupt { return [.quit] }
        message = nil
        if entry != nil { return type(key, now: now) }
        let page = helpPage
        helpPage = nil
        switch key {
        case .character("q"), .escape: return [.quit]
        case .character(" "):
            if position?.mode == .playing { return [.send(.pause), .repaint] }
            if position?.mode == .live { return [.send(.pause), .repaint] }
            return [.send(.play(rate: speed)), .repaint]
        case .left: return seek(by: .zero - Self.skip, now)
        case .right: return seek(by: Self.skip, now)
        case .shiftLeft, .down, .pageDown: return seek(by: .zero - Self.longSkip, now)
        case .shiftRight, .up, .pageUp: return seek(by: Self.longSkip, now)
        case .character("["): return mark(before: true, now)
        case .character("]"): return mark(before: false, now)
        case .character(","): return [.send(.step(-1)), .repaint]
        case .character("."): return [.send(.step(1)), .repaint]
        case .character("r"):
            return [.send(.play(rate: -speed)), .repaint]
        case .home: return position?.first.map { seek(to: $0) } ?? []
        case .end, .character("L"), .character("l"): return [.send(.live), .repaint]
        case .character("g"):
            entry = ""
            return [.repaint]
        case .character("?"), .character("h"):
            helpPage = page.map { $0 + 1 } ?? 0
            return [.repaint]
        case .character(let character):
            guard let digit = character.wholeNumberValue, (1...9).contains(digit) else { return [] }
            speed = Self.speeds[digit - 1]
            return position?.mode == .live ? [.repaint] : [.send(.play(rate: speed)), .repaint]
        default: return []
        }
    }

    private mutating func type(_ key: Key, now: Timestamp) -> [Action] {
        switch key {
        case .character(let character): entry?.append(character)
        case .backspace: if entry?.popLast() == nil { entry = nil }
        case .escape: entry = nil
        case .enter:
            let text = entry ?? ""
            entry = nil
            if text.isEmpty { break }
            do {
                return seek(to: try Moment(text).resolve(start: position?.first, now: now, secondsEast: secondsEast))
            } catch {
                message = "\(error)"
            }
        default: break
        }
        return [.repaint]
    }

    private mutating func seek(by duration: Duration, _ now: Timestamp) -> [Action] {
        let from = wanted ?? position?.time ?? now
        let target = from + duration
        if let last = position?.last, target >= last {
            // Forward over the end of a pod that runs is being live again.
            if position?.live == true || position?.mode == .live { return [.send(.live), .repaint] }
            return seek(to: last)
        }
        return seek(to: position?.first.map { max($0, target) } ?? target)
    }

    private mutating func seek(to time: Timestamp) -> [Action] {
        wanted = time
        return [.send(.seek(time.description)), .repaint]
    }

    private mutating func mark(before: Bool, _ now: Timestamp) -> [Action] {
        let here = wanted ?? position?.time ?? now
        let target = before ? marks.last { $0 < here } : marks.first { $0 > here }
        guard let target else {
            message = before ? "no input or marker before this" : "no input or marker after this"
            // Marks of a running pod grow.
            return [.send(.timeline), .repaint]
        }
        return seek(to: target)
    }

    // MARK: - Status line

    /// The last row: what is shown, where in time, how fast; keys when asked.
    public func statusLine(columns: Int, now: Timestamp) -> String {
        let text: String
        if let entry {
            text = " go to: \(entry)▏  (14:03:07, -5m, +90s, RFC 3339; enter, esc)"
        } else if let helpPage {
            let pages = Self.keys(columns: columns)
            text = pages[helpPage % pages.count]
        } else if let message {
            text = " \(message)"
        } else {
            text = summary(columns: columns, now: now)
        }
        return "\u{1b}[7m" + Self.padded(text, columns) + "\u{1b}[0m"
    }

    /// The keys in as many rows as they need.
    private static func keys(columns: Int) -> [String] {
        let keys = [
            "space play/pause", "←→ 5 s", "↑↓ 1 min", "g time", "L live", "q quit", "[ ] input or marker", ", . frame", "1-9 speed", "r back", "home",
        ]
        var pages = [""]
        for key in keys {
            let longer = (pages[pages.count - 1].isEmpty ? " " : pages[pages.count - 1] + " · ") + key
            // Room is left for the word that there is more.
            if Table.width(longer) > columns - 9, !pages[pages.count - 1].isEmpty { pages.append(" " + key) } else { pages[pages.count - 1] = longer }
        }
        return pages.count == 1 ? pages : pages.map { $0 + " · ? more" }
    }

    private func summary(columns: Int, now: Timestamp) -> String {
        guard let position else { return " \(name)  …" }
        let mode: String
        switch position.mode {
        case .live: mode = exit == nil ? "● LIVE" : "■ ended"
        case .paused: mode = "❚❚"
        case .playing: mode = (position.rate ?? 1) < 0 ? "◀ \(Self.rate(-(position.rate ?? 1)))" : "▶ \(Self.rate(position.rate ?? 1))"
        }
        let isLive = position.mode == .live && exit == nil
        var text = " \(name)  \(mode)  \(clock(isLive ? now : wanted ?? position.time))"
        if let status { text += "  " + [status.status, status.reason].compactMap(\.self).joined(separator: "/") }
        let end = (position.mode != .live && position.live == true ? "  (runs)" : "") + "  ? keys"
        if let first = position.first, let last = position.last.map({ max($0, position.time) }), last > first {
            let length = last - first
            let done = max(.zero, min(length, (wanted ?? position.time) - first))
            text += "  \(Self.length(done)) / \(Self.length(length))"
            let room = columns - Table.width(text + end) - 3
            if room >= 10 { text += "  " + Self.bar(done / length, room) }
        }
        return text + end
    }

    /// `14:03:07.250` of the local day, with the date when it is not today's.
    private func clock(_ time: Timestamp) -> String {
        let local = Timestamp(microseconds: time.microseconds &+ secondsEast &* 1_000_000).description
        return "\(local.prefix(10)) \(local.dropFirst(11).prefix(12))"
    }

    static func rate(_ rate: Double) -> String {
        rate == rate.rounded() ? "\(Int(rate))×" : "\((rate * 100).rounded() / 100)×"
    }

    /// `1:02:03` or `2:03`.
    static func length(_ duration: Duration) -> String {
        let seconds = Int(duration.components.seconds)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return seconds >= 3600
            ? "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))" : "\(seconds / 60):\(two(seconds % 60))"
    }

    static func bar(_ part: Double, _ width: Int) -> String {
        let at = max(0, min(width - 1, Int(part * Double(width))))
        return String(repeating: "━", count: at) + "●" + String(repeating: "─", count: width - 1 - at)
    }

    static func padded(_ text: String, _ columns: Int) -> String {
        let width = Table.width(text)
        return width > columns ? Table.cut(text, to: max(1, columns)) : text + String(repeating: " ", count: columns - width)
    }
}
