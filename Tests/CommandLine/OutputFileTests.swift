import Foundation
import Testing

@testable import Console
@testable import LocalStack

@Suite("Files that commands write")
struct OutputFileTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.path + "/it.cast" }

    private func whole(_ name: String, _ text: String) throws {
        let file = try OutputFile(name)
        try file.write(Array(text.utf8))
        try file.finish()
    }

    @Test("What was there stays until all is written, and when it breaks off")
    func replaces() throws {
        try Files.write("before", to: path)
        let file = try OutputFile(path)
        try file.write(Array("half".utf8))
        #expect(Files.read(path) == "before")
        file.abandon()
        #expect(Files.read(path) == "before")
        try whole(path, "after")
        #expect(Files.read(path) == "after")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["it.cast"])
    }

    @Test("A link stays a link, and a device, a pipe and a directory stay what they are")
    func keepsKinds() throws {
        try Files.write("before", to: path)
        let link = directory.path + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "it.cast")
        try whole(link, "after")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "it.cast")
        #expect(Files.read(path) == "after")

        let pipe = directory.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try whole(pipe, "through")
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(reader, &buffer, buffer.count)
        #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self) == "through")
        var info = stat()
        #expect(lstat(pipe, &info) == 0 && info.st_mode & S_IFMT == S_IFIFO)

        #expect(throws: OutputFile.Problem.self) { try OutputFile(directory.path) }
        #expect(throws: OutputFile.Problem.self) { try OutputFile(directory.path + "/none/it.cast") }
    }
}
