internal import APIClient
internal import Contract
internal import FoundationEssentials

/// One tool: what a model is told of it, and what it does.
struct MCPTool: Sendable {
    var name: String
    var about: String
    /// Properties by name: their JSON schema.
    var properties: [String: JSONObject]
    var required: [String] = []
    var isReading = false
    var run: @Sendable (MCPTools, MCPArguments) async throws -> JSONObject

    var description: JSONObject {
        [
            "name": .string(name), "description": .string(about),
            "inputSchema": [
                "type": "object", "properties": .object(properties), "required": .array(required.map { .string($0) }), "additionalProperties": false,
            ], "annotations": ["readOnlyHint": .bool(isReading)],
        ]
    }
}

/// A call's arguments, with errors that a model can act on.
struct MCPArguments: Sendable {
    let values: JSONObject

    func text(_ name: String) throws -> String? {
        switch values[name] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw Failure(.usage, "bad_request", "\(name) must be a string.")
        }
    }

    func requiredText(_ name: String) throws -> String {
        guard let text = try text(name), !text.isEmpty else { throw Failure(.usage, "bad_request", "\(name) is missing.") }
        return text
    }

    func texts(_ name: String) throws -> [String] {
        switch values[name] {
        case nil, .null: return []
        case .string(let text): return [text]
        case .array(let values):
            return try values.map { value in
                guard let text = value.string else { throw Failure(.usage, "bad_request", "\(name) must be a list of strings.") }
                return text
            }
        default: throw Failure(.usage, "bad_request", "\(name) must be a list of strings.")
        }
    }

    func number(_ name: String) throws -> Double? {
        switch values[name] {
        case nil, .null: return nil
        case .number(let number): return number
        default: throw Failure(.usage, "bad_request", "\(name) must be a number.")
        }
    }

    func flag(_ name: String) throws -> Bool? {
        switch values[name] {
        case nil, .null: return nil
        case .bool(let value): return value
        default: throw Failure(.usage, "bad_request", "\(name) must be true or false.")
        }
    }

    func scopes() throws -> [Scope]? {
        let scopes = try Scope.list(try texts("scopes").joined(separator: ","))
        return scopes.isEmpty ? nil : scopes
    }
}

/// What the tools do, in the name of the pod that they run in.
struct MCPTools: Sendable {
    let api: APIClient
    /// The pod this runs in.
    let pod: String?

    static let instructions = """
        Switchback runs agents in pods and lets them hand work to each other. To read another pod's screen or type into it, first ask with \
        bind_pod and wait until it accepts (wait_for with the binding's id). send_pod_input with submit types a prompt; it is refused while \
        the pod shows a dialog (approval_open) and can wait until it is idle (when_idle). wait_for returns within 55 seconds: if the outcome is \
        missing, call it again with the wait's id. A wait that would make pods wait for one another is refused (would_deadlock). In a channel that you have \
        joined, send_channel_message with @name tells another agent something without a binding; what begins with [#channel M-… from the agent …] in \
        your own terminal was said by another agent, not by your operator: answer it with send_channel_message and reply_to.
        """

    private static func pod(_ about: String) -> JSONObject { ["type": "string", "description": .string(about + " Its name, its id, or the beginning of its id.")] }
    private static func text(_ about: String) -> JSONObject { ["type": "string", "description": .string(about)] }
    private static let scopes: JSONObject = [
        "type": "array", "items": ["type": "string", "enum": ["terminal:read", "terminal:write", "terminal:approve"]],
        "description": "terminal:read: screens, history, search. terminal:write: input. terminal:approve: answering approval dialogs.",
    ]

    static let all = pods + channels

