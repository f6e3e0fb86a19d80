public import Contract

/// Times and amounts as people read them.
public enum Say {
    /// `3s`, `4m`, `2h`, `5d`: the largest unit that fits.
    public static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m"
        case ..<86_400: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }

    public static func age(since time: Timestamp, now: Timestamp = .now()) -> String { age(now - time) }

    /// `1.2 s`
    public static func seconds(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }

    /// `2026-11-21 14:03:07.250` in this machine's zone.
    public static func local(_ time: Timestamp, secondsEast: Int64 = Moment.localOffset()) -> String {
        let text = Timestamp(microseconds: time.microseconds &+ secondsEast &* 1_000_000).description
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(12))"
    }

    /// The first millisecond that is not before `time`: who asks for what was there then finds it.
    public static func local(roundedUp time: Timestamp) -> String { local(time + .microseconds(999)) }

    /// The same, without the day where it is that of `earlier`.
    public static func local(_ time: Timestamp, after earlier: Timestamp, secondsEast: Int64 = Moment.localOffset()) -> String {
        let (text, before) = (local(time, secondsEast: secondsEast), local(earlier, secondsEast: secondsEast))
        return text.prefix(10) == before.prefix(10) ? String(text.dropFirst(11)) : text
    }

    /// `14:03:07.250` in this machine's zone.
    public static func clock(_ time: Timestamp) -> String { String(local(time).dropFirst(11)) }
}
