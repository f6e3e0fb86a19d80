// swift-tools-version:6.2
import PackageDescription

let style: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// MARK: - Packages

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let collections: Target.Dependency = .product(name: "Collections", package: "swift-collections")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let toml: Target.Dependency = .product(name: "TOMLKit", package: "TOMLKit")

// MARK: - Shorthands

func library(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: style)
}

/// For what every byte of every pod passes. Unoptimised it is some hundred times slower, which makes debug builds, and so the tests, crawl.
func hotLibrary(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: style + [.unsafeFlags(["-O"], .when(configuration: .debug))])
}

func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, sources: ["Main.swift"], swiftSettings: style)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, path: "Tests/" + name, exclude: exclude, swiftSettings: style)
}

/// A service is a client that others import, a server that holds the logic, and a program that only wires.
func service(
    _ name: String, folder: String, client: [Target.Dependency], server: [Target.Dependency]
) -> [Target] {
    [
        library(name + "Client", "Services/\(folder)/Client", client),
        library(name + "Server", "Services/\(folder)/Server", [.byName(name: name + "Client")] + server),
        program(
            "switchback-" + folder, "Services/\(folder)",
            [.byName(name: name + "Server"), "ServiceKit", "Bus", "Contract", logging]
                + ([
                    "bindings": ["Redaction"], "detector": ["Agents"], "recorder": ["Redaction"], "registry": ["BusRights"], "runner": ["Agents"],
                    "relay": ["BindingsClient", "Redaction"],
                ][folder] ?? []),
            exclude: ["Client", "Server"] + (["runner": ["Shim", "ShimProgram"], "bindings": ["Core"], "detector": ["Detection"]][folder] ?? [])),
    ]
}

