internal import Glibc

/// The private PostgreSQL: Unix socket only, one user, started as `postgres` itself and not through pg_ctl,
/// so that the supervisor is its parent.
enum PostgreSQL {
    /// The longest path a Unix socket can have on Linux (sun_path is 108 bytes with its final zero).
    static let longestSocketPath = 107
    static let socketName = ".s.PGSQL.5432"

    static func fits(_ directory: String) -> Bool {
        directory.utf8.count + 1 + socketName.utf8.count <= longestSocketPath
    }

    // MARK: - Where

    /// Directories for the data and the socket of a new stack.
    ///
    /// PostgreSQL refuses to run as root. When we are root it runs as the user `postgres`, which cannot reach a
    /// directory below, say, /root; then the data go to /var/lib/switchback.
    static func choosePlace(home: StackHome, id: String, user: SystemUser?, environment: [String: String]) throws(StackError) -> (
        root: String, socket: String
    ) {
        var root = home.path + "/postgres"
        if let user, !user.canReach(home.path) {
            root = "/var/lib/switchback/\(id)"
        }
        if fits(root + "/socket") { return (root, root + "/socket") }
        var short = "/tmp/switchback-\(getuid())-\(id)"
        if user == nil, let runtime = environment["XDG_RUNTIME_DIR"], fits(runtime + "/switchback-\(id)"), access(runtime, W_OK) == 0 {
            short = runtime + "/switchback-\(id)"
        }
        return (root, short)
    }

    /// Makes the directories with their owner. Safe to repeat.
    static func makeDirectories(home: StackHome, settings: StackSettings, user: SystemUser?) throws(StackError) {
        if settings.postgresRoot.hasPrefix("/var/lib/switchback/") {
            try Files.makeDirectory("/var/lib/switchback", mode: 0o711)
        } else if user != nil {
            // Search permission only: nothing can be listed, and what is secret has modes of its own.
            try Files.makeDirectory(home.path, mode: 0o711)
        }
        for directory in [settings.postgresRoot, settings.socketDirectory] {
            if directory.hasPrefix("/tmp/") || Files.exists(directory) { try refuseStranger(directory, user) }
            try Files.makeDirectory(directory)
            if let user, chown(directory, user.uid, user.gid) != 0 {
                throw Files.trouble("give to the user \(user.name)", directory)
            }
        }
    }

