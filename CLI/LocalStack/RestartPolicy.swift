/// When to start a program again that died: at once-ish the first time, then ever later, never in step with others.
public struct RestartPolicy: Sendable, Equatable {
    public var firstDelay: Double = 0.2
    public var longestDelay: Double = 30
    /// A program that ran this long was well: the next death counts as the first.
    public var wellAfter: Double = 60

    public private(set) var deathsInARow = 0

    public init() {}

    /// - Parameters:
    ///   - ranFor: seconds it ran.
    ///   - chance: uniform in 0…1; spreads the delay over 75 % to 125 %.
    /// - Returns: seconds to wait before the next start.
    public mutating func died(ranFor: Double, chance: Double) -> Double {
        if ranFor >= wellAfter { deathsInARow = 0 }
        deathsInARow += 1
        let exponent = min(deathsInARow - 1, 20)
        var delay = firstDelay
        for _ in 0..<exponent where delay < longestDelay { delay *= 2 }
        return min(delay, longestDelay) * (0.75 + 0.5 * min(max(chance, 0), 1))
    }
}
