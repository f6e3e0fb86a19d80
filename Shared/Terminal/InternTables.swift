/// Styles by number. Entry 0 is the plain style.
struct StyleTable {
    private(set) var styles: [TextStyle] = [.plain]
    private var slots: [Int32]
    /// Past this many entries the owner should collect the unused ones.
    var collectAt = 4096

    init() { slots = Array(repeating: -1, count: 64); insert(0) }

    var isFull: Bool { styles.count >= Cell.maximumStyles }
    var shouldCollect: Bool { styles.count >= collectAt }

    subscript(_ number: Int) -> TextStyle { styles[number] }

    private static func hash(_ style: TextStyle) -> Int {
        var h = style.low &* 0x9E37_79B9_7F4A_7C15
        h ^= h >> 29
        h = (h &+ style.high) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: (h ^ h >> 32) >> 1)
    }

    private mutating func insert(_ number: Int) {
        let mask = slots.count - 1
        var slot = StyleTable.hash(styles[number]) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(number)
    }

    /// The number of a style, given a new one when it has none; 0 when the table is full.
    mutating func number(of style: TextStyle) -> Int {
        let mask = slots.count - 1
        var slot = StyleTable.hash(style) & mask
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if styles[number] == style { return number }
            slot = (slot + 1) & mask
        }
        if isFull { return 0 }
        styles.append(style)
        if styles.count * 2 > slots.count {
            slots = Array(repeating: -1, count: slots.count * 2)
            for number in styles.indices { insert(number) }
        } else {
            slots[slot] = Int32(styles.count - 1)
        }
        return styles.count - 1
    }

    /// Keeps the marked entries; answers the new number of every old one.
    mutating func collect(used: [Bool]) -> [UInt32] {
        var renumbered = [UInt32](repeating: 0, count: styles.count)
        var kept: [TextStyle] = [.plain]
        for number in 1..<max(1, styles.count) where used[number] {
            renumbered[number] = UInt32(kept.count)
            kept.append(styles[number])
        }
        styles = kept
        var size = 64
        while size < styles.count * 2 { size *= 2 }
        slots = Array(repeating: -1, count: size)
        for number in styles.indices { insert(number) }
        collectAt = min(Cell.maximumStyles, max(4096, styles.count * 2))
        return renumbered
    }
}

/// Values by number without a hash of our own: clusters and links are rare.
struct InternTable<Value: Hashable> {
    private(set) var values: [Value]
    private var numbers: [Value: Int]
    let capacity: Int
    var collectAt: Int
    private let floor: Int

    /// `reserved` takes number 0, which stands for "none".
    init(reserved: Value, capacity: Int, collectAt: Int) {
        values = [reserved]
        numbers = [:]
        self.capacity = capacity
        self.collectAt = min(collectAt, capacity)
        floor = self.collectAt
    }

    var isFull: Bool { values.count >= capacity }
    var shouldCollect: Bool { values.count >= collectAt }

    subscript(_ number: Int) -> Value { values[number] }

    func existing(_ value: Value) -> Int? { numbers[value] }

    /// The number of a value, given a new one when it has none; 0 when the table is full.
    mutating func number(of value: Value) -> Int {
        if let number = numbers[value] { return number }
        if isFull { return 0 }
        values.append(value)
        numbers[value] = values.count - 1
        return values.count - 1
    }

    mutating func collect(used: [Bool]) -> [UInt32] {
        var renumbered = [UInt32](repeating: 0, count: values.count)
        var kept = [values[0]]
        numbers = [:]
        for number in 1..<max(1, values.count) where used[number] {
            renumbered[number] = UInt32(kept.count)
            numbers[values[number]] = kept.count
            kept.append(values[number])
        }
        values = kept
        collectAt = min(capacity, max(floor, values.count * 2))
        return renumbered
    }
}
