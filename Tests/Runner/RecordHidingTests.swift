import Bus
import Compression
import Contract
import Foundation
import RunnerClient
import Terminal
import TestSupport
import Testing

@Suite("Secrets that are not to be recorded")
struct RecordHidingTests {
    @Test("are in no frame and no keyframe, however they are printed or typed; the record says that something was hidden, and stays whole")
    func hidden() async throws {
        let (server, bus) = try await ShimTests.start()
        let secret = "ghp_" + String((0..<36).map { Array("aB3dE5fG7hJ9")[$0 % 12] })
        let script = """
            echo "key \(secret) end"; for i in \(secret.map { "'\($0)'" }.joined(separator: " ")); do printf '%s' "$i"; sleep 0.005; done; echo
            stty -echo; printf 'Password: '; read -r line; stty echo; echo; echo done acme-12345; read -r line; exit 0
            """
        let pod = try await ShimPod(["bash", "-c", script, "x", "--token", "hunter2hunter2"], server: server, hides: "acme acme-[0-9]+\n")
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("Password: ") }
        try await eventually { (try? await bus.request(Subjects.shimWrite(pod.pod), payload: Array("correct horse\r".utf8), headers: [(Headers.author, "person:ada")])) != nil }
        let marker = PutMarker(text: "it said \(secret) and acme-67890", author: Author("person:ada") ?? .init(kind: .person, id: "ada"))
        try await eventually { (try? await bus.request(Subjects.shimMarker(pod.pod), payload: Array(try JSON.encode(marker)))) != nil }
        try await eventually { (try? await bus.request(Subjects.shimWrite(pod.pod), payload: Array("\r".utf8), headers: [(Headers.author, "person:ada")])) != nil }
        try await eventually { reader.exit != nil }
        #expect(reader.isWhole && reader.exit == .code(0))
        let marks = String(repeating: "•", count: 40)
        #expect(reader.text.contains("key \(marks) end") && reader.text.contains("done ••••••••••"))
        for frame in reader.frames {
            let bytes = frame.kind == .key ? try Zstd.decompress(frame.bytes, limit: 64 << 20) : frame.bytes
            let text = String(decoding: bytes, as: UTF8.self)
            for part in ["hJ9aB3", "correct", "acme-1", "acme-6"] { #expect(!text.contains(part), "\(frame.kind) \(frame.seq): \(text)") }
            if case .start? = try? JSON.decode(Control.self, from: frame.bytes) { #expect(!text.contains("hunter2")) }
        }
        let typed = reader.frames.filter { $0.kind == .in }.flatMap(\.bytes)
        #expect(String(decoding: typed, as: UTF8.self) == "*************\r\r")
        let words = reader.controls.compactMap { control -> String? in
            if case .marker(let text, let author) = control, author == Author(kind: .system, id: "redaction") { return text }
            return nil
        }.joined(separator: "; ")
        #expect(reader.controls.contains { if case .marker(let text, _) = $0 { text == "it said \(marks) and ••••••••••" } else { false } })
        for rule in ["github", "acme", "typed_without_echo"] { #expect(words.contains(rule), "\(words)") }
        await bus.close()
    }

    @Test("cost a prompt no more than a moment, and leave other pods as they are")
    func prompt() async throws {
        let (server, bus) = try await ShimTests.start()
        let careful = try await ShimPod(["bash", "-c", "printf 'name? '; printf 'part-of-a-wo'; read -r x"], server: server, hides: "")
        let reader = try await FrameReader.start(bus, careful.pod)
        try await eventually(within: .seconds(5)) { reader.text == "name? part-of-a-wo" }
        let plain = try await ShimPod(["bash", "-c", "echo password=hunter2"], server: server)
        let second = try await FrameReader.start(bus, plain.pod)
        try await eventually { second.exit != nil }
        #expect(second.text.contains("password=hunter2"))
        await bus.close()
    }
}
