internal import BindingsClient
internal import Contract
internal import RelayClient

/// Who is at the other end of a terminal socket, and what is the same for every kind of session: being admitted, staying allowed, the keyboard,
/// the size, how it is all noted, and leaving.
struct SocketCaller: Sendable {
    let request: TerminalRequest
    let service: TerminalService
    let access: Access
    let audit: SocketAudit
    /// The socket's own name among the pod's viewers.
    let viewer = TerminalService.newViewer()

    /// The pod that is asked for; a refusal is noted.
    func admitted() async throws(ErrorBody) -> Pod {
        do throws(ErrorBody) {
            return try await service.pod(for: request)
        } catch {
            if error.isDenial { audit.note("openTerminal", on: request.pod, .denied, code: error.code.rawValue) }
            throw error
        }
    }

    /// Notes what is seen, and closes the socket as soon as it may not be seen any more.
    func begin(_ pod: Pod, on socket: TerminalSocket) {
        if request.reveal { audit.note("revealTerminal", on: pod.pod.text, .done, code: "") }
        let (access, person, grants) = (access, request.person, service.grants)
        if person.pod != nil {
            socket.closeUnless("the binding that allowed this has ended") { grants.allows(person.author, .read, on: pod.pod) }
        } else {
            socket.closeUnless("the token that allowed this has ended") { access.isStillGood(person) }
        }
    }

    func end(_ pod: Pod?) {
        if let pod { service.release(pod.pod, viewer: viewer, person: request.person) }
    }

    /// A way to type; `write` is what the session says of it.
    func keyboard(_ pod: Pod, via: String, _ change: (inout Write) -> Void = { _ in }) throws(ErrorBody) -> RelayClient.Keyboard {
        var write = Write(pod: pod.pod, author: request.person.author, role: request.person.role, viewer: viewer, via: via)
        change(&write)
        return try RelayClient.Keyboard(write)
    }

    /// Types, notes it, and says what went wrong, on any thread.
    func type(_ bytes: [UInt8], on keyboard: RelayClient.Keyboard, _ pod: Pod, failed: @escaping @Sendable (ErrorBody) -> Void) {
        let (audit, target) = (audit, pod.pod.text)
        service.relay.type(bytes, on: keyboard) { result in
            audit.note("typeInTerminal", on: target, result)
            if let error = Self.refusal(result) { failed(error) }
        }
    }

    func resize(_ pod: Pod, columns: Int, rows: Int) async throws(ErrorBody) -> Applied {
        try await service.resize(pod.pod, columns: columns, rows: rows, viewer: viewer, request: request)
    }

    /// Takes the keyboard from whoever has it.
    func take(_ pod: Pod) async throws(ErrorBody) -> Applied {
        try await service.relay.take(
            ViewerRequest(pod: pod.pod, viewer: viewer, author: request.person.author, role: request.person.role))
    }

    /// Why something was not done; nil where it was.
    static func refusal(_ result: Result<Applied, ErrorBody>) -> ErrorBody? {
        switch result {
        case .success(let applied): applied.result == .applied ? nil : ErrorBody(applied)
        case .failure(let error): error
        }
    }
}

extension TerminalCloseCode {
    /// What a socket is closed with that cannot go on because of `error`.
    static func of(_ error: ErrorBody) -> UInt16 {
        switch error.code {
        case .notFound: noSuchPod
        case .denied, .unauthenticated: denied
        default: notReady
        }
    }
}
