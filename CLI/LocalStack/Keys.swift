internal import Glibc

/// The secrets of a deployment by compose: made once, as files, one folder for those who need the same.
///
/// | file | who reads it |
/// |---|---|
/// | `bus/users.conf` | nats-server: who may connect |
/// | `bus/url` | every service: the address of the bus with its password |
/// | `database/password`, `database/url` | postgres; recorder, registry, bindings |
/// | `api/tokens` | the API and the command: lines `token role name` |
public enum Keys {
    /// Writes what is missing in `folder`; returns the files that were written. What exists stays as it is, so that it may be said again.
    ///
    /// - Parameters:
    ///   - bus: where the NATS servers listen, `host:port` each.
    ///   - database: where PostgreSQL listens, `host:port`.
    public static func make(in folder: String, bus: [String], database: String) throws(StackError) -> [String] {
        var written: [String] = []
        for part in ["bus", "database", "api"] { try Files.makeDirectory("\(folder)/\(part)", mode: 0o755) }

        // The files of one part belong together: a password that only one of them knows helps nobody.
        if !Files.exists("\(folder)/bus/url") || !Files.exists("\(folder)/bus/users.conf") {
            let password = StackSettings.secret(bytes: 24), tap = StackSettings.secret(bytes: 24)
            try write(NatsServer.accounts(password: password, tapPassword: tap), "\(folder)/bus/users.conf", &written)
            let urls = bus.map { "nats://switchback:\(password)@\($0)" }.joined(separator: ",")
            try write(urls + "\n", "\(folder)/bus/url", &written)
        }
        if !Files.exists("\(folder)/database/url") || !Files.exists("\(folder)/database/password") {
            let password = StackSettings.secret(bytes: 24)
            try write(password + "\n", "\(folder)/database/password", &written)
            try write("postgres://switchback:\(password)@\(database)/switchback\n", "\(folder)/database/url", &written)
        }
        if !Files.exists("\(folder)/api/tokens") {
            try write("sb_\(StackSettings.secret(bytes: 24)) admin admin\n", "\(folder)/api/tokens", &written)
        }
        return written
    }

    /// Readable by every user of a container: which containers see a folder is what keeps it secret.
    private static func write(_ text: String, _ path: String, _ written: inout [String]) throws(StackError) {
        try Files.write(text, to: path, mode: 0o444)
        written.append(path)
    }

    /// The first token of a role in a file of tokens.
    public static func token(role: String, inFile path: String) -> String? {
        for line in (Files.read(path) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 2, words[1] == role { return String(words[0]) }
        }
        return nil
    }
}
