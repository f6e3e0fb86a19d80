import Contract
import Detection
import Testing

@Suite("What an agent is doing")
struct DetectorTests {
    @Test("Nothing seen is unknown")
    func nothing() {
        #expect(Detector(manifest: nil, fallback: nil, columns: 80, rows: 24).status.status == "unknown")
    }
}
