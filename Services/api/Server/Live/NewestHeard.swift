/// Whether a snapshot is new enough. Two that follow the same frames hear of them at different times: whoever makes snapshots may not have heard of
/// what we know, and if nothing came after it, nobody would ever see it.
struct NewestHeard {
    /// Snapshots in a row that are asked for again: what never comes, as a frame that somebody made up, is not waited for.
    let patience: Int
    private var newest: UInt64 = 0
    private var lacking = 0

    init(patience: Int) { self.patience = patience }

    /// Frames that a snapshot must have.
    mutating func note(_ items: some Sequence<some Step>) {
        for item in items where !item.isLoss { newest = max(newest, item.seq) }
    }

    /// Whether a snapshot of the state after `seq` is to be asked for again. One that is taken has all that was noted before it.
    mutating func isLacking(_ seq: UInt64) -> Bool {
        if seq < newest, lacking < patience {
            lacking += 1
            return true
        }
        newest = 0
        lacking = 0
        return false
    }
}
