public import Contract
internal import FoundationEssentials

extension Redactor {
    /// The built-in rules with the patterns of the file that `SWITCHBACK_REDACTIONS` names, lines `name pattern`.
    /// - Throws: `bad_request` when the file cannot be read or what is wrong in it.
    public static func configured(environment: [String: String]) throws(ErrorBody) -> Redactor {
        guard let path = environment["SWITCHBACK_REDACTIONS"], !path.isEmpty else { return .standard }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ErrorBody(.badRequest, "SWITCHBACK_REDACTIONS: the file \(path) cannot be read; it needs lines `name pattern`")
        }
        return try Redactor(lines: String(decoding: data, as: UTF8.self))
    }
}
