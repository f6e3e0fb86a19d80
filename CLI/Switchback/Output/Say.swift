internal import Contract

/// Times and amounts as people read them.
enum Say {
    /// `3s`, `4m`, `2h`, `5d`: the largest unit that fits.
    static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m"
        case ..<86_400: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }

    static func age(since time: Timestamp, now: Timestamp = .now()) -> String { age(now - time) }

    /// `1.2 s`
    static func seconds(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
