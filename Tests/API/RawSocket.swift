import Foundation
import TestSupport

/// A connection to a port of this machine, for bytes as they stand. Whoever gets it closes it.
func rawSocket(_ port: UInt16) throws -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let connected = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) } }
    guard connected == 0 else {
        close(socket)
        throw TestSupportError("the server takes no connection")
    }
    return socket
}
