// swift-tools-version:6.2
import PackageDescription

let style: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// Run one with `swift run -c release --package-path Benchmarks engine-bench`.
let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "switchback", path: "..")],
    targets: [
        // The engine beside libvterm.
        .systemLibrary(name: "CVTerm", path: "Sources/CVTerm", pkgConfig: "vterm", providers: [.apt(["libvterm-dev"])]),
        .executableTarget(
            name: "engine-bench", dependencies: ["CVTerm", .product(name: "Terminal", package: "switchback")],
            path: "Sources/engine-bench", swiftSettings: style),
        // Seeks in a very long recording.
        .executableTarget(
            name: "record-bench",
            dependencies: [
                .product(name: "Bus", package: "switchback"), .product(name: "Contract", package: "switchback"),
                .product(name: "RecorderClient", package: "switchback"),
            ],
            path: "Sources/RecordBench", swiftSettings: style),
        // What an agent is doing, for many pods.
        .executableTarget(
            name: "status-bench",
            dependencies: [.product(name: "Agents", package: "switchback"), .product(name: "Contract", package: "switchback"), .product(name: "Detection", package: "switchback")],
            path: "Sources/status-bench", swiftSettings: style),
        // Who waits on whom in a large fleet.
        .executableTarget(
            name: "topology-bench",
            dependencies: [
                .product(name: "APIClient", package: "switchback"), .product(name: "Bus", package: "switchback"), .product(name: "Contract", package: "switchback"),
                .product(name: "TestSupport", package: "switchback"),
            ],
            path: "Sources/TopologyBench", swiftSettings: style),
        // A terminal on a WebSocket, end to end, beside the least one can be.
        .executableTarget(name: "pipeline-bench", path: "Sources/PipelineBench", swiftSettings: style),
    ]
)
