internal import Contract
internal import HTTPTypes
internal import Hummingbird

/// A browser's sign-in: who it is, signing in with a token typed into the page, signing out.
struct SessionRoutes {
    let access: Access

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/session", name: "whoAmI", about: "Who asks, and what they may do.", role: .viewer,
                answers: [.json("Session")]
            ) { request in try Answer.json(Session(request.person)) },
            Route(
                method: .post, path: "/v1/session", name: "signIn",
                about: "Sets the cookie that keeps a browser signed in. A browser sends it from this server's own pages only.", role: nil,
                body: .json("SignIn"), answers: [.json("Session")], handler: signIn),
            Route(
                method: .delete, path: "/v1/session", name: "signOut", about: "Takes the cookie back.", role: nil, answers: [.json("SignedOut")],
                handler: signOut),
        ]
    }

    struct Session: Encodable {
        var name: String
        var role: Role

        init(_ person: Person) {
            name = person.name
            role = person.role
        }
    }

    private struct SignIn: Decodable { var token: String }
    private struct SignedOut: Encodable { var signedOut = true }

    @Sendable private func signIn(_ request: APIRequest) async throws -> Response {
        try refuseForeign(request)
        let token = try await request.json(SignIn.self).token
        let person = try access.known(token, from: request.address)
        request.note.person(person)
        var response = try Answer.json(Session(person))
        response.headers[.setCookie] = Access.cookie(token: token, secure: request.isSecure, expires: person.expires)
        return response
    }

    @Sendable private func signOut(_ request: APIRequest) async throws -> Response {
        try refuseForeign(request)
        var response = try Answer.json(SignedOut())
        response.headers[.setCookie] = Access.cookie(token: nil, secure: request.isSecure)
        return response
    }

    /// Another site's page could sign its visitors in as somebody else, or out.
    private func refuseForeign(_ request: APIRequest) throws(ErrorBody) {
        let origin = request.request.headers[.origin]
        guard access.allows(origin: origin, host: request.request.head.authority) else {
            throw ErrorBody(.denied, "a page of \(origin ?? "an unknown origin") may not sign anybody in or out here")
        }
    }
}
