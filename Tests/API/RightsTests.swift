import APIClient
import Contract
import Foundation
import TestSupport
import Testing

@testable import APIServer

/// Who may ask what. The table is written down here a second time, by hand: a route that is added, or opened to somebody, changes a test.
@Suite("Who may ask what", .serialized)
struct RightsTests {
    /// The least role of people (`-`: anybody, without a token); what a pod's credential may (`*`: ask, `r` and `w`: of its own pod, or of others by a
    /// binding with terminal:read or terminal:write, `-`: nothing); what a token for some pods may (`*`: ask, `p`: of those, `-`: nothing).
    static let table = """
        acceptBinding operator * -
        acknowledgeMessage operator * -
        addWebhook admin - -
        approvePod operator * p
        cancelWait viewer * -
        createChannel operator * -
        createCredential admin - -
        createPod operator * *
        createWait viewer * -
        describe - * *
        explainPodStatus viewer r p
        exportRecording viewer r p
        followEvents viewer - -
        getBinding viewer * -
        getBindingPolicy viewer * -
        getChannel viewer * -
        getMessage viewer * -
        getPod viewer * p
        getPodHistory viewer r p
        getPodStatus viewer r p
        getScreen viewer r p
        getTimeline viewer r p
        getTopology viewer * -
        getWait viewer * -
        importRecording operator - -
        isAlive - * *
        isReady - * *
        joinChannel operator * -
        leaveChannel operator * -
        listAgents viewer * *
        listAttention viewer - -
        listAudit admin - -
        listBindings viewer * -
        listChannelMessages viewer * -
        listChannels viewer * -
        listCredentials admin - -
        listMessages viewer * -
        listPods viewer * *
        listRunners viewer * *
        listWaits viewer * -
        listWebhooks admin - -
        markPod operator w p
        me viewer * *
        metrics - * *
        openTerminal viewer r p
        postMessage operator * -
        readChannel operator * -
        rejectBinding operator * -
        removeWebhook admin - -
        requestBinding operator * -
        resizePod operator w p
        resumePod operator * p
        revokeBinding operator * -
        revokeCredential admin - -
        search viewer * *
        setBindingPolicy admin - -
        signIn - * *
        signOut - * *
        signalPod operator w p
        stopPod operator w p
        verifyAudit admin - -
        verifyRecording viewer r p
        whoAmI viewer * *
        writeInput operator * p
        """

    struct Operation {
        var name: String
        var method: String
        var path: String
        var role: String?
    }

    static func operations(_ stage: SecurityStage) async throws -> [Operation] {
        let body = try await stage.client(nil).raw("GET", "/openapi.json").body
        let document = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        return paths.flatMap { path, methods in
            methods.map { Operation(name: $1["operationId"] as? String ?? "", method: $0.uppercased(), path: path, role: $1["x-role"] as? String) }
        }.sorted { $0.name < $1.name }
    }

    @Test("is as the table says, route by route")
    func written() async throws {
        let stage = try await SecurityStage()
        let lines = try await Self.operations(stage).map { operation in
            let isOpen = operation.role == nil
            let agent =
                switch AgentRight.rights[operation.name] {
                case .anything: "*"
                case .scope(.read): "r"
                case .scope: "w"
                case nil: isOpen ? "*" : "-"
                }
            let scoped =
                switch ScopedRight.rights[operation.name] {
                case .anything, .byRoute: "*"
                case .pathPod: "p"
                case nil: isOpen ? "*" : "-"
                }
            return "\(operation.name) \(operation.role ?? "-") \(agent) \(scoped)"
        }
        let expected = Self.table.split(separator: "\n").map(String.init)
        #expect(Set(lines).subtracting(expected).sorted() == [], "not in the table")
        #expect(Set(expected).subtracting(lines).sorted() == [], "not so")
    }

