internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import Dispatch
internal import FoundationEssentials
internal import Glibc

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a pod's recording to a file.",
        discussion: "--format asciicast (v2, which every player knows), v3, text or json. Without -o, or with -o -, it goes to standard output.")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Option(name: [.customShort("o"), .customLong("output")], help: "The file; - is standard output.")
    var path: String = "-"

    @Option(help: "asciicast, v2, v3, text or json.")
    var format: String = "asciicast"

    @Option(help: ArgumentHelp("From then on.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("Until then.", valueName: "time"))
    var to: String?

    @Flag(help: "Show secrets as well; for admins, and noted in the audit log.")
    var reveal = false

    func run() async throws {
        let formats: [String: (String, Int?)] = [
            "asciicast": ("asciicast", 2), "v2": ("asciicast", 2), "v3": ("asciicast", 3), "text": ("text", nil), "json": ("json", nil),
        ]
        guard let (wanted, version) = formats[format] else {
            throw Failure(.usage, "usage", "--format is asciicast, v2, v3, text or json, not \"\(format)\".")
        }
        let (first, last) = (try moment(from), try moment(to))
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        var bytes = 0
        let file = try path == "-" ? nil : Self.opened(path)
        let interruption = file.map { file in
            Interruption.watch { signal in
                file.abandon()
                Glibc.exit(128 + signal)
            }
        }
        defer { for source in interruption ?? [] { source.cancel() } }
        do {
            try await backend.api.export(
                pod.pod.text, format: wanted, version: version, from: try backend.resolve(first, for: pod), to: try backend.resolve(last, for: pod),
                reveal: reveal ? true : nil
            ) { piece in
                bytes += piece.count
                guard let file else { return Out.write(piece, to: 1) }
                do throws(OutputFile.Problem) { try file.write(piece) } catch { throw Failure(.error, "no_space", error.message) }
            }
        } catch {
            file?.abandon()
            throw error is Failure || error is ErrorBody
                ? error : Failure(.error, "unavailable", "The recording broke off after \(bytes) bytes: \(error)")
        }
        guard let file else { return }
        do throws(OutputFile.Problem) { try file.finish() } catch { throw Failure(.error, "not_writable", error.message) }
        struct Answer: Encodable { var pod, file: String; var bytes: Int }
        if output.json { Out.printJSON(Answer(pod: pod.pod.text, file: path, bytes: bytes)) } else { Out.complain("\(path): \(bytes) bytes") }
    }

    private static func opened(_ path: String) throws(CommandFailure) -> OutputFile {
        do throws(OutputFile.Problem) {
            return try OutputFile(path)
        } catch {
            throw Failure(.error, "not_writable", error.message)
        }
    }
}

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take in an asciicast (v1, v2 or v3) as an ended pod; prints the pod's id.")

    @OptionGroup var output: JSONOption

    @Argument(help: "The file; - reads standard input.")
    var file: String

    @Option(help: "A name for the pod; made from the file's where missing.")
    var name: String?

    func run() async throws {
        let backend = try Backend.locate()
        let descriptor = file == "-" ? 0 : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(.error, "not_found", "Cannot read \(file): \(String(cString: strerror(errno))).") }
        var info = stat()
        guard fstat(descriptor, &info) == 0, (info.st_mode & S_IFMT) != S_IFDIR else {
            throw Failure(.error, "bad_request", "\(file) is a directory.")
        }
        var pod = try await backend.api.importRecording(
            FilePieces(file: descriptor), name: name ?? madeName, idempotencyKey: UUID().uuidString)
        // What is printed here can be looked at at once: the record is waited for, within reason.
        for _ in 0..<1200 where pod.lifecycle != .ended {
            try await Task.sleep(for: .milliseconds(50))
            pod = try await backend.api.pod(pod.pod.text)
        }
        if output.json { Out.printJSON(pod) } else { Out.print(pod.pod.text) }
    }

    /// `demo` for `/tmp/demo.cast`; nil when that cannot be a name.
    private var madeName: String? {
        guard file != "-", let last = file.split(separator: "/").last else { return nil }
        let base = last.split(separator: ".").first.map(String.init) ?? ""
        let name = String(base.map { PodSpec.isName("x\($0)") ? $0 : "-" }.prefix(64))
        return PodSpec.isName(name) && PodID(name) == nil ? name : nil
    }
}

/// A file in pieces, read as they are wanted.
private struct FilePieces: AsyncSequence, Sendable {
    var file: Int32

    struct AsyncIterator: AsyncIteratorProtocol {
        var file: Int32

        mutating func next() async throws -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 262_144)
            while true {
                let count = read(file, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw CommandFailure(.error, "not_readable", "Cannot read: \(String(cString: strerror(errno))).") }
                return count == 0 ? nil : Array(buffer[..<count])
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: file) }
}
