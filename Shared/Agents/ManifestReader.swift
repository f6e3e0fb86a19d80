internal import Contract
internal import TOMLKit

/// A manifest's fields, with errors that say where.
struct ManifestReader {
    let name: String
    let root: TOMLTable
    private let lines: [Substring]

    init(name: String, text: String) throws(ErrorBody) {
        self.name = name
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        do {
            root = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw ErrorBody(.badRequest, "Agents/\(name).toml line \(error.source.begin.line): \(error.description)")
        } catch {
            throw ErrorBody(.badRequest, "Agents/\(name).toml cannot be read: \(error)")
        }
    }

    /// An error at the first line that holds `text`.
    func problem(_ what: String, near text: String) -> ErrorBody {
        let line = lines.firstIndex { $0.contains(text) }.map { " line \($0 + 1)" } ?? ""
        return ErrorBody(.badRequest, "Agents/\(name).toml\(line): \(what)")
    }

    func table(_ key: String, in parent: TOMLTable) throws(ErrorBody) -> TOMLTable? {
        guard let value = parent[key] else { return nil }
        guard let table = value.table else { throw problem("\(key) must be a table", near: key) }
        return table
    }

    func string(_ key: String, in table: TOMLTable?, of parent: String? = nil) throws(ErrorBody) -> String? {
        guard let value = table?[key] else { return nil }
        guard let text = value.string else { throw problem("\(field(key, parent)) must be a text", near: key) }
        return text
    }

    func bool(_ key: String, in table: TOMLTable?, of parent: String? = nil) throws(ErrorBody) -> Bool? {
        guard let value = table?[key] else { return nil }
        guard let flag = value.bool else { throw problem("\(field(key, parent)) must be true or false", near: key) }
        return flag
    }

    func strings(_ key: String, in table: TOMLTable?, of parent: String? = nil) throws(ErrorBody) -> [String] {
        guard let value = table?[key] else { return [] }
        guard let array = value.array else { throw problem("\(field(key, parent)) must be a list of texts", near: key) }
        var result: [String] = []
        for item in array {
            guard let text = item.string else { throw problem("\(field(key, parent)) must hold texts only", near: key) }
            result.append(text)
        }
        return result
    }

    func tables(_ key: String) throws(ErrorBody) -> [TOMLTable] {
        guard let value = root[key] else { return [] }
        guard let array = value.array else { throw problem("write each of \(key) as [[\(key)]]", near: key) }
        var result: [TOMLTable] = []
        for item in array {
            guard let table = item.table else { throw problem("write each of \(key) as [[\(key)]]", near: key) }
            result.append(table)
        }
        return result
    }

    /// Refuses fields that nothing reads: most are misspelt.
    func allow(_ known: Set<String>, in table: TOMLTable?, of parent: String) throws(ErrorBody) {
        for key in table?.keys ?? [] where !known.contains(key) {
            throw problem("\(parent).\(key) is not known; known: \(known.sorted().joined(separator: ", "))", near: key)
        }
    }

    private func field(_ key: String, _ parent: String?) -> String { parent.map { $0 + "." + key } ?? key }
}
