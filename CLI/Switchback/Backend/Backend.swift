internal import APIClient
internal import Contract
internal import FoundationEssentials
internal import LocalStack

/// The API that a command talks to: the local stack's, or the one that `SWITCHBACK_URL` and `SWITCHBACK_TOKEN` name.
struct Backend: Sendable {
    var api: APIClient

    static func locate() throws -> Backend {
        let environment = ProcessInfo.processInfo.environment
        if let address = environment["SWITCHBACK_URL"], !address.isEmpty {
            guard APIClient.isAddress(address) else {
                throw Failure(.usage, "bad_url", "SWITCHBACK_URL is \"\(address)\"; give http://host:port or https://host:port")
            }
            let token = environment["SWITCHBACK_TOKEN"] ?? environment["SWITCHBACK_TOKENS"].flatMap { Keys.token(role: "admin", inFile: $0) }
            let authority = environment["SWITCHBACK_CA"].flatMap { $0.isEmpty ? nil : $0 }
            if let authority, let problem = APIClient.problem(withAuthority: authority) {
                throw Failure(.usage, "bad_ca", "SWITCHBACK_CA names \(authority): \(problem)")
            }
            return Backend(api: APIClient(address: address, token: token, authority: authority))
        }
        let stack = try Stack(environment: environment)
        guard let settings = try stack.settings() else {
            throw Failure(
                .error, "not_running", "There is no Switchback in \(stack.home.path).",
                fix: "Start one with `switchback up`, or set SWITCHBACK_URL and SWITCHBACK_TOKEN.")
        }
        // A server that restarts is worth waiting for, one that nobody started is not.
        guard stack.mayAnswer(settings) else {
            throw Failure(.error, "not_running", "Switchback is down; its data are in \(stack.home.path).", fix: "Start it with `switchback up`.")
        }
        return Backend(api: APIClient(address: settings.address, token: environment["SWITCHBACK_TOKEN"] ?? settings.adminToken))
    }

    /// Whether the services run on this machine, so that paths here mean something there.
    var isLocal: Bool { ["://127.", "://localhost", "://[::1]"].contains { api.address.contains($0) } }

    /// A moment as the person wrote it, for a pod; in the form that the API takes.
    func resolve(_ moment: Moment?, for pod: Pod) throws -> String? {
        try moment?.resolve(start: pod.started ?? pod.created, now: .now()).description
    }
}
