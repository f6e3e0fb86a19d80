internal import Bus
internal import Contract
internal import FoundationEssentials
internal import Hummingbird
internal import RegistryClient
internal import RelayClient

/// Pods: list, start, look at, and what can be done to one.
struct PodRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/pods", name: "listPods", about: "Pods, the newest first.", role: .viewer,
                query: [
                    Route.at, .init(name: "status", about: "executing, waiting, idle or unknown."),
                    .init(name: "lifecycle", about: "starting, running, exited, crashed, lost or ended."),
                    .init(name: "runner", about: "Only pods of this runner."),
                    .init(name: "live", about: "Only pods that run.", schema: ["type": "boolean"]), Route.limit, Route.cursor,
                ], answers: [.json("PodPage")], handler: list),
            Route(
                method: .post, path: "/v1/pods", name: "createPod", about: "Starts an agent in a pod.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("PodSpec"), answers: [.json("Pod")], status: .created, handler: create),
            Route(
                method: .get, path: "/v1/pods/{pod}", name: "getPod", about: "One pod.", role: .viewer, query: [Route.at],
                answers: [.json("Pod")], handler: get),
            Route(
                method: .get, path: "/v1/pods/{pod}/history", name: "getPodHistory",
                about: "Every lifecycle and status interval of a pod.", role: .viewer, answers: [.json("PodHistory")], handler: history),
            Route(
                method: .post, path: "/v1/pods/{pod}/input", name: "writeInput",
                about: "Types into a pod, through the gate.", role: .operator, headers: [Route.idempotencyKey], body: .json("Input"),
                answers: [.json("Applied")], handler: input),
            Route(
                method: .post, path: "/v1/pods/{pod}/approve", name: "approvePod",
                about: "Answers the dialog with this fingerprint, if it is still the one that is open.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("Approval"), answers: [.json("Applied")], handler: approve),
            Route(
                method: .post, path: "/v1/pods/{pod}/resize", name: "resizePod", about: "Gives a pod's terminal another size.",
                role: .operator, headers: [Route.idempotencyKey], body: .json("Size"), answers: [.json("Applied")], handler: resize),
            Route(
                method: .post, path: "/v1/pods/{pod}/signal", name: "signalPod",
                about: "Sends a signal to the pod's foreground processes.", role: .operator, headers: [Route.idempotencyKey],
                body: .json("Signal"), answers: [.json("Done")], handler: signal),
            Route(
                method: .post, path: "/v1/pods/{pod}/marker", name: "markPod", about: "Marks this moment in the record.",
                role: .operator, headers: [Route.idempotencyKey], body: .json("Marker"), answers: [.json("Applied")], handler: mark),
            Route(
                method: .post, path: "/v1/pods/{pod}/stop", name: "stopPod",
                about: "Ends a pod: politely, then after a while by SIGKILL.", role: .operator, headers: [Route.idempotencyKey],
                body: .json("Stop"), answers: [.json("Pod")], handler: stop),
            Route(
                method: .post, path: "/v1/pods/{pod}/resume", name: "resumePod",
                about: "Starts a new pod that goes on where this one ended.", role: .operator, headers: [Route.idempotencyKey],
                answers: [.json("Pod")], status: .created, handler: resume),
            Route(
                method: .get, path: "/v1/runners", name: "listRunners", about: "Hosts that run pods.", role: .viewer,
                answers: [.json("RunnerList")], handler: runners),
        ]
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        let lifecycle = try request.text("lifecycle").map { text throws(ErrorBody) in
            guard let lifecycle = Lifecycle(rawValue: text) else {
                throw ErrorBody(.badRequest, "lifecycle=\(text): use one of \(Lifecycle.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return lifecycle
        }
        let status = request.text("status")
        if let status, !["executing", "waiting", "idle", "unknown"].contains(status) {
            throw ErrorBody(.badRequest, "status=\(status): use executing, waiting, idle or unknown")
        }
        var page = try await service.registry.list(
            ListPods(
                at: try request.time("at"), status: status, lifecycle: lifecycle, runner: request.text("runner"),
                live: try request.flag("live"), limit: try request.integer("limit", in: 1...1000), cursor: request.text("cursor")))
        if let scope = request.person.scope { page.pods.removeAll { !scope.allows(id: $0.pod.text, name: $0.name) } }
        page.pods = page.pods.map { service.shown($0, to: request.person) }
        return try Answer.json(page, hiding: service.redactor)
    }

    @Sendable private func create(_ request: APIRequest) async throws -> Response {
        let spec = try await request.json(PodSpec.self)
        if let problem = spec.problem() { throw problem }
        if let scope = request.person.scope, !(spec.name.map { scope.allows(id: "", name: $0) } ?? false) {
            throw ErrorBody(.denied, "this token starts pods named \(scope.patterns.joined(separator: ", ")) only; give the pod such a name")
        }
        let key = try request.idempotencyKey
        let pod = try await service.registry.create(
            CreatePod(spec: spec, author: request.person.author, idempotencyKey: key.map { "\(request.person.name)/\($0)" }))
        request.note.target(pod.pod.text)
        return try Answer.json(pod, status: .created)
    }

    @Sendable private func get(_ request: APIRequest) async throws -> Response {
        var at: Timestamp?
        if request.text("at") != nil {
            let now = try await service.pod(request.pathPod)
            at = try request.time("at", start: now.started ?? now.created)
        }
        return try Answer.json(service.shown(try await service.pod(request.pathPod, at: at), to: request.person), hiding: service.redactor)
    }

    @Sendable private func history(_ request: APIRequest) async throws -> Response {
        let pod = try await service.pod(request.pathPod)
        return try Answer.json(try await service.registry.history(PodRequest(pod: pod.pod, author: request.person.author)), hiding: service.redactor)
    }

    struct Input: Decodable {
        /// Text as typed.
        var text: String?
        /// Bytes as typed, base64.
        var bytesB64: String?
        var submit: Bool?
        var paste: Bool?
        var ifSeq: UInt64?
        var ifStatus: String?
        /// Types although somebody else writes.
        var take: Bool?
        /// With `submit`: a half-typed line is cut before and put back after.
        var keepDraft: Bool?

        func bytes() throws(ErrorBody) -> [UInt8] {
            switch (text, bytesB64) {
            case (let text?, nil): return Array(text.utf8)
            case (nil, let encoded?):
                guard let data = Data(base64Encoded: encoded) else { throw ErrorBody(.badRequest, "bytes_b64 is not base64") }
                return [UInt8](data)
            case (nil, nil) where submit == true: return []
            default: throw ErrorBody(.badRequest, "give either text or bytes_b64")
            }
        }
    }

    @Sendable private func input(_ request: APIRequest) async throws -> Response {
        let input = try await request.json(Input.self)
        let bytes = try input.bytes()
        guard !bytes.isEmpty || input.submit == true else { throw ErrorBody(.badRequest, "there is nothing to type") }
        let pod = try await live(request)
        let person = request.person
        var viewer: String?
        if input.take == true {
            // Taking over and typing are one operation: a viewer of one moment.
            let name = TerminalService.newViewer()
            viewer = name
            let taken = try await service.relay.take(
                ViewerRequest(pod: pod.pod, viewer: name, author: person.author, role: person.role))
            guard taken.result == .applied else { return try answer(taken) }
        }
        let applied = try await service.relay.write(
            Write(
                pod: pod.pod, author: person.author, role: person.role, viewer: viewer, via: "send", ifSeq: input.ifSeq,
                ifStatus: input.ifStatus, submit: input.submit, paste: input.paste, keepDraft: input.keepDraft), bytes: bytes)
        if let viewer { service.release(pod.pod, viewer: viewer, person: person) }
        return try answer(applied)
    }

    struct Approval: Decodable {
        var fingerprint: String?
        var option: Int?
        var reject: Bool?
    }

    @Sendable private func approve(_ request: APIRequest) async throws -> Response {
        let approval = try await request.json(Approval.self)
        guard let fingerprint = approval.fingerprint, !fingerprint.isEmpty else {
            throw ErrorBody(.badRequest, "field fingerprint is missing: the one of the dialog that was seen, from the pod's status")
        }
        guard (1...9).contains(approval.option ?? 1) else { throw ErrorBody(.badRequest, "option goes from 1 to 9") }
        let pod = try await live(request)
        return try answer(
            try await service.relay.approve(
                Approve(
                    pod: pod.pod, author: request.person.author, role: request.person.role, fingerprint: fingerprint, option: approval.option,
                    reject: approval.reject)))
    }

    struct Size: Decodable {
        var columns: Int
        var rows: Int
    }

    @Sendable private func resize(_ request: APIRequest) async throws -> Response {
        let size = try await request.json(Size.self)
        if let problem = PodSpec.sizeProblem(columns: size.columns, rows: size.rows) { throw problem }
        let pod = try await live(request)
        return try answer(
            try await service.relay.resize(
                Resize(
                    pod: pod.pod, columns: size.columns, rows: size.rows, author: request.person.author, role: request.person.role)))
    }

    struct Signal: Decodable { var signal: String }

    /// What may be sent: what a shell's `kill -l` names and a person would send to a program.
    private static let signals: Set<String> = [
        "HUP", "INT", "QUIT", "KILL", "TERM", "STOP", "CONT", "TSTP", "USR1", "USR2", "WINCH",
    ]

    @Sendable private func signal(_ request: APIRequest) async throws -> Response {
        let wanted = try await request.json(Signal.self).signal.uppercased()
        let name = wanted.hasPrefix("SIG") ? String(wanted.dropFirst(3)) : wanted
        guard Self.signals.contains(name) else {
            throw ErrorBody(.badRequest, "signal \"\(wanted)\" cannot be sent; use one of \(Self.signals.sorted().joined(separator: ", "))")
        }
        let pod = try await live(request)
        let done: Done = try await askShim(pod, Subjects.shimSignal(pod.pod), SendSignal(name: name, author: request.person.author))
        return try Answer.json(done)
    }

    struct Marker: Decodable { var text: String }

    @Sendable private func mark(_ request: APIRequest) async throws -> Response {
        let text = try await request.json(Marker.self).text
        guard (1...1000).contains(text.utf8.count) else { throw ErrorBody(.badRequest, "a marker's text has 1 to 1000 bytes") }
        let pod = try await live(request)
        let applied: Applied = try await askShim(
            pod, Subjects.shimMarker(pod.pod), PutMarker(text: text, author: request.person.author))
        return try answer(applied)
    }

    struct Stop: Decodable { var graceMs: Int? }

    @Sendable private func stop(_ request: APIRequest) async throws -> Response {
        let stop = try await request.json(Stop.self, orElse: Stop())
        guard (0...600_000).contains(stop.graceMs ?? 0) else {
            throw ErrorBody(.badRequest, "grace_ms goes from 0 to 600000")
        }
        let pod = try await live(request)
        return try Answer.json(
            try await service.registry.stop(
                PodRequest(pod: pod.pod, author: request.person.author, graceMs: stop.graceMs, idempotencyKey: try request.idempotencyKey)))
    }

    @Sendable private func resume(_ request: APIRequest) async throws -> Response {
        let pod = try await service.pod(request.pathPod)
        guard request.person.pod == nil || pod.owner == request.person.author else {
            throw ErrorBody(.denied, "an agent resumes only pods that it started; \(pod.name) is \(pod.owner.map { "\($0)'s" } ?? "another's")")
        }
        let key = try request.idempotencyKey
        let resumed = try await service.registry.resume(
            PodRequest(pod: pod.pod, author: request.person.author, idempotencyKey: key.map { "\(request.person.name)/\($0)" }))
        return try Answer.json(resumed, status: .created)
    }

    @Sendable private func runners(_ request: APIRequest) async throws -> Response {
        try Answer.json(RunnerList(runners: try await service.registry.runners()))
    }

    // MARK: -

    private func live(_ request: APIRequest) async throws(ErrorBody) -> Pod {
        let pod = try await service.pod(request.pathPod)
        guard pod.lifecycle.isLive else {
            throw ErrorBody(.gone, "\(pod.name) (\(pod.pod)) has ended\(pod.exit.map { " (\(Self.words($0)))" } ?? ""); `switchback resume \(pod.name)` starts it anew")
        }
        return pod
    }

    private static func words(_ exit: Exit) -> String {
        switch exit {
        case .code(let code): "exit code \(code)"
        case .signal(let signal): "signal \(signal)"
        case .lost(let reason): "lost: \(reason)"
        }
    }

    private func askShim<Value: Decodable>(_ pod: Pod, _ subject: String, _ question: some Encodable) async throws(ErrorBody) -> Value {
        do throws(ErrorBody) {
            return try await service.bus.ask(subject, question)
        } catch  where error.code == .unavailable {
            throw ErrorBody(.unavailable, "the terminal of \(pod.name) does not answer; its host may be cut off. Try again")
        }
    }

    /// An operation's outcome; a refusal is an error whose code is the result.
    private func answer(_ applied: Applied) throws -> Response {
        guard applied.result != .applied else { return try Answer.json(applied) }
        struct Refused: Encodable {
            var error: ErrorBody
            var result: Applied.Result
            var seq: UInt64?
        }
        let error = ErrorBody(applied)
        return try Answer.json(Refused(error: error, result: applied.result, seq: applied.seq), status: error.status)
    }
}
