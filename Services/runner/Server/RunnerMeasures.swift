internal import CPty
internal import FoundationEssentials
internal import Metrics

/// What a runner's folder holds and how much room is left, for `/metrics` and `/readyz`.
public struct RunnerMeasures: Sendable {
    private let directory: String

    /// - Parameter directory: the runner's own.
    public init(directory: String) { self.directory = directory }

    /// Looks around every ten seconds, until the task is cancelled.
    public func run() async {
        repeat { measure() } while (try? await Task.sleep(for: .seconds(10))) != nil
    }

    /// Counts pods' folders and what waits in their spools.
    public func measure() {
        let pods = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/pods")) ?? []
        var bytes: Int64 = 0
        for pod in pods {
            let spool = "\(directory)/pods/\(pod)/spool"
            for file in (try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? [] {
                let size = (try? FileManager.default.attributesOfItem(atPath: "\(spool)/\(file)"))?[.size]
                bytes += size as? Int64 ?? (size as? Int).map(Int64.init) ?? (size as? UInt64).map { Int64(clamping: $0) } ?? 0
            }
        }
        Gauge(label: "runner.pods").record(Double(pods.count))
        Gauge(label: "runner.spool_bytes").record(Double(bytes))
        if let disk { Gauge(label: "runner.disk_free_ratio").record(Double(disk.free) / Double(max(1, disk.total))) }
    }

    /// What is wrong with the disk, for a person; nil when there is room.
    public var problem: String? {
        guard let disk else { return "\(directory) cannot be looked at" }
        guard disk.free * 20 < disk.total else { return nil }
        return "the disk of \(directory) is full (\(disk.free >> 20) MiB of \(disk.total >> 20) MiB are free): pods are held until there is room"
    }

    private var disk: (free: UInt64, total: UInt64)? {
        var free: UInt64 = 0, total: UInt64 = 0
        return cpty_disk(directory, &free, &total) == 0 ? (free, total) : nil
    }
}
