/// Writes topologies as JSON, one after the other. In a large fleet little changes from one to the next, and only nodes and edges that the one
/// before did not have are written anew. The text is the same as ``JSON/encode(_:)`` gives.
public struct TopologyEncoder: Sendable {
    private var nodes = Texts<Topology.Node>()
    private var edges = Texts<Topology.Edge>()

    private static let nearby = [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8]

    public init() {}

    /// The bytes of `topology`.
    public mutating func encode(_ topology: Topology) throws -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(256 * (topology.nodes.count + topology.edges.count) + 1024)
        // Sorted by their names, as all our keys are.
        text += Array("{\"at\":".utf8)
        text += try JSON.encode(topology.at)
        text += Array(",\"channels\":".utf8)
        text += try JSON.encode(topology.channels)
        text += Array(",\"cycles\":".utf8)
        text += try JSON.encode(topology.cycles)
        text += Array(",\"edges\":".utf8)
        try edges.write(topology.edges, to: &text)
        text += Array(",\"nodes\":".utf8)
        try nodes.write(topology.nodes, to: &text)
        text += Array(",\"roots\":".utf8)
        text += try JSON.encode(topology.roots)
        text += Array(",\"runners\":".utf8)
        text += try JSON.encode(topology.runners)
        text += Array(",\"seq\":\(topology.seq),\"standstill\":\(topology.standstill)}".utf8)
        return text
    }

    /// What values of the last list read, in their order.
    private struct Texts<Value: Sendable & Hashable & Encodable>: Sendable {
        private var last: [(value: Value, text: [UInt8])] = []

        mutating func write(_ values: [Value], to all: inout [UInt8]) throws {
            var next: [(value: Value, text: [UInt8])] = []
            next.reserveCapacity(values.count)
            // Most stand where they stood before, or a few places on, where others came or went.
            var shift = 0
            all.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { all.append(UInt8(ascii: ",")) }
                let known = TopologyEncoder.nearby.first { step in
                    let place = index + shift + step
                    return last.indices.contains(place) && last[place].value == value
                }
                if let known {
                    shift += known
                    next.append(last[index + shift])
                } else {
                    next.append((value, try JSON.encode(value)))
                }
                all += next[index].text
            }
            all.append(UInt8(ascii: "]"))
            last = next
        }
    }
}
