import Glibc

/// The least that a terminal on a WebSocket can be: a thread that copies PTY to socket and one that copies back.
/// Records nothing, remembers nothing.
enum FloorServer {
    static func run(port: UInt16, viewers: Int, command: [String]) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard bound == 0, listen(listener, 16) == 0 else {
            perror("floor: listen")
            exit(1)
        }
        signal(SIGCHLD, SIG_IGN)
        var connections: [WebSocketConnection] = []
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            var connection = WebSocketConnection(descriptor: client)
            guard connection.acceptUpgrade() else {
                close(client)
                continue
            }
            connections.append(connection)
            guard connections.count == viewers else { continue }
            serve(connections, command)
            connections = []
        }
    }

    private static func serve(_ connections: [WebSocketConnection], _ command: [String]) {
        var pty: Int32 = -1
        var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
        var argv = command.map { strdup($0) }
        argv.append(nil)
        let pid = forkpty(&pty, nil, nil, &size)
        if pid == 0 {
            if let program = argv[0] { execvp(program, argv) }
            _exit(127)
        }
        let terminal = pty
        thread {
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(terminal, &buffer, buffer.count)
                guard count > 0 else { break }
                for connection in connections where !connection.send(buffer[..<count]) { break }
            }
            for connection in connections { shutdown(connection.descriptor, Int32(SHUT_RDWR)) }
        }
        thread {
            var connection = connections[0]
            while let message = connection.receive() {
                guard message.withUnsafeBytes({ write(terminal, $0.baseAddress, message.count) }) == message.count else { break }
            }
            kill(pid, SIGKILL)
            close(terminal)
        }
    }

    static func thread(_ body: @escaping @Sendable () -> Void) {
        var id = pthread_t()
        let box = Unmanaged.passRetained(Body(body))
        pthread_create(
            &id, nil,
            { pointer in
                if let pointer { Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
        pthread_detach(id)
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

@_silgen_name("forkpty")
func forkpty(
    _ master: UnsafeMutablePointer<Int32>, _ name: UnsafeMutablePointer<CChar>?, _ settings: UnsafePointer<termios>?,
    _ size: UnsafePointer<winsize>?
) -> pid_t
