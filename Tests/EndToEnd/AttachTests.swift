import APIClient
import Contract
import Foundation
import Terminal
import TestSupport
import Testing

@Suite("A real terminal on a pod", .serialized)
struct AttachTests {
    @Test("Attaching gives the terminal back as it was: after a detach, a hang-up, the pod's end, and with the API gone")
    func givesBack() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        // Sets what full-screen programs set.
        let program = #"printf '\033[?1049h\033[?1003;1006;1004h\033[?2004h\033[?1h\033=\033[>5u\033[2;5r\033[?25l\033[31mfull screen'; read x; exit 3"#
        for ending in ["detach", "hang up", "end", "no API"] {
            let name = ending.replacing(" ", with: "-")
            let target = try await stack.run(["sh", "-c", program], name: name).pod
            try await stack.waitForScreen(target, "full screen")
            // The pod is a terminal in which somebody attaches to the other one.
            let script = """
                trap '' HUP; SWITCHBACK_URL='\(stack.apiURL)' SWITCHBACK_TOKEN='\(stack.token)' "$0" attach \(name)
                stty -a | tr -s ' ;' '\\n' | grep -xE -e '-?(icanon|echo|isig|opost|icrnl)' | tr '\\n' ' '; echo given back; exec cat
                """
            let pod = try await stack.run(["sh", "-c", script, stack.programsDirectory + "/switchback"], name: name + "-from").pod
            let during = try await stack.waitForScreen(pod, "full screen")
            #expect(during.terminal.isAlternateScreen && !during.terminal.cursor.isVisible && during.terminal.viewerModes != ViewerModes())
            switch ending {
            case "detach": _ = try await stack.type("\u{2}d", into: pod)
            case "hang up": try await api.signal(name + "-from", "HUP")
            case "end": _ = try await stack.type("\r", into: target)
            default:
                stack.kill9(.api)
                try await stack.waitForScreen(pod, "connection lost")
                _ = try await stack.type("\u{2}d", into: pod)
            }
            let after = try await stack.waitForScreen(pod, "given back")
            #expect(!after.terminal.isAlternateScreen && after.terminal.cursor.isVisible, "\(ending)")
            #expect(after.terminal.viewerModes == ViewerModes(), "\(ending)")
            let settings = after.text.split(whereSeparator: \.isWhitespace).map(String.init)
            for setting in ["icanon", "echo", "isig", "opost", "icrnl"] { #expect(settings.contains(setting), "\(ending): \(after.text)") }
            if ending == "end" { #expect(after.text.contains("[exited 3]")) }
        }
    }
}
