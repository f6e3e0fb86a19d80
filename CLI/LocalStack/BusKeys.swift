internal import BusRights
internal import Glibc

/// The keys of a stack's bus, as files: the root, which signs, and what it has signed.
///
/// | file | who reads it |
/// |---|---|
/// | `revoked` | the same: lines `key time` of what was taken back |
/// | `root.json` | `switchback keys` and `up` only: whoever has it may do anything |
/// | `<service>.creds`, `runner.creds` | that service |
/// | `shim-signer` | the registry, which signs for pods |
/// | `tap.creds`, `admin.creds`, `system.creds` | people |
struct BusKeys {
    static let signerFile = "shim-signer"

    static let revokedFile = "revoked"

    private let authority: BusAuthority
    private let folder: String

    /// Reads the root in `folder`, or makes one.
    static func open(_ folder: String) throws(StackError) -> BusKeys {
        try Files.makeDirectory(folder)
        let file = folder + "/root.json"
        guard Files.exists(file) else {
            let authority = BusAuthority()
            try Files.write(authority.seeds, to: file)
            return BusKeys(authority: authority, folder: folder)
        }
        guard let authority = BusAuthority(seeds: Files.read(file) ?? "") else {
            throw StackError(
                .badSettings, "\(file) is damaged or cannot be read.",
                fix: "Restore it from a backup. Without it, remove \(folder): everybody gets new credentials, and pods that run lose the bus.")
        }
        return BusKeys(authority: authority, folder: folder)
    }

    /// Lines for nats-server: whom it trusts, and whom no more.
    /// - Parameter old: the lines that these replace, so that a server that runs takes them.
    func serverConfiguration(replacing old: String? = nil) -> String { authority.serverConfiguration(revoked: revoked, replacing: old) }

    /// What was taken back.
    private var revoked: [BusRevocation] {
        (Files.read("\(folder)/\(Self.revokedFile)") ?? "").split(separator: "\n").compactMap { BusRevocation(line: $0) }
    }

    /// Notes that the credentials in `text` (a `.creds` file's, or a user's public key) count no more.
    func revoke(_ text: String) throws(StackError) -> BusRevocation? {
        guard let revocation = BusRevocation(text) else { return nil }
        try Files.write((revoked + [revocation]).map { $0.line + "\n" }.joined(), to: "\(folder)/\(Self.revokedFile)")
        return revocation
    }

    /// The name of the folder where a server keeps its streams.
    var accountName: String { authority.accountName }

    var signer: String { authority.shimSigner.text }

    func credentials(_ identity: BusIdentity) -> String { authority.credentials(identity) }

    var systemCredentials: String { authority.systemCredentials() }

    /// Writes all credentials anew, so that they say what this version needs; who is connected stays.
    func write(runner: String, in folder: String) throws(StackError) {
        for service in BusIdentity.Service.allCases { try Files.write(credentials(.service(service)), to: "\(folder)/\(service.rawValue).creds") }
        try Files.write(credentials(.runner(runner)), to: folder + "/runner.creds")
        try Files.write(credentials(.tap), to: folder + "/tap.creds")
        try Files.write(credentials(.admin), to: folder + "/admin.creds")
        try Files.write(systemCredentials, to: folder + "/system.creds")
        try Files.write(signer, to: "\(folder)/\(Self.signerFile)")
    }

    /// Gives this authority's account the streams of the account that passwords came in by. The server must not run.
    func takeOver(store: String) throws(StackError) {
        let old = store + "/jetstream/SWITCHBACK", new = store + "/jetstream/" + authority.accountName
        guard Files.exists(old), !Files.exists(new) else { return }
        guard rename(old, new) == 0 else { throw Files.trouble("rename", old) }
    }
}
