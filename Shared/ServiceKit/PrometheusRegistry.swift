public import CoreMetrics
internal import Synchronization

/// Keeps every metric of the process and prints them as Prometheus text (exposition format 0.0.4,
/// https://prometheus.io/docs/instrumenting/exposition_formats/).
///
/// Labels `foo.bar` become `switchback_foo_bar`. Counters end in `_total`; timers are histograms in seconds.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    struct Key: Hashable, Sendable {
        var name: String
        var labels: String
    }

    private struct State {
        var counters: [Key: CounterCell] = [:]
        var gauges: [Key: GaugeCell] = [:]
        var histograms: [Key: HistogramCell] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        state.withLock { state in cell(&state.counters, key(label, dimensions, suffix: "_total")) { CounterCell() } }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        state.withLock { state in
            aggregate
                ? cell(&state.histograms, key(label, dimensions)) { HistogramCell(bounds: HistogramCell.sizes, scale: 1) } as any RecorderHandler
                : cell(&state.gauges, key(label, dimensions)) { GaugeCell() }
        }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        state.withLock { state in cell(&state.gauges, key(label, dimensions)) { GaugeCell() } }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        state.withLock { state in
            cell(&state.histograms, key(label, dimensions, suffix: "_seconds")) { HistogramCell(bounds: HistogramCell.seconds, scale: 1e-9) }
        }
    }

    // Metrics live as long as the process: a label that comes back goes on counting.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Everything, as Prometheus reads it.
    public func text() -> String {
        let (counters, gauges, histograms) = state.withLock { ($0.counters, $0.gauges, $0.histograms) }
        var text = ""
        func section<Cell>(_ cells: [Key: Cell], _ type: String, _ line: (Key, Cell) -> String) {
            for (name, group) in Dictionary(grouping: cells, by: \.key.name).sorted(by: { $0.key < $1.key }) {
                text += "# TYPE \(name) \(type)\n"
                for (key, cell) in group.sorted(by: { $0.key.labels < $1.key.labels }) { text += line(key, cell) }
            }
        }
        section(counters, "counter") { key, cell in "\(key.name)\(braced(key.labels)) \(cell.value)\n" }
        section(gauges, "gauge") { key, cell in "\(key.name)\(braced(key.labels)) \(cell.value)\n" }
        section(histograms, "histogram") { key, cell in cell.text(name: key.name, labels: key.labels) }
        return text
    }

    private func cell<Cell>(_ cells: inout [Key: Cell], _ key: Key, make: () -> Cell) -> Cell {
        if let cell = cells[key] { return cell }
        let cell = make()
        cells[key] = cell
        return cell
    }

    private func key(_ label: String, _ dimensions: [(String, String)], suffix: String = "") -> Key {
        var name = "switchback_" + String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        if !name.hasSuffix(suffix) { name += suffix }
        return Key(name: name, labels: dimensions.map { "\($0.0)=\(quoted($0.1))" }.sorted().joined(separator: ","))
    }
}

private func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

final class CounterCell: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)
    var value: Int64 { count.load(ordering: .relaxed) }
    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }
}

final class GaugeCell: RecorderHandler, MeterHandler, Sendable {
    private let stored = Mutex(0.0)
    var value: Double { stored.withLock { $0 } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { stored.withLock { $0 = value } }
    func increment(by amount: Double) { stored.withLock { $0 += amount } }
    func decrement(by amount: Double) { stored.withLock { $0 -= amount } }
}

final class HistogramCell: RecorderHandler, TimerHandler, Sendable {
    /// What `deploy/alerts.yml` compares with is among them, with one above it: between two bounds Prometheus guesses, and above the last it knows nothing.
    static let seconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
    static let sizes = [1.0, 16, 256, 4096, 65536, 1_048_576, 16_777_216]

    private struct State {
        var counts: [Int64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let scale: Double
    private let state: Mutex<State>

    /// `scale` turns what is recorded into the bounds' unit.
    init(bounds: [Double], scale: Double) {
        self.bounds = bounds
        self.scale = scale
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { add(value * scale) }
    func recordNanoseconds(_ duration: Int64) { add(Double(duration) * scale) }

    private func add(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func text(name: String, labels: String) -> String {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var text = ""
        var total: Int64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
            text += "\(name)_bucket\(braced((labels.isEmpty ? "" : labels + ",") + "le=\"\(bound)\"")) \(total)\n"
        }
        return text + "\(name)_sum\(braced(labels)) \(sum)\n\(name)_count\(braced(labels)) \(total)\n"
    }
}
