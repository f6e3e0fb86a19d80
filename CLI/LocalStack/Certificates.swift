internal import Glibc

/// Certificates for a deployment whose parts speak across hosts: an authority of its own and one certificate for each host or service, made by the
/// `openssl` program. Good for servers and clients alike.
///
/// | file | who reads it |
/// |---|---|
/// | `tls/ca.crt` | everybody: whom to trust |
/// | `root/ca.key` | `switchback keys` only |
/// | `tls/<name>.crt`, `tls/<name>.key` | the host or service of that name |
enum Certificates {
    /// How long a host's certificate is good; the authority's is good ten times as long.
    static let days = 397

    /// Makes what is missing, and anew what ends within 30 days. Returns the files that were written.
    static func make(in folder: String, names: [String]) throws(StackError) -> [String] {
        var written: [String] = []
        let (tls, root) = (folder + "/tls", folder + "/root")
        for name in names where name.isEmpty || name.contains(where: { "/,=\"\\".contains($0) || $0.isWhitespace }) || name.hasPrefix("-") {
            throw StackError(.badSettings, "\"\(name)\" cannot be a host's name.", fix: "Give names or addresses, such as nats or 10.0.0.5.")
        }
        try Files.makeDirectory(root)
        try Files.makeDirectory(tls, mode: 0o755)
        if !Files.exists(tls + "/ca.crt") || !Files.exists(root + "/ca.key") {
            try run(
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", root + "/ca.key", "-out",
                    tls + "/ca.crt", "-days", "\(days * 10)", "-subj", "/CN=Switchback", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                ])
            chmod(root + "/ca.key", 0o600)
            chmod(tls + "/ca.crt", 0o444)
            written.append(tls + "/ca.crt")
        }
        for name in names where !isGood("\(tls)/\(name).crt", key: "\(tls)/\(name).key", authority: tls + "/ca.crt") {
            try makeOne(name, tls: tls, root: root)
            written += ["\(tls)/\(name).crt", "\(tls)/\(name).key"]
        }
        return written
    }

    private static func makeOne(_ name: String, tls: String, root: String) throws(StackError) {
        let path = "\(tls)/\(name)"
        let isAddress = name.contains(":") || name.allSatisfy { $0.isNumber || $0 == "." }
        var names = isAddress ? "IP:\(name)" : "DNS:\(name)"
        // What runs on one's own machine is reached so as well.
        if name == "localhost" { names += ",IP:127.0.0.1,IP:::1" }
        defer { Files.remove(path + ".csr") }
        try run(
            [
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path + ".key.new", "-out", path + ".csr", "-subj",
                "/CN=\(name)", "-addext", "subjectAltName=\(names)", "-addext", "extendedKeyUsage=serverAuth,clientAuth",
            ])
        try run(
            [
                "x509", "-req", "-in", path + ".csr", "-CA", tls + "/ca.crt", "-CAkey", root + "/ca.key", "-CAcreateserial", "-CAserial",
                root + "/ca.serial", "-days", "\(days)", "-copy_extensions", "copy", "-out", path + ".crt.new",
            ])
        chmod(path + ".key.new", 0o444)
        chmod(path + ".crt.new", 0o444)
        for end in [".key", ".crt"] {
            guard rename(path + end + ".new", path + end) == 0 else { throw Files.trouble("write", path + end) }
        }
    }

    /// Whether a certificate is there, of this authority, and for another 30 days.
    private static func isGood(_ certificate: String, key: String, authority: String) -> Bool {
        guard Files.exists(certificate), Files.exists(key) else { return false }
        do throws(StackError) {
            try run(["x509", "-in", certificate, "-noout", "-checkend", "\(30 * 86400)"])
            try run(["verify", "-CAfile", authority, certificate])
            return true
        } catch {
            return false
        }
    }

    private static func run(_ arguments: [String]) throws(StackError) {
        let result = try Spawn.run("/usr/bin/openssl", arguments, environment: ["PATH": "/usr/bin:/bin", "HOME": "/"], seconds: 30)
        guard result.end == .exited(0) else {
            throw StackError(.system, "openssl \(arguments[0]) failed: \(result.output.split(separator: "\n").last ?? "it said nothing")")
        }
    }
}