    /// In a directory everyone can write, somebody else may have made ours first.
    private static func refuseStranger(_ path: String, _ user: SystemUser?) throws(StackError) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        let owners: [uid_t] = [getuid()] + (user.map { [$0.uid] } ?? [])
        guard (info.st_mode & S_IFMT) == S_IFDIR, owners.contains(info.st_uid) else {
            throw StackError(.notWritable, "\(path) exists and belongs to another user.", fix: "Remove it, or set SWITCHBACK_HOME to a shorter path.")
        }
    }

    // MARK: - Data

    /// The major version that wrote the data, nil when there are none yet.
    static func dataVersion(_ root: String) -> Int? {
        Files.read(root + "/data/PG_VERSION").flatMap { Int($0.filter(\.isNumber)) }
    }

    static func programVersion(_ directory: String) -> (major: Int, text: String)? {
        guard let answer = try? Spawn.run(directory + "/postgres", ["--version"], environment: [:], seconds: 10), answer.end == .exited(0),
            let text = NatsServer.versionNumber(in: answer.output), let major = Int(text.prefix { $0 != "." })
        else { return nil }
        return (major, text)
    }

    /// Makes the data when there are none, and refuses those of another major version.
    static func prepare(programs: String, settings: StackSettings, user: SystemUser?) throws(StackError) {
        let root = settings.postgresRoot
        if let wrote = dataVersion(root) {
            if let program = programVersion(programs), program.major != wrote {
                throw StackError(
                    .wrongDatabaseVersion, "The data in \(root) are PostgreSQL \(wrote)'s; \(programs)/postgres is version \(program.text).",
                    fix: "Install postgresql-\(wrote) (it is chosen by itself), or name it in SWITCHBACK_POSTGRES.")
            }
            return
        }
        // Made beside and renamed when complete: an interrupted start leaves nothing half done in place.
        let fresh = root + "/data.new"
        _ = try Spawn.run("/bin/rm", ["-rf", fresh], environment: [:])
        let passwordFile = root + "/password"
        try Files.write(settings.databasePassword + "\n", to: passwordFile)
        if let user { chown(passwordFile, user.uid, user.gid) }
        defer { Files.remove(passwordFile) }
        var complaint = ""
        for locale in ["C.UTF-8", "C"] {
            let made = try run(
                programs + "/initdb",
                [
                    "-D", fresh, "-U", "switchback", "--auth-local=scram-sha-256", "--auth-host=reject", "--pwfile=" + passwordFile,
                    "--encoding=UTF8", "--locale=" + locale, "--no-instructions",
                ], in: root, as: user)
            complaint = made.output
            if made.end == .exited(0) {
                let created = try run(
                    programs + "/postgres", ["--single", "-D", fresh, "-c", "listen_addresses=", "postgres"],
                    in: root, as: user, input: "CREATE DATABASE switchback OWNER switchback\n")
                guard created.end == .exited(0) else {
                    throw StackError(.startFailed, "PostgreSQL could not make the database: \(lastLine(created.output))")
                }
                guard rename(fresh, root + "/data") == 0 else { throw Files.trouble("rename", fresh) }
                return
            }
            _ = try Spawn.run("/bin/rm", ["-rf", fresh], environment: [:])
        }
        throw StackError(.startFailed, "initdb could not make the database's data in \(root): \(lastLine(complaint))")
    }

    private static func lastLine(_ text: String) -> String {
        String(text.split(separator: "\n").last ?? "no reason given")
    }

    private static func run(
        _ program: String, _ arguments: [String], in directory: String, as user: SystemUser?, input: String? = nil
    ) throws(StackError) -> (end: ProcessEnd, output: String) {
        let command = asUser(program, arguments, user)
        return try Spawn.run(command.program, command.arguments, environment: serverEnvironment, directory: directory, input: input, seconds: 120)
    }

    static let serverEnvironment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"]

    // MARK: - Command line

    static func command(programs: String, settings: StackSettings, user: SystemUser?) -> (program: String, arguments: [String]) {
        let options = [
            "listen_addresses=", "unix_socket_permissions=0700", "unix_socket_directories=" + settings.socketDirectory,
            "logging_collector=off", "log_destination=stderr", "log_min_messages=warning", "max_connections=100",
            "shared_buffers=128MB", "max_wal_size=512MB", "jit=off", "timezone=UTC",
        ]
        return asUser(
            programs + "/postgres", ["-D", settings.postgresRoot + "/data"] + options.flatMap { ["-c", $0] }, user)
    }

    static func asUser(_ program: String, _ arguments: [String], _ user: SystemUser?) -> (program: String, arguments: [String]) {
        guard let user else { return (program, arguments) }
        return ("/usr/bin/setpriv", ["--reuid=\(user.name)", "--regid=\(user.gid)", "--init-groups", "--inh-caps=-all", "--", program] + arguments)
    }

    /// The main process's number and whether it takes connections, from `postmaster.pid` (its first and eighth line).
    static func state(dataDirectory: String) -> (pid: Int32, isReady: Bool)? {
        guard let text = Files.read(dataDirectory + "/postmaster.pid") else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let pid = Int32(first) else { return nil }
        return (pid, lines.count > 7 && lines[7].hasPrefix("ready"))
    }
}

/// A user of the machine, to run PostgreSQL as when we are root.
struct SystemUser: Equatable, Sendable {
    var name: String
    var uid: uid_t
    var gid: gid_t
    var groups: [gid_t]

    /// The user for PostgreSQL: nil (ourselves) unless we are root.
    static func forPostgreSQL() throws(StackError) -> SystemUser? {
        guard geteuid() == 0 else { return nil }
        guard let entry = getpwnam("postgres") else {
            throw StackError(
                .missingProgram, "PostgreSQL does not run as root, and there is no user `postgres` to run it as.",
                fix: Programs.aptLine + "\nIt makes that user; or run `switchback up` as a user without privileges.")
        }
        var groups = [gid_t](repeating: 0, count: 64)
        var count = Int32(groups.count)
        if getgrouplist("postgres", entry.pointee.pw_gid, &groups, &count) < 0 { count = 0 }
        return SystemUser(name: "postgres", uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid, groups: Array(groups.prefix(Int(count))))
    }

    /// True when the user can search every directory on the way to `path`, excluding `path` itself, which is ours to open.
    func canReach(_ path: String) -> Bool {
        var partial = ""
        for component in path.split(separator: "/").dropLast() {
            partial += "/" + component
            var info = stat()
            guard stat(partial, &info) == 0 else { return false }
            let needed: mode_t = info.st_uid == uid ? 0o100 : (groups + [gid]).contains(info.st_gid) ? 0o010 : 0o001
            if info.st_mode & needed == 0 { return false }
        }
        return true
    }
}
