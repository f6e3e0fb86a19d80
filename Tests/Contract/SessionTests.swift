import Contract
import Testing

@Suite("Names that JSON's snake case could lose")
struct SessionTests {
    @Test("A session's id survives the way through JSON")
    func session() throws {
        let start = StartPod(pod: .random(), name: "n", spec: PodSpec(command: ["x"]), sessionID: "s-1")
        #expect(try JSON.decode(StartPod.self, from: JSON.encode(start)).sessionID == "s-1")
        let started = Started(pid: 1, cwd: "/", agent: nil, worktreePath: nil, sessionID: "s-2", argv: [])
        #expect(try JSON.decode(Started.self, from: JSON.encode(started)).sessionID == "s-2")
        #expect(String(decoding: try JSON.encode(started), as: UTF8.self).contains("\"session_id\":\"s-2\""))
    }
}
