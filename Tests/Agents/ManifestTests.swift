import Agents
import Contract
import Testing

@Suite("Agents' manifests")
struct ManifestTests {
    @Test("A bad rule is refused with its line and reason")
    func badRules() {
        let head = "[launch]\ncommand = [\"x\"]\n"
        for (text, words) in [
            ("[[rules]]\nname = \"a\"\nstatus = \"busy\"\nall = [\"x\"]", ["line 4", "status must be"]),
            ("[[rules]]\nname = \"a\"\nstatus = \"idle\"\nregion = \"moon\"\nall = [\"x\"]", ["line 4", "moon"]),
            ("[[rules]]\nname = \"a\"\nstatus = \"idle\"\nall = [\"/(/\"]", ["line 6", "not closed"]),
            ("[[rules]]\nname = \"a\"\nstatus = \"idle\"\nreason = \"tool\"\nall = [\"x\"]", ["tool"]),
            ("[[rules]]\nname = \"a\"\nstatus = \"idle\"\nalll = [\"x\"]", ["alll"]),
            ("[[rules]]\nname = \"a\"\nstatus = \"idle\"", ["asks for nothing"]),
            ("[screen]\nkind = \"window\"", ["line 4", "window"]),
            ("x = [", ["line 3"]),
        ] as [(String, [String])] {
            let error = #expect(throws: ErrorBody.self) { try AgentManifest(name: "x", toml: head + text) }
            for word in words { #expect(error?.message.contains(word) == true, "\(String(describing: error))") }
        }
    }
}
