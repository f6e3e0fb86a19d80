internal import Contract
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// The web app: its one page at every address of its own, its files below `/web/`, and the sign-in by `/?token=`.
struct Page: Sendable {
    let directory: String
    let access: Access
    let proxies: Set<String>
    /// Everybody comes by HTTPS.
    let isTLS: Bool

    /// The addresses that the app reads itself (`Web/app/router.js`).
    static let addresses: [RouterPath] = [
        "/", "/sign-in", "/fleet", "/attention", "/together", "/topology", "/search", "/channels", "/channels/{channel}", "/pods/{pod}",
        "/people", "/audit",
    ]

    /// Signs in and forgets the token in the address, or gives the page.
    func index(_ request: Request, _ context: APIContext) throws -> Response {
        guard let token = request.uri.queryParameters["token"] else { return try file(named: "index.html", request) }
        var headers: HTTPFields = [.cacheControl: "no-store"]
        do throws(ErrorBody) {
            let person = try access.known(String(token), from: ClientAddress.of(request, context, proxies: proxies))
            headers[.location] = "/"
            headers[.setCookie] = Access.cookie(
                token: String(token), secure: isTLS || ClientAddress.isSecure(request, context, proxies: proxies), expires: person.expires)
        } catch {
            headers[.location] = "/sign-in?refused"
        }
        return Response(status: .seeOther, headers: headers)
    }

    /// For a browser that asks for an address nobody knows: the app, which says so and leads back. Nil for everybody else.
    func nowhere(_ request: Request) -> Response? {
        guard request.method == .get, request.headers[.accept]?.contains("text/html") == true, let (data, type) = try? stored("index.html") else { return nil }
        var response = Answer.bytes([UInt8](data), type: type, status: .notFound)
        Self.protect(&response)
        return response
    }

    func file(_ request: Request) throws -> Response {
        try file(named: String(request.uri.path.dropFirst("/web/".count)), request)
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "webmanifest": "application/manifest+json",
    ]

    /// Nothing but this server's own files and sockets; nothing written into the page runs or styles it.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "manifest-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

    private func file(named name: String, _ request: Request) throws(ErrorBody) -> Response {
        let (data, type) = try stored(name)
        // Kept by browsers, and asked for each time whether it is still so.
        let tag = "\"\(String(fnv1a(data), radix: 36))\""
        let isKnown = request.headers[.ifNoneMatch] == tag
        var response = isKnown ? Response(status: .notModified) : Answer.bytes([UInt8](data), type: type)
        response.headers[.cacheControl] = "no-cache"
        response.headers[.eTag] = tag
        Self.protect(&response)
        return response
    }

    private func stored(_ name: String) throws(ErrorBody) -> (Data, type: String) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.hasPrefix(".")
                && part.utf8.allSatisfy { $0 == 0x2d || $0 == 0x2e || $0 == 0x5f || ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a }
        }
        guard isPlain, let type = parts.last.flatMap({ $0.split(separator: ".").last }).flatMap({ Self.types[String($0)] }),
            let data = FileManager.default.contents(atPath: directory + "/" + name)
        else { throw ErrorBody(.notFound, "there is no file \(name)") }
        return (data, type)
    }

    private static func protect(_ response: inout Response) {
        for (name, value) in [
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
    }
}
