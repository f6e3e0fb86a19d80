internal import CPty
internal import Contract
internal import RunnerClient

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The pod's Unix socket, on which its agent's hooks report: one line of JSON, one line of answer.
///
/// A thread of its own serves it, one caller after the other, so that no caller can delay the terminal.
final class HookSocket: Sendable {
    /// Most that a report may be.
    static let largestReport = 64 << 10
    /// A caller that says nothing for this long is sent away.
    static let patience = Duration.seconds(2)

    let path: String
    private let descriptor: Int32
    private let inbox: ShimInbox

    /// Nil, with the reason in the log, where no socket can be opened: the pod runs without hooks then.
    init?(directory: String, pod: PodID, inbox: ShimInbox) {
        guard let path = PodSocket.path(directory: directory, pod: pod, user: getuid()) else {
            log("no socket for hooks: no path is short enough")
            return nil
        }
        if !path.hasPrefix(directory + "/") {
            let folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
            guard Self.isOurs(folder) else {
                log("no socket for hooks: \(folder) is not ours alone")
                return nil
            }
        }
        unlink(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            log("no socket for hooks: \(String(cString: strerror(errno)))")
            return nil
        }
        var address = PodSocket.address(path)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard bound == 0, chmod(path, 0o600) == 0, listen(descriptor, 16) == 0 else {
            log("no socket for hooks at \(path): \(String(cString: strerror(errno)))")
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.path = path
        self.inbox = inbox
    }

    deinit { close(descriptor) }

    /// The folder for sockets whose pod's directory has too long a path: made where missing, and used only if nobody else can enter it.
    private static func isOurs(_ folder: String) -> Bool {
        mkdir(folder, 0o700)
        var status = stat()
        return lstat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == getuid() && status.st_mode & 0o077 == 0
    }

    func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        // JSON decoding wants more than the least.
        pthread_attr_setstacksize(&attributes, 512 << 10)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<HookSocket>.fromOpaque(context).takeRetainedValue().serve() }
                return nil
            }, context)
        if result != 0 {
            Unmanaged<HookSocket>.fromOpaque(context).release()
            log("no thread for hooks: \(String(cString: strerror(result)))")
        }
    }

    /// No more reports: the socket's name goes, and whoever calls is refused.
    func stop() {
        unlink(path)
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private func serve() {
        while true {
            let caller = accept(descriptor, nil, nil)
            if caller < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS {
                    usleep(200_000)
                    continue
                }
                return
            }
            answer(caller)
            close(caller)
        }
    }

    private func answer(_ caller: Int32) {
        var user: uid_t = 0
        guard cpty_peer_user(caller, &user) == 0, user == getuid() || user == 0 else {
            return say(caller, Reply.error(ErrorBody(.denied, "this socket belongs to another user")))
        }
        do throws(ErrorBody) {
            let line = try read(caller)
            guard line.contains(where: { $0 > 0x20 }) else { throw ErrorBody(.badRequest, "the report is empty") }
            var report = try JSON.decode(HookReport.self, from: line)
            report.time = .now()
            inbox.post(.hook(report))
            say(caller, Reply.encode(Done()))
        } catch {
            say(caller, Reply.error(error))
        }
    }

    /// One line, or everything up to the end.
    private func read(_ caller: Int32) throws(ErrorBody) -> [UInt8] {
        let end = ContinuousClock.now + Self.patience
        var bytes: [UInt8] = []
        while true {
            let left = end - .now
            var waiting = pollfd(fd: caller, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(max(0, left.microseconds / 1000)))
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { throw ErrorBody(.timedOut, "no report came within \(Self.patience.components.seconds) s: send one line of JSON") }
            let count = withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { space in
                let count = recv(caller, space.baseAddress, space.count, 0)
                if count > 0 { bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: space[..<count])) }
                return count
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return bytes }
            if let newline = bytes.firstIndex(of: 0x0a) { return Array(bytes[..<newline]) }
            guard bytes.count <= Self.largestReport else {
                throw ErrorBody(.tooLarge, "a report takes at most \(Self.largestReport) bytes")
            }
        }
    }

    private func say(_ caller: Int32, _ answer: [UInt8]) {
        let line = answer + [0x0a]
        _ = line.withUnsafeBytes { send(caller, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        // What the caller still sends must not break the answer.
        shutdown(caller, Int32(SHUT_WR))
    }
}
