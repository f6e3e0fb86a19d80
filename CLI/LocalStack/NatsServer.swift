internal import Glibc

/// The private NATS server: JetStream on, loopback only, everybody with rights of their own.
enum NatsServer {
    /// - Parameter knowsStallOption: `no_fast_producer_stall` stops one slow subscriber from holding up a publisher
    ///   (nats-server 2.10.26 and 2.11 know it; older ones refuse a configuration that names it).
    static func configuration(settings: StackSettings, access: String, storeDirectory: String, pidFile: String, knowsStallOption: Bool) -> String {
        """
        # Written by `switchback up` at each start; changes here are lost.
        server_name: switchback-\(settings.id)
        listen: "127.0.0.1:\(settings.natsPort)"
        pid_file: \(quoted(pidFile))
        max_payload: 8MB
        # A client that reads nothing is cut off at this backlog and asks for a keyframe when it is back.
        max_pending: 64MB
        write_deadline: "5s"
        \(knowsStallOption ? "no_fast_producer_stall: true\n" : "")jetstream {
          store_dir: \(quoted(storeDirectory))
          max_memory_store: 64MB
        }
        \(access)
        """
    }

    /// As stacks before credentials had it, for as long as pods of that time run: services and shims as `switchback`; `tap`, who may listen to
    /// everything and change nothing.
    static func accounts(password: String, tapPassword: String) -> String {
        """
        accounts {
          SWITCHBACK {
            jetstream: enabled
            users: [
              { user: switchback, password: "\(password)" }
              { user: tap, password: "\(tapPassword)",
                permissions: { subscribe: ">", publish: { allow: ["$SRV.>", "$JS.API.INFO", "$JS.API.STREAM.>", "$JS.API.CONSUMER.>"],
                  deny: ["$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.UPDATE.>", "$JS.API.STREAM.MSG.DELETE.>",
                         "$JS.API.STREAM.CREATE.>", "$JS.API.STREAM.RESTORE.>", "$JS.API.CONSUMER.DELETE.>", "$JS.API.CONSUMER.DURABLE.>"] } } }
            ]
          }
        }

        """
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Writes the configuration, with what this server knows, and lets the server itself check it.
    static func prepare(program: String, settings: StackSettings, home: StackHome, runner: String = "local") throws(StackError) {
        let store = store(home)
        try Files.makeDirectory(store)
        let access: String
        if settings.usesPasswords {
            access = accounts(password: settings.natsPassword, tapPassword: settings.tapPassword)
        } else {
            let keys = try BusKeys.open(home.busDirectory)
            try keys.write(runner: runner, in: home.busDirectory)
            try keys.takeOver(store: store)
            access = keys.serverConfiguration()
        }
        var complaint = ""
        for knowsStallOption in [true, false] {
            let text = configuration(
                settings: settings, access: access, storeDirectory: store, pidFile: home.natsDirectory + "/nats.pid", knowsStallOption: knowsStallOption)
            try Files.write(text, to: home.natsConfiguration)
            let check = try Spawn.run(program, ["-t", "-c", home.natsConfiguration], environment: [:], seconds: 20)
            if check.end == .exited(0) { return }
            complaint = check.output
        }
        throw StackError(
            .startFailed, "\(program) refuses its configuration: \(complaint.split(separator: "\n").first ?? "no reason given")",
            fix: "nats-server 2.9 or newer is needed; NATS_SERVER can name another one.")
    }

    static func store(_ home: StackHome) -> String { home.natsDirectory + "/store" }

    /// What the streams may take together, where that is not all they wish: nats-server takes three quarters of what is free when it starts.
    static func streamBytes(_ home: StackHome) -> Int64? {
        guard let free = Files.freeBytes(store(home)), free < 16 << 30 else { return nil }
        return max(64 << 20, Int64(free) / 10 * 6)
    }

    static func version(program: String) -> String? {
        guard let answer = try? Spawn.run(program, ["--version"], environment: [:], seconds: 10), answer.end == .exited(0) else { return nil }
        return versionNumber(in: answer.output)
    }

    /// The first thing in the text that looks like a version: digits and dots, at least one dot.
    static func versionNumber(in text: String) -> String? {
        for word in text.split(whereSeparator: \.isWhitespace) {
            let digits = word.drop { $0 == "v" }.prefix { $0.isNumber || $0 == "." }
            if digits.first?.isNumber == true && digits.contains(".") { return String(digits) }
        }
        return nil
    }

    static let oldestSupported = [2, 9]

    static func isSupported(_ version: String) -> Bool {
        let numbers = version.split(separator: ".").compactMap { Int($0) }
        return !numbers.lexicographicallyPrecedes(oldestSupported)
    }
}
