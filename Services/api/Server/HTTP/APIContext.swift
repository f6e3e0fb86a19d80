internal import Hummingbird
internal import NIOCore

/// What hummingbird keeps of a request, and where it came from.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The peer's address without its port.
    let address: String

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        address = source.channel.remoteAddress?.ipAddress ?? "unknown"
    }
}

/// Where a request comes from, seen through proxies that this server was told of.
enum ClientAddress {
    /// The peer; behind a known proxy, the last address of `X-Forwarded-For` that is not one itself. From anybody else the header counts for nothing.
    static func of(peer: String, forwarded: [String], proxies: Set<String>) -> String {
        guard proxies.contains(peer) else { return peer }
        let chain = forwarded.flatMap { $0.split(separator: ",") }.map { $0.filter { !$0.isWhitespace } }
        let address = chain.last { !proxies.contains($0) } ?? peer
        return address.utf8.count <= 64 && address.utf8.allSatisfy { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x66 || (0x2e...0x3a).contains($0) } ? address : peer
    }

    /// Whether the browser spoke HTTPS: to us, or to a proxy we know.
    static func isSecure(peer: String, forwardedProtocol: String?, proxies: Set<String>) -> Bool {
        proxies.contains(peer) && forwardedProtocol?.lowercased() == "https"
    }
}