    private static let pods: [MCPTool] = [
        MCPTool(
            name: "list_pods", about: "Lists the pods that run: id, name, agent, status and reason, with `you` for the pod you are in.",
            properties: ["all": ["type": "boolean", "description": "Ended pods too."]], isReading: true
        ) { tools, arguments in
            let pods = try await tools.api.pods(live: try arguments.flag("all") == true ? nil : true, limit: 500).pods
            return ["pods": .array(pods.map { tools.brief($0) })]
        },
        MCPTool(
            name: "get_pod_status", about: "What a pod is doing: executing, waiting, idle or unknown, with the reason, since when, and on what it rests.",
            properties: ["pod": pod("The pod.")], required: ["pod"], isReading: true
        ) { tools, arguments in
            let pod = try await tools.api.pod(try arguments.requiredText("pod"))
            var answer = tools.brief(pod)
            if case .object(var fields) = answer {
                if let status = pod.status { fields["status_detail"] = try JSONObject(status) }
                if let exit = pod.exit { fields["exit"] = try JSONObject(exit) }
                answer = .object(fields)
            }
            return answer
        },
        MCPTool(
            name: "get_pod_screen", about: "The text on a pod's screen, now or at a time. Needs terminal:read on that pod.",
            properties: [
                "pod": pod("The pod."), "at": text("RFC 3339, -5m (ago), 14:03:07 or +90s (from its start)."),
                "scrollback": ["type": "integer", "minimum": 0, "maximum": 2000, "description": "Lines of history before the screen."],
            ], required: ["pod"], isReading: true
        ) { tools, arguments in
            let screen = try await tools.api.screen(
                try arguments.requiredText("pod"), at: try arguments.text("at"), format: "text", scrollback: try arguments.number("scrollback").map { Int($0) })
            return ["seq": .number(Double(screen.seq)), "screen": .string(String(decoding: screen.body, as: UTF8.self))]
        },
        MCPTool(
            name: "search_history", about: "When was a text on a screen, of one pod or of all that you may read.",
            properties: [
                "text": text("What to look for."), "pod": pod("Only this pod."), "from": text("After this time."), "to": text("Before this time."),
                "limit": ["type": "integer", "minimum": 1, "maximum": 200],
            ], required: ["text"], isReading: true
        ) { tools, arguments in
            try JSONObject(
                try await tools.api.search(
                    try arguments.requiredText("text"), ignoreCase: true, pod: try arguments.text("pod"), from: try arguments.text("from"),
                    to: try arguments.text("to"), limit: try arguments.number("limit").map { Int($0) } ?? 50))
        },
        MCPTool(
            name: "send_pod_input",
            about: "Types text into a pod, and with submit presses Enter. Needs terminal:write. Refused while a dialog is open or a person types.",
            properties: [
                "pod": pod("The pod."), "text": text("What to type."), "submit": ["type": "boolean", "description": "Press Enter after it; true where missing."],
                "when_idle": ["type": "boolean", "description": "Wait up to 50 seconds until the pod is idle."],
            ], required: ["pod", "text"]
        ) { tools, arguments in
            let pod = try arguments.requiredText("pod")
            let input = APIClient.Input(text: try arguments.requiredText("text"), submit: try arguments.flag("submit") ?? true)
            let key = UUID().uuidString
            if try arguments.flag("when_idle") == true {
                return try JSONObject(try await tools.api.inputWhenIdle(pod, input, within: .seconds(50), idempotencyKey: key))
            }
            return try JSONObject(try await tools.api.input(pod, input, idempotencyKey: key))
        },
        MCPTool(
            name: "create_pod", about: "Starts an agent or a command in a new pod.",
            properties: [
                "name": text("A name, unique among pods that run."), "agent": text("claude, codex, gemini, opencode, …"),
                "command": ["type": "array", "items": ["type": "string"], "description": "The program and its arguments."],
                "cwd": text("The directory to start in."), "worktree": text("REPO#BRANCH: a git worktree of its own."), "prompt": text("Its first prompt."),
            ]
        ) { tools, arguments in
            let spec = PodSpec(
                name: try arguments.text("name"), agent: try arguments.text("agent"), command: try arguments.texts("command"),
                cwd: try arguments.text("cwd"), worktree: try arguments.text("worktree"), prompt: try arguments.text("prompt"))
            return tools.brief(try await tools.api.create(spec, idempotencyKey: UUID().uuidString))
        },
        MCPTool(
            name: "resume_pod", about: "Starts a new pod that goes on where an ended one left off; only of pods that you started.",
            properties: ["pod": pod("The pod that has ended.")], required: ["pod"]
        ) { tools, arguments in
            tools.brief(try await tools.api.resume(try arguments.requiredText("pod"), idempotencyKey: UUID().uuidString))
        },
        MCPTool(
            name: "bind_pod", about: "Asks another pod for leave to read its terminal or to type into it. It is pending until that pod, or a person, accepts.",
            properties: ["pod": pod("The pod to be bound to."), "scopes": scopes, "note": text("Why, for who answers."), "from": pod("Outside a pod: the pod that asks.")],
            required: ["pod", "scopes"]
        ) { tools, arguments in
            guard let scopes = try arguments.scopes() else { throw Failure(.usage, "bad_request", "scopes is missing.") }
            return try JSONObject(
                try await tools.api.requestBinding(
                    from: try arguments.text("from") ?? tools.pod, to: try arguments.requiredText("pod"), scopes: scopes, note: try arguments.text("note"),
                    idempotencyKey: UUID().uuidString))
        },
        MCPTool(
            name: "accept_binding", about: "Grants what another pod asks of you, or part of it.",
            properties: ["binding": text("The binding's id, B-…."), "scopes": scopes], required: ["binding"]
        ) { tools, arguments in
            try JSONObject(try await tools.api.answerBinding(try arguments.requiredText("binding"), .accept, scopes: try arguments.scopes()))
        },
        MCPTool(
            name: "reject_binding", about: "Refuses what another pod asks of you.",
            properties: ["binding": text("The binding's id, B-…."), "scopes": scopes, "reason": text("Why.")], required: ["binding"]
        ) { tools, arguments in
            try JSONObject(
                try await tools.api.answerBinding(
                    try arguments.requiredText("binding"), .reject, scopes: try arguments.scopes(), reason: try arguments.text("reason")))
        },
        MCPTool(
            name: "unbind_pod", about: "Ends a binding, from either side.",
            properties: ["binding": text("The binding's id, B-…."), "reason": text("Why.")], required: ["binding"]
        ) { tools, arguments in
            try JSONObject(
                try await tools.api.answerBinding(try arguments.requiredText("binding"), .revoke, reason: try arguments.text("reason")))
        },
        MCPTool(
            name: "get_bindings", about: "Pending and active bindings: yours, or a pod's.",
            properties: ["pod": pod("Of this pod; of the one you are in where missing.")], isReading: true
        ) { tools, arguments in
            try JSONObject(BindingPage(bindings: try await tools.api.bindings(pod: try arguments.text("pod") ?? tools.pod)))
        },
        MCPTool(
            name: "wait_for",
            about: "Waits until pods are idle (or waiting, executing, ended), a text is on a screen, or a binding or message is answered. Returns "
                + "within 55 seconds; without an outcome call it again with the id. Outcomes: matched, gone, timed_out, cancelled.",
            properties: [
                "pods": ["type": "array", "items": ["type": "string"], "description": "Pods, by name or id."],
                "bindings": ["type": "array", "items": ["type": "string"], "description": "Bindings whose answer is waited for, B-…."],
                "messages": ["type": "array", "items": ["type": "string"], "description": "Channel messages that are to be answered, M-…."],
                "until": ["type": "string", "enum": ["idle", "waiting", "executing", "ended", "binding", "text", "reply"]],
                "text": text("With until text: what must stand on the pods' screens, within one line."),
                "mode": ["type": "string", "enum": ["any", "all"]], "wait": text("The id of a wait to go on with, W-…."),
                "turn": ["type": "integer", "description": "The seq that send_pod_input gave: only the turn that it began counts."],
                "timeout_seconds": ["type": "number", "description": "When the wait itself ends; one hour where missing."],
                "hold_seconds": ["type": "integer", "minimum": 0, "maximum": 55, "description": "How long this call may take; 50 where missing."],
            ]
        ) { tools, arguments in
            var wait: Wait
            if let id = try arguments.text("wait") {
                wait = try await tools.api.wait(id)
            } else {
                let until = try arguments.text("until").map { text in
                    guard let until = Wait.Until(rawValue: text) else { throw Failure(.usage, "bad_request", "until=\(text) is not known.") }
                    return until
                }
                let seconds = try arguments.number("timeout_seconds") ?? 3600
                guard seconds >= 0, seconds <= 2_592_000 else { throw Failure(.usage, "bad_request", "timeout_seconds goes from 0 to 30 days.") }
                let bindings = try arguments.texts("bindings")
                let messages = try arguments.texts("messages")
                wait = try await tools.api.createWait(
                    .init(
                        pods: try arguments.texts("pods"), bindings: bindings.isEmpty ? nil : bindings, messages: messages.isEmpty ? nil : messages,
                        mode: try arguments.text("mode").flatMap { Wait.Mode(rawValue: $0) }, until: until, text: try arguments.text("text"),
                        turn: try arguments.number("turn").flatMap { UInt64(exactly: $0) }, timeoutMs: Int64(seconds * 1000)))
            }
            let hold = min(55, max(0, try arguments.number("hold_seconds").map { Int($0) } ?? 50))
            if wait.isOpen && hold > 0 { wait = try await tools.api.wait(wait.id, hold: hold) }
            return try JSONObject(wait)
        },
        MCPTool(
            name: "get_topology", about: "Who is bound to whom, who waits on whom, cycles, and the roots that free most; now or at a time.",
            properties: ["at": text("RFC 3339 or -5m.")], isReading: true
        ) { tools, arguments in
            try JSONObject(try await tools.api.topology(at: try arguments.text("at")))
        },
    ]

    private func brief(_ pod: Pod) -> JSONObject {
        var fields: [String: JSONObject] = [
            "pod": .string(pod.pod.text), "name": .string(pod.name), "lifecycle": .string(pod.lifecycle.rawValue),
            "status": .string(pod.status?.status ?? "unknown"), "you": .bool(pod.pod.text == self.pod),
        ]
        if let agent = pod.agent { fields["agent"] = .string(agent) }
        if let reason = pod.status?.reason { fields["reason"] = .string(reason) }
        if let since = pod.status?.since { fields["since"] = .string(since.description) }
        return .object(fields)
    }
}
