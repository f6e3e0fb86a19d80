internal import Contract
internal import Hummingbird
internal import NIOHTTP1

/// The terminal socket's place among the routes: who may open one, and what a request that cannot be upgraded is told.
struct TerminalRoutes {
    let access: Access

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/pods/{pod}/terminal", name: "openTerminal",
                about: "A WebSocket: live, rewind and replay (mode=view), or a real terminal (mode=raw).", role: .viewer,
                query: [
                    .init(name: "mode", about: "view or raw; view where missing.", schema: ["type": "string", "enum": ["view", "raw"]]),
                    .init(name: "size", about: "smallest: the pod fits its smallest viewer who asks so.", schema: ["type": "string"]),
                    .init(name: "columns", about: "The viewer's size.", schema: ["type": "integer"]),
                    .init(name: "rows", about: "The viewer's size.", schema: ["type": "integer"]),
                    .init(
                        name: "rate", about: "mode=view: so many changes a second at most while live, for small pictures.",
                        schema: ["type": "integer", "minimum": 1, "maximum": 60]),
                    .init(
                        name: "scrollback", about: "With mode=raw: lines of history before the screen; \(TerminalRequest.scrollback) where missing.",
                        schema: ["type": "integer"]), Route.reveal,
                ], status: .switchingProtocols
            ) { [access] request in
                let origin = request.request.headers[.origin]
                guard access.allows(origin: origin, host: request.request.head.authority) else {
                    throw ErrorBody(.denied, "a page of \(origin ?? "an unknown origin") may not open terminals here")
                }
                _ = try request.reveals()
                throw ErrorBody(
                    .init(rawValue: "upgrade_required"), "this is a WebSocket: connect with one (a second request on a connection is not upgraded)")
            }
        ]
    }

    /// What a request's head asks for, if it may be upgraded. What is refused here goes to the routes, which say why.
    ///
    /// - Parameter peer: the address at the other end.
    static func admit(_ head: HTTPRequestHead, _ access: Access, peer: String, proxies: Set<String>) -> TerminalRequest? {
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        let path = (parts.first ?? "").split(separator: "/")
        guard head.method == .GET, path.count == 4, path[0] == "v1", path[1] == "pods", path[3] == "terminal" else { return nil }
        let query = Query(parts.count > 1 ? parts[1] : "")
        let origin = head.headers.first(name: "origin")
        let host = head.headers.first(name: "host")
        guard access.allows(origin: origin, host: host) else { return nil }
        let credentials = Access.Credentials(
            authorization: head.headers.first(name: "authorization"), cookies: head.headers["cookie"], origin: origin, host: host,
            mutates: true, address: ClientAddress.of(peer: peer, forwarded: head.headers["x-forwarded-for"], proxies: proxies))
        let credential = credentials.podCredential
        // An agent's credential is checked when the socket is open: that takes a question to the registry.
        let agent = credential.flatMap { PodCredential.pod(of: $0) }.map { Person(name: $0.text, role: .operator, pod: $0) }
        guard let person = agent ?? (try? access.person(credentials, counting: false)), let ref = Query.decoded(path[2]) else { return nil }
        let reveal = ["1", "true", "yes"].contains(query["reveal"] ?? "")
        guard !reveal || person.role == .admin && person.pod == nil else { return nil }
        let mode = query["mode"] ?? "view"
        guard mode == "raw" || mode == "view" else { return nil }
        return TerminalRequest(
            pod: ref, mode: mode == "raw" ? .raw : .view, person: person, address: credentials.address, credential: credential, followsSmallest: query["size"] == "smallest",
            columns: query["columns"].flatMap { Int($0) }, rows: query["rows"].flatMap { Int($0) },
            rate: query["rate"].flatMap { Int($0) }.flatMap { (1...60).contains($0) ? $0 : nil },
            scrollback: min(max(query["scrollback"].flatMap { Int($0) } ?? TerminalRequest.scrollback, 0), TerminalRequest.largestScrollback),
            reveal: reveal)
    }
}

/// A query string taken apart.
struct Query {
    private var values: [String: String] = [:]

    init(_ text: some StringProtocol) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard let name = Self.decoded(parts[0]), let value = parts.count > 1 ? Self.decoded(parts[1]) : "" else { continue }
            values[name] = value
        }
    }

    subscript(_ name: String) -> String? { values[name] }

    /// Percent-decoded; nil if it is not UTF-8.
    static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
