internal import CPty
internal import Contract

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The processes of one pod, found from its program downwards: a look costs as much as the pod has processes, whatever the host runs.
struct ProcessTable {
    /// More are not looked at.
    static let most = 64

    struct Entry: Equatable {
        var pid: Int32
        var parent: Int32
        var name: String
        var state: Character
        var group: Int32
        var session: Int32
        /// With the pid, tells this process from a later one of the same number.
        var start: UInt64
        var cpu: Double
        var age: Double
    }

    let root: Int32
    /// Processes that were seen as the pod's: they stay it when their parent ends before them.
    private var known: [Int32: UInt64] = [:]

    init(root: Int32) { self.root = root }

    /// What runs now, the program first; whether there is more.
    mutating func look(foreground: Int32) -> (entries: [Entry], more: Bool) {
        var entries: [Entry] = []
        var seen: Set<Int32> = []
        var queue: [Int32] = [root]
        if foreground > 0 { queue.append(foreground) }
        queue += known.keys.sorted()
        var index = 0
        var session: Int32?
        while index < queue.count, entries.count < Self.most {
            let pid = queue[index]
            index += 1
            guard seen.insert(pid).inserted, let entry = Self.entry(pid), entry.state != "Z" || pid == root else { continue }
            if pid == root {
                session = entry.session
            } else if let start = known[pid], start != entry.start {
                // The number was given to somebody else's process.
                continue
            } else if pid == foreground, known[pid] == nil, entry.session != session {
                continue
            }
            entries.append(entry)
            queue += Self.children(pid)
        }
        known = Dictionary(entries.map { ($0.pid, $0.start) }) { $1 }
        known[root] = nil
        return (entries, index < queue.count)
    }

    private static func entry(_ pid: Int32) -> Entry? {
        var process = cpty_process()
        guard cpty_look(pid, &process) == 0 else { return nil }
        let name = withUnsafeBytes(of: process.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return Entry(
            pid: pid, parent: process.parent, name: name, state: Character(Unicode.Scalar(UInt8(bitPattern: process.state))),
            group: process.group, session: process.session, start: process.start, cpu: process.cpu_seconds, age: process.age_seconds)
    }

    private static func children(_ pid: Int32) -> [Int32] {
        withUnsafeTemporaryAllocation(of: pid_t.self, capacity: most) { space in
            let count = cpty_children(pid, space.baseAddress, Int32(most))
            return Array(space.prefix(Int(max(0, count))))
        }
    }
}
