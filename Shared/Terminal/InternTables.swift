/// Styles by number. Entry 0 is the plain style.
struct StyleTable: ~Copyable {
    private var entries: UnsafeMutablePointer<TextStyle>
    private var capacity = 64
    private(set) var count = 1
    /// Open addressing; -1 is free. Always at least twice as many slots as entries.
    private var slots: UnsafeMutablePointer<Int32>
    private var mask = 127
    /// Past this many entries the owner should collect the unused ones.
    var collectAt = 4096

    init() {
        entries = .allocate(capacity: 64)
        entries[0] = .plain
        slots = .allocate(capacity: 128)
        slots.initialize(repeating: -1, count: 128)
        insert(0)
    }

    deinit {
        entries.deallocate()
        slots.deallocate()
    }

    var isFull: Bool { count >= Cell.maximumStyles }
    var shouldCollect: Bool { count >= collectAt }

    subscript(_ number: Int) -> TextStyle {
        precondition(number < count, "a cell names a style that is not there")
        return entries[number]
    }

    @inline(__always)
    private static func hash(_ style: TextStyle) -> Int {
        var h = (style.low ^ (style.high &<< 17)) &* 0x9E37_79B9_7F4A_7C15
        h = (h ^ h >> 29 &+ style.high) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: h >> 33)
    }

    private func insert(_ number: Int) {
        var slot = StyleTable.hash(entries[number]) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(truncatingIfNeeded: number)
    }

    /// The number of a style, given a new one when it has none; 0 when the table is full.
    @inline(__always)
    mutating func number(of style: TextStyle) -> Int {
        let slot = StyleTable.hash(style) & mask
        let found = Int(slots[slot])
        // Nearly always it is known and stands in its own slot.
        if found >= 0 && entries[found] == style { return found }
        return number(of: style, from: slot)
    }

    @inline(never)
    private mutating func number(of style: TextStyle, from first: Int) -> Int {
        var slot = first
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if entries[number] == style { return number }
            slot = (slot + 1) & mask
        }
        if isFull { return 0 }
        if count == capacity { grow(to: capacity * 2) }
        entries[count] = style
        count += 1
        insert(count - 1)
        return count - 1
    }

    private mutating func grow(to size: Int) {
        let larger = UnsafeMutablePointer<TextStyle>.allocate(capacity: size)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        capacity = size
        slots.deallocate()
        slots = .allocate(capacity: size * 2)
        slots.initialize(repeating: -1, count: size * 2)
        mask = size * 2 - 1
        for number in 0..<count { insert(number) }
    }

    /// Keeps the marked entries; answers the new number of every old one.
    mutating func collect(used: [Bool]) -> [UInt32] {
        var renumbered = [UInt32](repeating: 0, count: count)
        var kept = 1
        for number in 1..<max(1, count) where used[number] {
            renumbered[number] = UInt32(kept)
            entries[kept] = entries[number]
            kept += 1
        }
        count = kept
        var size = 64
        while size < count { size *= 2 }
        grow(to: size)
        collectAt = min(Cell.maximumStyles, max(4096, count * 2))
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
