internal import Contract
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// The page at `/`: files of one folder, and the sign-in by `/?token=`.
struct Page: Sendable {
    let directory: String
    let access: Access

    /// Signs in and forgets the token in the address, or gives the page.
    func index(_ request: Request) throws -> Response {
        if let token = request.uri.queryParameters["token"] {
            _ = try access.person(Access.Credentials(request, queryToken: String(token)))
            return Response(
                status: .seeOther,
                headers: [
                    .location: "/", .setCookie: "\(Access.cookie)=\(token); Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000",
                    .cacheControl: "no-store",
                ])
        }
        return try file(named: "index.html")
    }

    func file(_ request: Request) throws -> Response {
        try file(named: String(request.uri.path.dropFirst("/web/".count)))
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png",
    ]

    private func file(named name: String) throws(ErrorBody) -> Response {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.hasPrefix(".")
                && part.utf8.allSatisfy { $0 == 0x2d || $0 == 0x2e || $0 == 0x5f || ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a }
        }
        guard isPlain, let type = parts.last.flatMap({ $0.split(separator: ".").last }).flatMap({ Self.types[String($0)] }),
            let data = FileManager.default.contents(atPath: directory + "/" + name)
        else { throw ErrorBody(.notFound, "there is no file \(name)") }
        var response = Answer.bytes([UInt8](data), type: type)
        response.headers[.cacheControl] = "no-cache"
        if let policy = HTTPField.Name("Content-Security-Policy") {
            response.headers[policy] = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:"
        }
        return response
    }
}
