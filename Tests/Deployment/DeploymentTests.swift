import Foundation
import TestSupport
import Testing

/// What `deploy/`, the scripts and the images' list of parts say, checked by the programs that will read them where those are installed.
@Suite("Files of a deployment")
struct DeploymentTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    private static func program(_ names: String...) -> String? { names.first { FileManager.default.isExecutableFile(atPath: $0) } }
    private static let promtool = program("/usr/bin/promtool", "/usr/local/bin/promtool")
    private static let analyze = program("/usr/bin/systemd-analyze")

    private func read(_ path: String) throws -> String { try String(contentsOfFile: Self.root + "/" + path, encoding: .utf8) }

    @Test(
        "Prometheus takes its configuration and the alert rules, which fire when they should",
        .enabled(if: promtool != nil, "Debian's package prometheus is needed"),
        arguments: [["check", "config", "deploy/prometheus.yml"], ["check", "rules", "deploy/alerts.yml"], ["test", "rules", "Tests/Deployment/alerts.test.yml"]])
    func prometheus(arguments: [String]) async throws {
        let result = try await run([#require(Self.promtool)] + arguments)
        #expect(result.status == 0, "\(result.output)")
    }

    @Test("every alert is explained in docs/operations.md, and no other")
    func explained() throws {
        let alerts = try read("deploy/alerts.yml").split(separator: "\n").compactMap { line in
            line.contains("- alert: ") ? line.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } : nil
        }
        #expect(alerts.count >= 10 && Set(alerts).count == alerts.count)
        let page = try read("docs/operations.md").split(separator: "\n")
        let start = try #require(page.firstIndex(of: "## Alerts"))
        let rows = page[(start + 1)...].prefix { !$0.hasPrefix("## ") }.filter { $0.hasPrefix("| `") }.compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) }
        #expect(Set(rows) == Set(alerts))
    }

    @Test("the dashboard is one that Grafana reads: panels with queries, none on top of another")
    func dashboard() throws {
        let file = try #require(try JSONSerialization.jsonObject(with: Data(read("deploy/grafana-dashboard.json").utf8)) as? [String: Any])
        #expect(file["title"] as? String == "Switchback" && file["schemaVersion"] is Int && file["uid"] is String)
        let panels = try #require(file["panels"] as? [[String: Any]])
        #expect(panels.count >= 10)
        var places: Set<[Int]> = []
        for panel in panels {
            let targets = panel["targets"] as? [[String: Any]] ?? []
            #expect(!targets.isEmpty && targets.allSatisfy { ($0["expr"] as? String)?.isEmpty == false }, "\(panel["title"] ?? "")")
            let place = try #require(panel["gridPos"] as? [String: Int])
            #expect(places.insert([place["x"] ?? -1, place["y"] ?? -1]).inserted)
        }
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
    }

    @Test("systemd takes the runner's unit, whose pods outlive it", .enabled(if: analyze != nil, "systemd-analyze is needed"))
    func unit() async throws {
        let unit = try read("deploy/systemd/switchback-runner.service")
        #expect(unit.contains("\nKillMode=process\n") && unit.contains("\nSendSIGKILL=no\n") && unit.contains("\nRestart=always\n"))
        #expect(!unit.split(separator: "\n").contains { $0.hasPrefix("PrivateTmp=y") })
        let folder = FileManager.default.temporaryDirectory.path + "/switchback-unit-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/switchback-runner.service"
        // The program is not installed here.
        let program = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        try unit.replacingOccurrences(of: program, with: "ExecStart=/bin/true").write(toFile: file, atomically: true, encoding: .utf8)
        let result = try await run([#require(Self.analyze), "verify", file])
        #expect(result.status == 0 && !result.output.contains(file), "\(result.output)")
        // A line that it does not know is said.
        try (unit + "\nKilMode=none\n").write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try await run([#require(Self.analyze), "verify", file]).output.contains("KilMode"))
    }

    @Test("the list of parts is CycloneDX, and has every package that was resolved and every library of the image")
    func parts() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/switchback-sbom-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try """
        {
          "originHash" : "0",
          "pins" : [
            {
              "identity" : "swift-nio",
              "kind" : "remoteSourceControl",
              "location" : "https://github.com/apple/swift-nio.git",
              "state" : {
                "revision" : "f71c8d2a5e74a2c6d11a0fbe324774b5d6084237",
                "version" : "2.99.0"
              }
            },
            {
              "identity" : "a-branch",
              "kind" : "remoteSourceControl",
              "location" : "https://example.org/a-branch",
              "state" : {
                "branch" : "main",
                "revision" : "0123456789abcdef0123456789abcdef01234567"
              }
            }
          ],
          "version" : 3
        }

        """.write(toFile: folder + "/resolved", atomically: true, encoding: .utf8)
        try "libssl3\t3.0.17-1~deb12u2\tamd64\nlibstdc++6\t1:12.2.0-14+deb12u1\tamd64\n".write(toFile: folder + "/packages", atomically: true, encoding: .utf8)
        let result = try await run([Self.root + "/scripts/sbom", "--resolved", folder + "/resolved", "--packages", folder + "/packages"])
        #expect(result.status == 0, "\(result.output)")
        let list = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        // https://cyclonedx.org/docs/1.5/json/: what is required, and what makes it of use.
        #expect(list["bomFormat"] as? String == "CycloneDX" && list["specVersion"] as? String == "1.5" && list["version"] as? Int == 1)
        #expect((list["serialNumber"] as? String)?.hasPrefix("urn:uuid:") == true)
        let about = try #require(list["metadata"] as? [String: Any])
        #expect(about["timestamp"] is String && (about["component"] as? [String: Any])?["name"] as? String == "switchback")
        let parts = try #require(list["components"] as? [[String: Any]])
        #expect(parts.allSatisfy { $0["type"] is String && $0["name"] is String && $0["version"] is String })
        #expect(Set(parts.compactMap { $0["bom-ref"] as? String }).count == parts.count)
        #expect(
            parts.compactMap { $0["purl"] as? String } == [
                "pkg:swift/github.com/apple/swift-nio@2.99.0", "pkg:swift/example.org/a-branch@0123456789abcdef0123456789abcdef01234567",
                "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-\(codename)",
                "pkg:deb/debian/libstdc++6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-\(codename)",
            ])
    }

    private var codename: String {
        let text = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("VERSION_CODENAME=") }?.split(separator: "=").last.map(String.init) ?? "bookworm"
    }

    private func run(_ words: [String]) async throws -> (status: Int32, output: String) {
        try await TestSupport.output(of: words, in: Self.root)
    }
}
