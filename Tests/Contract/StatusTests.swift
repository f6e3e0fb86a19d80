import Contract
import Testing

@Suite("Status messages")
struct StatusTests {
    @Test("The contract's process line decodes, with and without a frame around it")
    func process() throws {
        let body = #"{"icanon":true,"echo":false,"isig":true,"fg":41,"procs":[{"pid":41,"comm":"sudo","state":"S","pgrp":41,"cpu":0.02}]}"#
        let report = try JSON.decode(ProcessReport.self, from: body.utf8)
        #expect(report.icanon == true && report.echo == false && report.fg == 41)
        #expect(report.procs == [.init(pid: 41, comm: "sudo", state: "S", pgrp: 41, cpu: 0.02)])
        let control = try JSON.decode(Control.self, from: #"{"kind":"process","process":\#(body)}"#.utf8)
        #expect(control == .process(report))
        #expect(try JSON.decode(Control.self, from: JSON.encode(control)) == control)
    }

    @Test(
        "A hook report is read in our form, the agent's own, and herdr's",
        arguments: [
            (#"{"agent":"claude","event":"Stop","session_id":"s"}"#, HookReport(agent: "claude", event: "Stop", sessionId: "s")),
            (
                #"{"hook_event_name":"PermissionRequest","session_id":"s","tool_name":"Bash","tool_input":{"command":"rm"}}"#,
                HookReport(event: "PermissionRequest", sessionId: "s", toolName: "Bash")
            ),
            (
                #"{"hook_event_name":"Notification","notification_type":"permission_prompt","message":"Claude needs you"}"#,
                HookReport(event: "Notification", detail: "permission_prompt")
            ),
            (#"{"type":"agent-turn-complete","thread-id":"t","turn-id":"1"}"#, HookReport(event: "agent-turn-complete", sessionId: "t")),
            (
                #"{"state":"blocked","source":"herdr:claude","seq":7,"agent":"claude","agent_session_id":"x"}"#,
                HookReport(agent: "claude", event: "report", state: "blocked", source: "herdr:claude", seq: 7, sessionId: "x")
            ),
        ])
    func hook(text: String, expected: HookReport) throws {
        let report = try JSON.decode(HookReport.self, from: text.utf8)
        #expect(report == expected)
        #expect(try JSON.decode(Control.self, from: JSON.encode(Control.hook(report))) == .hook(report))
    }

    @Test("A hook report that says nothing is refused, and long texts are cut at a character")
    func badHooks() throws {
        #expect(throws: ErrorBody.self) { try JSON.decode(HookReport.self, from: #"{"seq":1}"#.utf8) }
        #expect(throws: ErrorBody.self) { try JSON.decode(HookReport.self, from: "[]".utf8) }
        let long = String(repeating: "ä", count: 400)
        let report = try JSON.decode(HookReport.self, from: #"{"event":"Stop","detail":"x\#(long)"}"#.utf8)
        #expect(report.detail == "x" + String(repeating: "ä", count: 255))
    }

    @Test("An old status without the new fields still decodes, and a new one keeps them")
    func status() throws {
        let old = try JSON.decode(PodStatus.self, from: #"{"status":"idle","since":"2026-11-21T02:14:07.000000Z","seq":3}"#.utf8)
        #expect(old.options == nil && old.confidence == nil)
        let new = PodStatus(
            status: "waiting", reason: "approval", since: old.since, seq: 9, evidence: "dialog", confidence: 0.98, question: "Run it?",
            options: ["Yes", "No"], fingerprint: "0123456789abcdef", agent: "claude")
        #expect(try JSON.decode(PodStatus.self, from: JSON.encode(new)) == new)
    }
}
