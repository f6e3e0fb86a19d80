/// Which messages of an ordered run are not acknowledged yet. A value: no clock, no network.
struct AckWindow<Item> {
    private struct Entry {
        var token: UInt64
        var bytes: Int
        var item: Item?
    }

    /// In token order; acknowledged entries in the middle keep their place without an item.
    private var entries: [Entry] = []
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0

    /// Adds a message behind all others. Tokens rise by one.
    mutating func append(_ item: Item, token: UInt64, bytes: Int) {
        precondition(entries.last.map { $0.token + 1 == token } ?? true, "tokens must rise by one")
        entries.append(Entry(token: token, bytes: bytes, item: item))
        count += 1
        self.bytes += bytes
    }

    /// Takes the message out; nil when it was acknowledged before.
    mutating func settle(_ token: UInt64) -> Item? {
        guard head < entries.count, token >= entries[head].token, token - entries[head].token < UInt64(entries.count - head) else { return nil }
        let index = head + Int(token - entries[head].token)
        guard let item = entries[index].item else { return nil }
        entries[index].item = nil
        count -= 1
        bytes -= entries[index].bytes
        while head < entries.count, entries[head].item == nil { head += 1 }
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 256, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
        return item
    }

    /// What is not acknowledged, oldest first.
    var unsettled: [(token: UInt64, item: Item)] {
        entries[head...].compactMap { entry in entry.item.map { (entry.token, $0) } }
    }

    /// The oldest that is not acknowledged.
    var first: (token: UInt64, item: Item)? {
        guard head < entries.count, let item = entries[head].item else { return nil }
        return (entries[head].token, item)
    }

    /// The oldest token that is not acknowledged.
    var oldest: UInt64? { head < entries.count ? entries[head].token : nil }
}
