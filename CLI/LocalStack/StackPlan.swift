internal import Glibc

/// From settings to the list of programs to run.
enum StackPlan {
    /// In the environment of everything the supervisor starts: names the stack and the instance, so that a later
    /// supervisor recognizes what a killed one left, and nothing else.
    static let marker = "SWITCHBACK_SUPERVISED"

    static func servers(
        home: StackHome, settings: StackSettings, programs: Programs, postgresUser: SystemUser?
    ) throws(StackError) -> [ServerSpec] {
        var list: [ServerSpec] = [
            ServerSpec(
                name: "nats", program: try programs.natsServer(), arguments: ["-c", home.natsConfiguration],
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"].merging(mark(settings, "nats")) { $1 },
                directory: home.natsDirectory, log: home.log("nats"), readiness: .nats(port: settings.natsPort), disk: NatsServer.store(home), stopSignal: SIGTERM, patience: 5,
                startStage: 0, stopStage: 3, openFiles: 65536, mark: home.natsConfiguration)
        ]
        let binaries = try programs.postgresDirectory(major: PostgreSQL.dataVersion(settings.postgresRoot))
        let postgres = PostgreSQL.command(programs: binaries, settings: settings, user: postgresUser)
        list.append(
            ServerSpec(
                name: "postgres", program: postgres.program, arguments: postgres.arguments,
                environment: PostgreSQL.serverEnvironment.merging(mark(settings, "postgres")) { $1 },
                directory: settings.postgresRoot, log: home.log("postgres"),
                readiness: .postgres(dataDirectory: settings.postgresRoot + "/data"), stopSignal: SIGINT, patience: 10, startStage: 0, stopStage: 3,
                openFiles: nil, mark: settings.postgresRoot + "/data"))

        let shim = try programs.own("switchback-shim")
        for (service, name) in settings.instances {
            guard let port = settings.healthPorts[name] else {
                throw StackError(.badSettings, "\(home.settingsFile) has no health port for \(name).", fix: "Run `switchback up` again.")
            }
            var environment = inherited(programs.environment)
            environment["SWITCHBACK_NATS_URL"] = settings.natsURL
            if !settings.usesPasswords { environment["SWITCHBACK_NATS_CREDS"] = "\(home.busDirectory)/\(service).creds" }
            environment["SWITCHBACK_HTTP"] = "127.0.0.1:\(port)"
            environment["SWITCHBACK_INSTANCE"] = name
            environment["SWITCHBACK_STREAM_BYTES"] = environment["SWITCHBACK_STREAM_BYTES"] ?? NatsServer.streamBytes(home).map(String.init)
            environment.merge(mark(settings, name)) { $1 }
            switch service {
            case "recorder", "registry", "bindings":
                environment["SWITCHBACK_DATABASE_URL"] = settings.databaseURL
                if service == "registry", !settings.usesPasswords { environment["SWITCHBACK_SHIM_SIGNER"] = home.busDirectory + "/" + BusKeys.signerFile }
                // For links in what is posted.
                environment["SWITCHBACK_PUBLIC_URL"] = environment["SWITCHBACK_PUBLIC_URL"] ?? settings.address
            case "detector":
                // Manifests of the person's own.
                environment["SWITCHBACK_AGENTS"] = environment["SWITCHBACK_AGENTS"] ?? home.path + "/agents"
            case "api":
                environment["SWITCHBACK_API_LISTEN"] = "\(settings.apiHost):\(settings.apiPort)"
                environment["SWITCHBACK_TOKENS"] = home.tokensFile
            case "runner":
                environment["SWITCHBACK_RUNNER_DIR"] = home.runnerDirectory
                environment["SWITCHBACK_RUNNER_NAME"] = runnerName(environment)
                environment["SWITCHBACK_SHIM"] = shim
                environment["SWITCHBACK_AGENTS"] = environment["SWITCHBACK_AGENTS"] ?? home.path + "/agents"
                // For the command inside pods.
                environment["SWITCHBACK_URL"] = settings.address
            default:
                break
            }
            let stages: (start: Int, stop: Int) =
                switch service {
                case "api": (2, 0)
                case "runner": (3, 1)
                case "recorder": (1, 2)
                default: (1, 1)
                }
            list.append(
                ServerSpec(
                    name: name, program: try programs.own("switchback-" + service), environment: environment, directory: home.path,
                    log: home.log(name), readiness: .http(port: port), stopSignal: SIGTERM, patience: 4, startStage: stages.start,
                    stopStage: stages.stop, openFiles: service == "runner" ? nil : 65536, mark: nil))
        }
        return list
    }

    /// What the stack's runner is called.
    static func runnerName(_ environment: [String: String]) -> String { environment["SWITCHBACK_RUNNER_NAME"] ?? "local" }

    /// The person's environment, without what would point services or agents at another stack.
    static func inherited(_ environment: [String: String]) -> [String: String] {
        environment.filter { name, _ in
            !name.hasPrefix("SWITCHBACK_") || settings.contains(name)
        }
    }

    /// Settings of services that a person may give to `up`.
    private static let settings: Set<String> = [
        "SWITCHBACK_LOG_LEVEL", "SWITCHBACK_RUNNER_NAME", "SWITCHBACK_AGENTS", "SWITCHBACK_RETENTION_AGE", "SWITCHBACK_RETENTION_BYTES",
        "SWITCHBACK_STREAM_BYTES", "SWITCHBACK_WEB", "SWITCHBACK_ORIGINS", "SWITCHBACK_PUBLIC_URL", "SWITCHBACK_OTLP", "SWITCHBACK_TRACE_RATIO",
    ]

    private static func mark(_ settings: StackSettings, _ name: String) -> [String: String] {
        [marker: "\(settings.id)/\(name)"]
    }
}