    @Test("is what the server does: everybody tries everything, and is refused exactly what the table refuses")
    func walked() async throws {
        let stage = try await SecurityStage()
        let (_, _, agent) = try await stage.pod("own")
        let (_, shim, _) = try await stage.pod("other")
        let scoped = try await stage.ada.createCredential(name: "bot", role: .admin, pods: ["own"]).token
        let revoked = try await stage.ada.createCredential(name: "gone", role: .admin)
        _ = try await stage.ada.revokeCredential(revoked.credential.id)
        let callers: [(name: String, token: String?)] = [
            ("nobody", nil), ("stranger", revoked.token), ("viewer", SecurityStage.viewer), ("operator", SecurityStage.operatorToken),
            ("admin", SecurityStage.admin), ("agent", agent), ("scoped", scoped),
        ]
        let ranks = ["viewer": 0, "operator": 1, "admin": 2]
        let rows = Dictionary(uniqueKeysWithValues: Self.table.split(separator: "\n").map { ($0.split(separator: " ")[0], $0.split(separator: " ").map(String.init)) })
        var tried = 0
        for operation in try await Self.operations(stage) {
            guard let row = rows[operation.name[...]] else { continue }
            for (caller, token) in callers {
                // Of another pod, so that nothing happens to one's own; what is asked for makes no sense beyond that.
                var path = operation.path.replacingOccurrences(of: "{pod}", with: "other")
                for name in ["binding", "wait", "credential", "channel", "message", "webhook"] { path = path.replacingOccurrences(of: "{\(name)}", with: "nothing") }
                if operation.name == "followEvents" { path += "?area=." }
                let body: [UInt8]? = operation.method == "GET" ? nil : Array("[]".utf8)
                let answer = try await stage.client(token).raw(operation.method, path, body: body)
                tried += 1
                let code = Reply.error(in: answer.body)?.code
                // Who shows a wrong token too often is not even listened to.
                let isRefused = answer.status == 401 || answer.status == 403 || (caller == "stranger" && answer.status == 429)
                let wanted: Bool
                switch caller {
                case "nobody", "stranger": wanted = row[1] != "-"
                case "agent": wanted = row[2] == "-" || row[2] == "r" || row[2] == "w"
                case "scoped": wanted = row[3] == "-" || row[3] == "p"
                default: wanted = (ranks[caller] ?? 0) < (ranks[row[1]] ?? 0)
                }
                // The gate decides of an agent's input by itself.
                if caller == "agent", ["writeInput", "approvePod", "resumePod"].contains(operation.name) { continue }
                // Signing in refuses whoever shows no token in the body.
                if operation.name == "signIn" { continue }
                #expect(isRefused == wanted, "\(caller): \(operation.method) \(path) gave \(answer.status) \(code?.rawValue ?? "")")
                if wanted { #expect(answer.status == 429 || answer.status == (caller == "nobody" || caller == "stranger" ? 401 : 403), "\(caller): \(operation.method) \(path)") }
            }
        }
        #expect(tried > 350)
        #expect(shim.typed.isEmpty && shim.signals.isEmpty && shim.size == [80, 24])
    }

    @Test("holds for agents: a pod's credential reads, types into and lists nothing of others, by any route")
    func agents() async throws {
        let stage = try await SecurityStage()
        let (own, _, credential) = try await stage.pod("own")
        let (other, shim, foreign) = try await stage.pod("other")
        try shim.output("the secret word")
        let agent = stage.client(credential)
        for path in ["screen", "screen?format=ansi", "timeline", "recording", "history", "status", "explain", "terminal"] {
            for name in ["other", other.text, String(other.text.prefix(8))] {
                let answer = try await agent.raw("GET", "/v1/pods/\(name)/\(path)")
                #expect(answer.status == 403 && !String(decoding: answer.body, as: UTF8.self).contains("secret word"), "\(path)")
            }
        }
        for (route, body) in [
            ("input", #"{"text":"x"}"#), ("input", #"{"text":"x","take":true}"#), ("approve", #"{"fingerprint":"x"}"#), ("resize", #"{"columns":9,"rows":9}"#),
            ("signal", #"{"signal":"KILL"}"#), ("marker", #"{"text":"x"}"#), ("stop", "{}"), ("resume", "{}"),
        ] {
            let answer = try await agent.raw("POST", "/v1/pods/other/\(route)", body: Array(body.utf8))
            #expect(answer.status == 403, "\(route) \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        for path in ["/v1/credentials", "/v1/audit", "/v1/audit/verify", "/v1/events", "/v1/attention"] {
            #expect(try await agent.raw("GET", path).status == 403)
        }
        #expect(try await agent.raw("POST", "/v1/credentials", body: Array(#"{"name":"x","role":"admin"}"#.utf8)).status == 403)
        for mode in [TerminalConnection.Mode.raw, .view] {
            let viewer = RawViewer()
            let connection = try await agent.terminal("other", mode: mode) { viewer.take($0) }
            try await eventually("not refused") { viewer.closeCode == 4403 ? true : nil }
            #expect(!viewer.screen.joined().contains("secret"))
            withExtendedLifetime(connection) {}
        }
        #expect(shim.typed.isEmpty && shim.signals.isEmpty && shim.size == [80, 24])
        let me = try await agent.me()
        #expect(me.role == "agent" && me.pod == own)
        // Nor does it help to say that one is another pod.
        let forged = foreign.replacingOccurrences(of: other.text, with: own.text)
        #expect(try await stage.client(forged).raw("GET", "/v1/pods").status == 401)
    }
}
