internal import BusRights
internal import Glibc

/// The keys of a stack's bus, as files: the root, which signs, and what it has signed.
///
/// | file | who reads it |
/// |---|---|
/// | `root.json` | `switchback keys` and `up` only: whoever has it may do anything |
/// | `<service>.creds`, `runner.creds` | that service |
/// | `shim-signer` | the registry, which signs for pods |
/// | `tap.creds`, `admin.creds`, `system.creds` | people |
struct BusKeys {
    static let signerFile = "shim-signer"

    private let authority: BusAuthority

    /// Reads the root in `folder`, or makes one.
    static func open(_ folder: String) throws(StackError) -> BusKeys {
        try Files.makeDirectory(folder)
        let file = folder + "/root.json"
        guard Files.exists(file) else {
            let authority = BusAuthority()
            try Files.write(authority.seeds, to: file)
            return BusKeys(authority: authority)
        }
        guard let authority = BusAuthority(seeds: Files.read(file) ?? "") else {
            throw StackError(
                .badSettings, "\(file) is damaged or cannot be read.",
                fix: "Restore it from a backup. Without it, remove \(folder): everybody gets new credentials, and pods that run lose the bus.")
        }
        return BusKeys(authority: authority)
    }

    /// Lines for nats-server: whom it trusts.
    var serverConfiguration: String { authority.serverConfiguration() }

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
