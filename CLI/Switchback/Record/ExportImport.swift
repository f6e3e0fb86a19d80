internal import ArgumentParser
internal import AsyncHTTPClient
internal import Console
internal import Contract
internal import FoundationEssentials
internal import Glibc
internal import NIOCore
internal import NIOHTTP1

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

    func run() async throws {
        let formats = ["asciicast": "asciicast", "v2": "asciicast", "v3": "asciicast3", "text": "text", "json": "json"]
        guard let wanted = formats[format] else { throw Failure(.usage, "usage", "--format is asciicast, v2, v3, text or json, not \"\(format)\".") }
        let (first, last) = (try moment(from), try moment(to))
        let backend = try Backend.locate()
        let pod = try await backend.pod(target.pod)
        let response = try await backend.execute(
            .GET, "/v1/pods/\(pod.pod)/recording",
            [
                ("format", wanted), ("from", try backend.resolve(first, for: pod)?.description), ("to", try backend.resolve(last, for: pod)?.description),
            ], seconds: 3600)
        let isFile = path != "-"
        // Beside the file and renamed when complete: what is there under the name is whole.
        let part = path + ".part"
        let file = isFile ? open(part, O_WRONLY | O_CREAT | O_TRUNC, 0o644) : 1
        guard file >= 0 else { throw Failure(.error, "not_writable", "Cannot write \(part): \(String(cString: strerror(errno))).") }
        var bytes = 0
        do {
            for try await chunk in response.body {
                try write(chunk, to: file)
                bytes += chunk.readableBytes
            }
        } catch {
            if isFile { unlink(part) }
            throw error is Failure ? error : Failure(.error, "unavailable", "The recording broke off after \(bytes) bytes: \(error)")
        }
        guard isFile else { return }
        close(file)
        guard rename(part, path) == 0 else { throw Failure(.error, "not_writable", "Cannot write \(path): \(String(cString: strerror(errno))).") }
        struct Answer: Encodable { var pod, file: String; var bytes: Int }
        if output.json { Out.printJSON(Answer(pod: pod.pod.text, file: path, bytes: bytes)) } else { Out.complain("\(path): \(bytes) bytes") }
    }

    private func write(_ chunk: ByteBuffer, to file: Int32) throws {
        if file == 1 { return Out.write(Array(chunk.readableBytesView), to: 1) }
        var rest = chunk
        while rest.readableBytes > 0 {
            let count = rest.withUnsafeReadableBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(.error, "no_space", "Cannot write \(path): \(String(cString: strerror(errno))).")
            }
            rest.moveReaderIndex(forwardBy: count)
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
        guard fstat(descriptor, &info) == 0, (info.st_mode & S_IFMT) != S_IFDIR else { throw Failure(.error, "bad_request", "\(file) is a directory.") }
        let length: HTTPClientRequest.Body.Length = (info.st_mode & S_IFMT) == S_IFREG ? .known(Int64(info.st_size)) : .unknown
        let response = try await backend.execute(
            .POST, "/v1/recordings", [("name", name ?? madeName)], body: .stream(FileChunks(file: descriptor), length: length),
            type: "application/x-asciicast", key: UUID().uuidString, seconds: 3600)
        let pod = try JSON.decode(Pod.self, from: try await response.body.collect(upTo: 1 << 20).readableBytesView)
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
private struct FileChunks: AsyncSequence, Sendable {
    var file: Int32

    struct AsyncIterator: AsyncIteratorProtocol {
        var file: Int32

        mutating func next() async throws -> ByteBuffer? {
            var buffer = [UInt8](repeating: 0, count: 262_144)
            while true {
                let count = read(file, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw CommandFailure(.error, "not_readable", "Cannot read: \(String(cString: strerror(errno))).") }
                return count == 0 ? nil : ByteBuffer(bytes: buffer[..<count])
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: file) }
}
