import RunnerServer
import TestSupport
import Testing

@Suite("A runner's disk")
struct RunnerMeasuresTests {
    @Test("stands in /readyz while it is full, and no longer", .enabled(if: SmallDisk.isAvailable, "mounting a small disk needs root"))
    func full() async throws {
        let disk = try SmallDisk(megabytes: 8)
        let measures = RunnerMeasures(directory: disk.folder)
        #expect(measures.problem == nil)
        try disk.fill()
        #expect(measures.problem?.contains("the disk of \(disk.folder) is full (0 MiB of 8 MiB are free)") == true, "\(measures.problem ?? "")")
        try disk.empty()
        try await eventually("a disk with room is called full") { measures.problem == nil }
        #expect(RunnerMeasures(directory: disk.folder + "/none").problem?.contains("cannot be looked at") == true)
    }
}