let package = Package(
    name: "switchback",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Terminal", targets: ["Terminal"]),
        .library(name: "Asciicast", targets: ["Asciicast"]),
        .library(name: "Bus", targets: ["Bus"]),
        .library(name: "Contract", targets: ["Contract"]),
        .library(name: "Agents", targets: ["Agents"]),
        .library(name: "Detection", targets: ["Detection"]),
        .library(name: "RecorderClient", targets: ["RecorderClient"]),
        .library(name: "APIClient", targets: ["APIClient"]),
        .library(name: "TestSupport", targets: ["TestSupport"]),
        .executable(name: "switchback", targets: ["switchback"]),
        .executable(name: "switchback-api", targets: ["switchback-api"]),
        .executable(name: "switchback-bindings", targets: ["switchback-bindings"]),
        .executable(name: "switchback-detector", targets: ["switchback-detector"]),
        .executable(name: "switchback-recorder", targets: ["switchback-recorder"]),
        .executable(name: "switchback-registry", targets: ["switchback-registry"]),
        .executable(name: "switchback-relay", targets: ["switchback-relay"]),
        .executable(name: "switchback-runner", targets: ["switchback-runner"]),
        .executable(name: "switchback-shim", targets: ["switchback-shim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.30.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.29.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.20.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        // C libraries.
        .systemLibrary(name: "CNats", path: "Shared/CNats", pkgConfig: "libnats", providers: [.apt(["libnats-dev"])]),
        .systemLibrary(name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZstd", path: "Shared/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "COpenSSL", path: "Shared/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CPty", path: "Shared/CPty"),

        // Shared.
        hotLibrary("Terminal", "Shared/Terminal"),
        library("Contract", "Shared/Contract"),
        library("ViewProtocol", "Shared/ViewProtocol", ["Terminal", "Contract"]),
        library("Compression", "Shared/Compression", ["CZstd"]),
        library("Digest", "Shared/Digest", ["COpenSSL"]),
        library("Asciicast", "Shared/Asciicast"),
        hotLibrary("Pattern", "Shared/Pattern", ["Contract"]),
        // Looks at every line that is shown.
        hotLibrary("Redaction", "Shared/Redaction", ["Contract", "Pattern", "Terminal"]),
        library("Agents", "Shared/Agents", ["Contract", "Pattern", toml]),
        // What an agent is doing, from events and time alone.
        hotLibrary("Detection", "Services/detector/Detection", ["Agents", "Contract", "Pattern", "Terminal"]),
        // Certificates that are read anew at each handshake.
        .target(name: "CBusTLS", dependencies: ["COpenSSL"], path: "Shared/CBusTLS"),
        // Which request work belongs to, the spans of what is sampled, and how they are written down for a collector.
        library("Traces", "Shared/Traces", [tracing]),
        library("Bus", "Shared/Bus", ["CBusTLS", "CNats", "Contract", "Traces", logging, tracing]),
        // Who may do what on the bus, and the credentials that say so.
        library("BusRights", "Shared/BusRights", ["COpenSSL", "Contract"]),
        library("Database", "Shared/Database", ["Contract", "CLibPQ", "Traces", logging, tracing]),
        library("Outbox", "Shared/Outbox", ["Bus", "Contract", "Database", logging, metrics]),
        library("PostgresPrograms", "Shared/PostgresPrograms"),
        library("Sharding", "Shared/Sharding", ["Contract", "Bus", logging]),
        library(
            "ServiceKit", "Shared/ServiceKit",
            [
                "Bus", "Contract", "Traces", asyncHTTPClient, hummingbird, hummingbirdCore, lifecycle, unixSignals, logging, metrics, coreMetrics, nioCore, nioHTTP1, tracing,
            ]),
        library("TestSupport", "Shared/TestSupport", ["Bus", "Contract", "Database", "Compression", "PostgresPrograms", "Terminal", "Traces", logging, tracing]),

        // The shim: one process per pod. No Foundation networking, no HTTP, small.
        library("ShimCore", "Services/runner/Shim", ["CPty", "Redaction", "RunnerClient", "Terminal", "Contract", "Bus", "Compression", "Traces", logging, tracing]),
        program("switchback-shim", "Services/runner/ShimProgram", ["ShimCore", "CPty", "Contract", "RunnerClient"]),

        // The command.
        library("Inspect", "CLI/Inspect", ["Agents", "Contract", "Detection", "Terminal"]),
        .target(name: "CLaunch", path: "CLI/CLaunch"),
        library("LocalStack", "CLI/LocalStack", ["BusRights", "CLaunch", "PostgresPrograms"]),
        library("HookFiles", "CLI/HookFiles", ["Agents", "Contract"]),
        library("Console", "CLI/Console", ["Contract", "Terminal", "ViewProtocol"]),
        library("APIClient", "Services/api/Client", ["Contract", "ViewProtocol", asyncHTTPClient, nioCore, nioPosix, nioHTTP1, nioSSL, nioWebSocket]),
        .executableTarget(
            name: "switchback",
            dependencies: ["Agents", "APIClient", "Bus", "Console", "Contract", "HookFiles", "Inspect", "LocalStack", "Terminal", "ViewProtocol", argumentParser, logging],
            path: "CLI/Switchback", swiftSettings: style),

        // The HTTP edge.
        library(
            "APIServer", "Services/api/Server",
            [
                "Asciicast", "BindingsClient", "BindingsCore", "Bus", "Compression", "Contract", "DetectorClient", "Digest", "RecorderClient", "Redaction", "RegistryClient",
                "RelayClient",
                "ServiceKit",
                "Terminal",
                "Traces",
                "ViewProtocol",
                tracing, hummingbird, hummingbirdCore, httpTypes, nioHTTPTypesHTTP1, logging, coreMetrics, nioCore, nioPosix, nioHTTP1, nioSSL, nioWebSocket,
            ]),
        program("switchback-api", "Services/api", ["APIServer", "Redaction", "ServiceKit", "Bus", "Contract", logging], exclude: ["Client", "Server"]),

        // Who may what, who waits on whom: values and time in, values out.
        library("BindingsCore", "Services/bindings/Core", ["Contract"]),

        // Tests.
        tests("Deployment", ["TestSupport"], exclude: ["alerts.test.yml"]),
        tests("BindingsCore", ["BindingsCore", "Contract"]),
        tests(
            "Bindings", ["BindingsServer", "BindingsClient", "Digest", "RegistryClient", "RegistryServer", "RelayServer", "TestSupport", "Contract", "Bus", "Database", logging]),
        tests("Terminal", ["Terminal", "Inspect"]),
        tests("Contract", ["Contract"]),
        tests("Asciicast", ["Asciicast"]),
        tests("Pattern", ["Pattern", "Contract"]),
        tests("Redaction", ["Redaction", "Contract", "Terminal", "TestSupport"]),
        tests("Agents", ["Agents", "Contract"]),
        tests("Detection", ["Detection", "Agents", "Contract", "Inspect", "Terminal"]),
        tests("Traces", ["Traces", tracing]),
        tests("Bus", ["Bus", "TestSupport", "Sharding", "Contract", "Traces", tracing]),
        tests("BusRights", ["Bus", "BusRights", "Contract", "TestSupport"]),
        tests("Database", ["Bus", "Contract", "Database", "TestSupport", "Digest", "Compression", "PostgresPrograms", "Traces", logging, tracing]),
        tests("ServiceKit", ["Bus", "BusRights", "ServiceKit", "TestSupport", "Traces", coreMetrics, httpTypes, hummingbirdCore, lifecycle, logging, tracing]),
        tests("Runner", ["Agents", "RunnerServer", "RunnerClient", "ShimCore", "CPty", "Compression", "TestSupport", "Contract", "Bus", "Terminal", logging]),
        tests(
            "Recorder",
            [
                "RecorderServer", "RecorderClient", "TestSupport", "Contract", "Compression", "Bus", "Terminal", "Asciicast", "Database", "Digest", logging,
            ]),
        tests(
            "Detector",
            [
                "BindingsServer", "BindingsClient", "DetectorServer", "DetectorClient", "RegistryServer", "RegistryClient", "RecorderServer", "Agents", "Detection", "TestSupport",
                "Contract", "Bus",
                "Database", "Sharding", "Terminal", "Compression", logging,
            ]),
        tests("Registry", ["RegistryServer", "RegistryClient", "TestSupport", "Contract", "Bus", "Database", logging]),
        tests("Relay", ["Redaction", "RelayServer", "RelayClient", "TestSupport", "Contract", "Bus", "Terminal", "ViewProtocol", "Compression", logging]),
        tests(
            "API",
            [
                "APIServer", "APIClient", "Asciicast", "Database", "Redaction", "RegistryServer", "ServiceKit", nioCore, nioEmbedded, nioPosix, nioWebSocket, "RelayServer",
                "TestSupport",
                "Contract", "Bus",
                "Terminal", "ViewProtocol",
                "Compression", logging,
            ]),
        tests("CommandLine", ["Agents", "Bus", "BusRights", "HookFiles", "Console", "LocalStack", "Inspect", "Contract", "Terminal", "TestSupport", "ViewProtocol"]),
        .testTarget(
            name: "RealAgentTests", dependencies: ["APIClient", "TestSupport", "Contract"], path: "Tests/RealAgents", exclude: ["standin.py"],
            swiftSettings: style),
        tests(
            "EndToEnd",
            ["APIClient", "PostgresPrograms", "ViewProtocol", "Compression", "TestSupport", "Contract", "Bus", "BusRights", "Terminal", "Asciicast", "Database", "Traces"],
            exclude: ["Support/mcp_handoff.py"]),
    ]
        + service(
            "Bindings", folder: "bindings",
            client: ["Bus", "Contract", logging],
            server: [
                "BindingsCore", "Bus", "Contract", "Database", "Digest", "Outbox", "Redaction", "RegistryClient", "RelayClient", "ServiceKit", "Terminal", "Traces",
                "ViewProtocol", asyncHTTPClient, tracing, nioCore, nioHTTP1, logging, metrics,
            ])
        + service(
            "Recorder", folder: "recorder",
            client: ["Bus", "Contract"],
            server: [
                "Asciicast", "BindingsClient", "Bus", "Compression", "Contract", "Database", "Digest", "Pattern", "Redaction", "ServiceKit", "Sharding", "Terminal", "ViewProtocol",
                logging,
                metrics,
            ])
        + service(
            "Detector", folder: "detector",
            client: ["Bus", "Contract"],
            server: [
                "Agents", "BindingsClient", "Bus", "Compression", "Contract", "Detection", "RecorderClient", "RegistryClient", "ServiceKit", "Sharding", "Terminal",
                logging, metrics,
            ])
        + service(
            "Registry", folder: "registry",
            client: ["Bus", "Contract"],
            server: ["Bus", "BusRights", "Contract", "Database", "Digest", "Outbox", "ServiceKit", logging, metrics])
        + service(
            "Relay", folder: "relay",
            client: ["Bus", "Contract"],
            server: [
                "Agents", "BindingsClient", "Bus", "Compression", "Contract", "Detection", "ServiceKit", "Sharding", "Terminal", "Redaction", "Traces", "ViewProtocol", logging,
                metrics, tracing,
            ])
        + service(
            "Runner", folder: "runner",
            client: ["Bus", "Contract"],
            server: ["Agents", "Bus", "Contract", "CPty", "ServiceKit", "Traces", logging, metrics, tracing])
)
