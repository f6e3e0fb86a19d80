import APIClient
import Contract
import Foundation
import Terminal
import TestSupport
import Testing

@Suite("Screens, live and past", .serialized)
struct ScreenTests {
    @Test("A running pod is scrubbed back to any frame and to live again, exactly, while it goes on")
    func rewindWhileRunning() async throws {
        let stack = try await Stack.start()
        let script =
            #"i=0; while [ ! -e "$0" ]; do i=$((i+1)); printf '\033[%d;%dH\033[3%dmstep %d\033[0m\n' $((i%24+1)) $((i%60+1)) $((i%8)) $i; sleep 0.002; done; echo finished"#
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", script, stop]).pod
        try await stack.waitForScreen(pod, "step 200")

        let frames = try await stack.recorded(pod)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            let seq = UInt64.random(in: 1...UInt64(frames.count), using: &generator)
            let (screen, meta) = try await stack.seek(pod, seq: seq)
            #expect(screen.seq == seq)
            #expect(meta.live)
            #expect(try isSame(screen.terminal, replayed(frames, upTo: seq)), "frame \(seq)")
        }
        // By time: the state after the last frame at or before the moment.
        for _ in 0..<10 {
            let moment = try #require(frames.randomElement(using: &generator)).time
            let last = try #require(frames.last { $0.time <= moment }).seq
            let (screen, _) = try await stack.seek(pod, at: moment)
            #expect(screen.seq == last)
            #expect(try isSame(screen.terminal, replayed(frames, upTo: last)))
        }
        // Live again: the pod went on all the while.
        let now = try await stack.live(pod)
        #expect(now.seq > frames.count)
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        _ = try await stack.waitUntilEnded(pod)
        let all = try await stack.recorded(pod)
        #expect(try isSame(now.terminal, replayed(all, upTo: now.seq)))
        let end = try await stack.seek(pod)
        #expect(!end.meta.live)
        #expect(end.screen.text.contains("finished"))
    }

    @Test(
        "What full-screen programs show live is what the record shows",
        arguments: [
            (["vim", "-u", "NONE", "-n", "/etc/services"], "tcp", ":q!\r"), (["less", "/etc/services"], "tcp", "q"),
            (["bash", "--norc"], "bash-", "exit\r"), (["top", "-d", "0.3"], "PID", "q"),
        ])
    func fullScreenPrograms(command: [String], shown: String, quit: String) async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(command, columns: 100, rows: 30).pod
        try await stack.waitForScreen(pod, shown)
        _ = try await stack.resize(pod, 80, 24)
        _ = try await stack.type("j", into: pod)
        let live = try await eventually(within: .seconds(10), "no screen after the resize") {
            let screen = try await stack.live(pod)
            return screen.terminal.columns == 80 && screen.text.contains(shown) ? screen : nil
        }
        let past = try await eventually(within: .seconds(10), "the record does not reach the live screen") {
            // Until it has come that far, the record answers with its newest state.
            let screen = try? await stack.seek(pod, seq: live.seq).screen
            return screen?.seq == live.seq ? screen : nil
        }
        #expect(difference(live.terminal, past.terminal) == nil)
        if command[0] == "bash" { _ = try await stack.type("\u{15}", into: pod) }
        // A program may throw keys away while it repaints, as top does while it shows a message: asked until it goes.
        let ended = try await eventually(within: .seconds(60), "\(command[0]) did not end") {
            _ = try? await stack.type(quit, into: pod)
            for _ in 0..<30 {
                if let now = try? await stack.pod(pod.text), now.lifecycle == .ended { return now }
                try await Task.sleep(for: .milliseconds(100))
            }
            return nil
        }
        #expect(ended.exit == .code(0))
        let frames = try await stack.recorded(pod)
        let end = try await stack.seek(pod).screen
        #expect(try isSame(end.terminal, replayed(frames, upTo: .max)))
    }

    @Test("A resize to the same size changes nothing; 80, 100 and 80 columns keep the content; the alternate screen gives the main one back")
    func resizes() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["sh"], columns: 80, rows: 24).pod
        // At once: a pod that has just been started takes input as soon as it can.
        #expect(try await stack.type("stty -echo; PS1=; seq -s ' ' 1 60; echo re''ady\r", into: pod).result == .applied)
        let before = try await stack.waitForScreen(pod, "ready")
        let same = try await stack.resize(pod, 80, 24)
        #expect(same.result == .applied)
        #expect(try await stack.live(pod).text == before.text)

        _ = try await stack.resize(pod, 100, 24)
        let back = try #require(try await stack.resize(pod, 80, 24).seq)
        let after = try await eventually(within: .seconds(10), "the size did not come back") {
            let screen = try await stack.live(pod)
            return screen.seq >= back && screen.terminal.columns == 80 ? screen : nil
        }
        #expect(after.text == before.text)
        // Of the three resizes two changed something, and are on the record.
        let api = APIClient(address: stack.apiURL, token: stack.token)
        try await eventually(within: .seconds(10), "not two resizes are on the record") {
            try await api.timeline(pod.text).entries.filter { $0.what == "resize" }.count == 2 ? true : nil
        }

        _ = try await stack.type("printf '\\033[?1049hover''lay'; read x; printf '\\033[?1049l'; echo ba''ck\r", into: pod)
        try await stack.waitForScreen(pod, "overlay")
        _ = try await stack.resize(pod, 40, 10)
        _ = try await stack.resize(pod, 80, 24)
        _ = try await stack.type("\r", into: pod)
        let restored = try await stack.waitForScreen(pod, "back")
        #expect(restored.text.contains("ready"))
        #expect(!restored.text.contains("overlay"))
    }
}
