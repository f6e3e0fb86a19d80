internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who did what, and what was refused.", discussion: "Needs the role admin.",
        subcommands: [List.self, Verify.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the log, the oldest first.", aliases: ["ls"])

        @OptionGroup var output: JSONOption

        @Option(help: ArgumentHelp("After this.", valueName: "time"))
        var since: String?

        @Option(help: ArgumentHelp("Before this.", valueName: "time"))
        var until: String?

        @Option(help: ArgumentHelp("Only what they did.", valueName: "person:NAME|pod:ID|nobody"))
        var actor: String?

        @Option(help: ArgumentHelp("Only this action, as the log calls it.", valueName: "name"))
        var action: String?

        @Option(help: "Only what was done, denied or failed.")
        var outcome: String?

        @Option(help: "At most this many, the newest.")
        var limit = 100

        func run() async throws {
            let (first, last) = (try moment(since), try moment(until))
            let api = try Backend.locate().api
            var records: [AuditRecord] = []
            var before: UInt64?
            repeat {
                let page = try await api.audit(
                    since: try first?.resolve(start: nil, now: .now()).description, until: try last?.resolve(start: nil, now: .now()).description,
                    actor: actor, action: action, outcome: outcome, before: before, limit: min(1000, max(1, limit - records.count)))
                records += page.records
                before = page.next
            } while before != nil && records.count < limit
            if output.json { return Out.printJSON(AuditPage(records: records.reversed(), next: before)) }
            guard !records.isEmpty else { return Out.print("Nothing like that is in the log.") }
            let style = Style.forOutput
            var table = Table(["SEQ", "TIME", "WHO", "FROM", "WHAT", "TO", "OUTCOME"], whole: ["SEQ", "TIME"], spare: ["FROM"])
            for record in records.reversed() {
                let entry = record.entry
                var outcome = entry.outcome.rawValue + (entry.code.map { ": \($0)" } ?? "") + (entry.detail.map { " (\($0))" } ?? "")
                if let repeats = entry.repeats { outcome += " (and \(repeats) more)" }
                table.add([
                    "\(record.seq)", Say.local(entry.time), style.bold(entry.actor), entry.address, entry.action, entry.target ?? "",
                    entry.outcome == .done ? outcome : style.red(outcome),
                ])
            }
            table.print()
            if before != nil { Out.complain("There are more; --limit \(limit * 10) shows them.") }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that nothing in the log was changed, removed, inserted or moved.",
            discussion: "Exits with 1 when something was. Note the head that it prints somewhere else; --head checks it later.")

        @OptionGroup var output: JSONOption

        @Option(help: ArgumentHelp("A head that was printed before.", valueName: "seq:digest"))
        var head: String?

        func run() async throws {
            var seq: UInt64?
            var digest: String?
            if let head {
                let parts = head.split(separator: ":")
                guard parts.count == 2, let number = UInt64(parts[0]), parts[1].utf8.count == 64 else {
                    throw Failure(.usage, "bad_head", "\"\(head)\" is no head; it reads like 17:0123abcd…, with 64 hexadecimal digits.")
                }
                (seq, digest) = (number, String(parts[1]))
            }
            let verified = try await Backend.locate().api.verifyAudit(seq: seq, digest: digest)
            if output.json {
                Out.printJSON(verified)
            } else if verified.intact {
                Out.print("\(verified.entries) entries, all as they were written. Head: \(verified.entries):\(verified.head)")
            } else {
                Out.complain("The audit log is broken at entry \(verified.seq ?? 0): \(verified.problem ?? "")")
            }
            if !verified.intact { throw ExitCode(Failure.Exit.error.rawValue) }
        }
    }
}
