import APIClient
import Contract
import Foundation
import TestSupport
import Testing

@testable import APIServer

/// Requests made up from the API's own description: right ones, nearly right ones and wrong ones. The same seed makes the same requests.
@Suite("Requests made up from the description", .serialized)
struct FuzzTests {
    private static let texts = [
        "", "x", "shown", "p", "paaaaaaaaaaaa", "person:ada", "pod:x", "%", "%00", "..", "../..", "a b", "é", "日本", "\u{1F600}", "\u{202e}", "\0", "\r\n", "'", "\"", ";--",
        "' OR 1=1", "${x}", "{{x}}", "<script>", "-1", "0", "1", "18446744073709551616", "1e309", "NaN", "true", "null", "[]", "-5m", "+90s", "14:03:07",
        "2026-11-21T02:14:07Z", "0000-00-00T00:00:00Z", "9999-99-99T99:99:99Z", "+99999999999999d", String(repeating: "a", count: 300), String(repeating: "9", count: 400),
    ]

    private struct Generator {
        var random: SplitMix
        let schemas: [String: Any]

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        mutating func text() -> String { FuzzTests.texts.randomElement(using: &random) ?? "" }

        /// A value that fits a schema, or now and then does not.
        mutating func value(_ schema: Any, depth: Int = 0) -> Any {
            guard var schema = schema as? [String: Any] else { return text() }
            if let reference = schema["$ref"] as? String {
                schema = schemas[String(reference.split(separator: "/").last ?? "")] as? [String: Any] ?? [:]
            }
            if chance(12) || depth > 5 { return wrong(depth) }
            if let options = schema["enum"] as? [Any], let option = options.randomElement(using: &random) { return option }
            switch schema["type"] as? String {
            case "object":
                var object: [String: Any] = [:]
                let required = Set(schema["required"] as? [String] ?? [])
                for (name, inner) in (schema["properties"] as? [String: Any] ?? [:]).sorted(by: { $0.key < $1.key }) where required.contains(name) || chance(50) {
                    if !chance(5) { object[name] = value(inner, depth: depth + 1) }
                }
                if chance(10) { object[text()] = wrong(depth) }
                return object
            case "array": return (0..<Int.random(in: 0...3, using: &random)).map { _ in value(schema["items"] ?? [:], depth: depth + 1) }
            case "integer", "number": return [0, 1, -1, 80, 1000, Int.max, Int.min, 1 << 31, 65_536].randomElement(using: &random) ?? 0
            case "boolean": return chance(50)
            default: return text()
            }
        }

        mutating func wrong(_ depth: Int) -> Any {
            switch Int.random(in: 0..<7, using: &random) {
            case 0: return NSNull()
            case 1: return Int.random(in: Int.min...Int.max, using: &random)
            case 2: return [text(), 1, NSNull()] as [Any]
            case 3: return ["a": text()]
            case 4: return 1.5e300
            case 5: return chance(50)
            default: return text()
            }
        }

        mutating func body(_ schema: Any?) -> [UInt8] {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: return []
            case 1: return (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
            case 2: return Array("{\"a\":".utf8)
            default: break
            }
            let made = value(schema ?? [:])
            guard var bytes = (try? JSONSerialization.data(withJSONObject: made, options: [.fragmentsAllowed, .sortedKeys])).map({ [UInt8]($0) }) else { return [] }
            if chance(10), !bytes.isEmpty { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            return bytes
        }
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a || (0x30...0x39).contains(byte) ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16, uppercase: true).leftPadded
        }.joined()
    }

    @Test("get answers that the description knows, never a failure of the server", arguments: [1, 2, 3])
    func fuzz(seed: UInt64) async throws {
        let stage = try await SecurityStage()
        _ = try await stage.pod("shown")
        let raw = try await stage.ada.raw("GET", "/openapi.json").body
        let document = try #require(try JSONSerialization.jsonObject(with: Data(raw)) as? [String: Any])
        let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        var generator = Generator(random: SplitMix(state: seed), schemas: schemas)
        let tokens = [SecurityStage.admin, SecurityStage.admin, SecurityStage.operatorToken, SecurityStage.viewer]
        var counts: [Int: Int] = [:]
        let deadline = ContinuousClock.now + .seconds(20)
        for (path, methods) in paths.sorted(by: { $0.key < $1.key }) {
            for (method, operation) in methods.sorted(by: { $0.key < $1.key }) {
                let name = operation["operationId"] as? String ?? ""
                // One never ends; the other one would revoke what the test asks with.
                if name == "followEvents" { continue }
                for round in 0..<14 where round < 6 || ContinuousClock.now < deadline {
                    var target = path
                    var query: [String] = []
                    var headers: [(String, String)] = []
                    for parameter in operation["parameters"] as? [[String: Any]] ?? [] {
                        guard let parameterName = parameter["name"] as? String else { continue }
                        let made = generator.value(parameter["schema"] ?? [:])
                        var text = made is String || made is Int || made is Bool ? "\(made)" : generator.text()
                        switch parameter["in"] as? String {
                        case "path":
                            if generator.chance(40) { text = "shown" }
                            target = target.replacingOccurrences(of: "{\(parameterName)}", with: text.isEmpty ? "x" : escaped(text))
                        case "query" where generator.chance(60): query.append(parameterName + "=" + escaped(text))
                        case "header" where generator.chance(40): headers.append((parameterName, escaped(text)))
                        default: break
                        }
                    }
                    // Held waits would hold the test.
                    query.removeAll { $0.hasPrefix("hold=") }
                    let content = (operation["requestBody"] as? [String: Any])?["content"] as? [String: [String: Any]]
                    let body: [UInt8]? = content.map { generator.body($0.values.first?["schema"]) }
                    let token = tokens.randomElement(using: &generator.random)
                    let address = target + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
                    let answer = try await stage.client(token).raw(method.uppercased(), address, body: body, headers: headers)
                    counts[answer.status, default: 0] += 1
                    // Services that this stage does not run are not there: that is an answer too.
                    let code = Reply.error(in: answer.body)?.code
                    let isAway = answer.status == 503 && (code == .unavailable || name == "isReady") || answer.status == 504 && code == .timedOut
                    let (asked, got) = (String(decoding: body ?? [], as: UTF8.self), String(decoding: answer.body.prefix(300), as: UTF8.self))
                    #expect(answer.status < 500 || isAway, "seed \(seed): \(method) \(address) \(asked): \(answer.status) \(got)")
                    if answer.status >= 400, name != "isReady" { #expect((Reply.error(in: answer.body)?.message.count ?? 0) > 5, "\(method) \(address): \(answer.status)") }
                }
            }
        }
        print("seed \(seed): \(counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))")
        #expect(counts.values.reduce(0, +) > 300 && (counts[200] ?? 0) > 30 && (counts[400] ?? 0) > 50)
        #expect(try await stage.ada.raw("GET", "/healthz").status == 200)
        #expect(!stage.log.text.contains("request failed"), "\(stage.log.text.split(separator: "\n").filter { $0.contains("request failed") }.prefix(3))")
    }
}

extension String {
    fileprivate var leftPadded: String { count == 1 ? "0" + self : self }
}
