internal import Contract
internal import Redaction

/// Who sees secrets (decision 17).
enum Visibility {
    /// Of a live terminal: people who may type into it see what stands there, as they could print it anyhow; viewers and agents do not.
    static func seesLive(_ person: Person, reveal: Bool) -> Bool { person.pod == nil && person.role >= .operator || reveal }
}

extension APIRequest {
    /// Whether the asker wants to see what is hidden, and may. Noted in the audit log.
    /// - Throws: `denied` for everybody but admins.
    func reveals() throws(ErrorBody) -> Bool {
        guard try flag("reveal") == true else { return false }
        guard person.role == .admin, person.pod == nil else { throw ErrorBody(.denied, "only an admin may look behind redactions") }
        note.reveal()
        return true
    }
}

extension Route {
    static let reveal = Parameter(
        name: "reveal", about: "Secrets are shown as well; for admins, and noted in the audit log.", schema: ["type": "boolean"])
}
