internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct Bind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what one pod may do to another's terminal.",
        discussion: """
            A binding is directed: what FROM may do to TO. Scopes are terminal:read (screens, history, search), terminal:write (input) and \
            terminal:approve (answering its approval dialogs); read, write, approve for short.
            """,
        subcommands: [Request.self, Accept.self, Reject.self, Revoke.self, List.self, Policy.self])

    struct Request: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask for scopes on a pod. Prints the binding's id.")

        @OptionGroup var output: JSONOption

        @Option(help: ArgumentHelp("The pod that asks; inside a pod that pod where missing.", valueName: "pod"))
        var from: String?

        @Option(help: ArgumentHelp("The pod whose terminal it is about.", valueName: "pod"))
        var to: String

        @Option(help: ArgumentHelp("Scopes, with commas.", valueName: "scopes"))
        var scope: [String] = []

        @Option(help: "Words for the other side.")
        var note: String?

        func run() async throws {
            let scopes = try Scope.list(scope.joined(separator: ","))
            guard !scopes.isEmpty else { throw Failure(.usage, "usage", "Name what is asked for: --scope terminal:read,terminal:write") }
            let backend = try Backend.locate()
            let binding = try await backend.api.requestBinding(
                from: from ?? Inside.pod, to: to, scopes: scopes, note: note, idempotencyKey: UUID().uuidString)
            if output.json { return Out.printJSON(binding) }
            Out.print(binding.id)
            if binding.state == .pending { Out.complain("\(to) has to answer: switchback bind accept \(binding.id)") }
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Grant what is asked for, or part of it.")

        @OptionGroup var output: JSONOption
        @OptionGroup var target: BindingArgument

        @Option(help: ArgumentHelp("Only these; the rest stays pending.", valueName: "scopes"))
        var scope: [String] = []

        func run() async throws { try await Bind.answer(target.id, .accept, scope, nil, output) }
    }

    struct Reject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse what is asked for, or part of it.")

        @OptionGroup var output: JSONOption
        @OptionGroup var target: BindingArgument

        @Option(help: ArgumentHelp("Only these.", valueName: "scopes"))
        var scope: [String] = []

        @Option(help: "Why.")
        var reason: String?

        func run() async throws { try await Bind.answer(target.id, .reject, scope, reason, output) }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a binding, from either side.")

        @OptionGroup var output: JSONOption
        @OptionGroup var target: BindingArgument

        @Option(help: "Why.")
        var reason: String?

        func run() async throws { try await Bind.answer(target.id, .revoke, [], reason, output) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List pending and active bindings.", aliases: ["list"])

        @OptionGroup var output: JSONOption

        @Option(help: ArgumentHelp("Only those from or to this pod.", valueName: "pod"))
        var pod: String?

        @Flag(name: .shortAndLong, help: "Inactive ones too.")
        var all = false

        @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
        var at: String?

        func run() async throws {
            let at = try moment(at)?.resolve(start: nil, now: .now())
            let backend = try Backend.locate()
            let bindings = try await backend.api.bindings(pod: pod, at: at?.description, all: all ? true : nil)
            if output.json { return Out.printJSON(BindingPage(bindings: bindings)) }
            guard !bindings.isEmpty else { return Out.print("There is no binding.") }
            let names = await Names(backend, at: at)
            var table = Table(["ID", "FROM", "TO", "STATE", "GRANTED", "PENDING", "SINCE", "NOTE"], whole: ["ID"], spare: ["NOTE", "SINCE"])
            for binding in bindings {
                table.add([
                    binding.id, names[binding.from.text], names[binding.to.text],
                    binding.state.rawValue + (binding.reason.map { " (\($0.rawValue))" } ?? ""), Names.short(binding.granted),
                    Names.short(binding.pending), Say.age(since: binding.since, now: at ?? .now()), binding.note ?? "",
                ])
            }
            table.print()
        }
    }

    struct Policy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show or set how requests are answered: explicit, same_owner_auto or ask_person.")

        @OptionGroup var output: JSONOption

        @Argument(help: "The new policy.")
        var policy: String?

        @Option(help: ArgumentHelp("Of this pod; of all that have none of their own where missing.", valueName: "pod"))
        var pod: String?

        func run() async throws {
            let backend = try Backend.locate()
            let answer: PolicyRequest
            if let text = policy {
                guard let policy = BindingPolicy(rawValue: text) else {
                    throw Failure(
                        .usage, "usage", "\"\(text)\" is not a policy; use \(BindingPolicy.allCases.map(\.rawValue).joined(separator: ", ")).")
                }
                answer = try await backend.api.setBindingPolicy(policy, pod: pod)
            } else {
                answer = try await backend.api.bindingPolicy(pod: pod)
            }
            if output.json { return Out.printJSON(answer) }
            Out.print(answer.policy?.rawValue ?? "")
        }
    }

    static func answer(
        _ id: String, _ answer: APIClient.BindingAnswer, _ scope: [String], _ reason: String?, _ output: JSONOption
    ) async throws {
        let scopes = try Scope.list(scope.joined(separator: ","))
        let backend = try Backend.locate()
        let binding = try await backend.api.answerBinding(id, answer, scopes: scopes.isEmpty ? nil : scopes, reason: reason)
        if output.json { return Out.printJSON(binding) }
        let pending = binding.pending.isEmpty ? "" : ", pending: \(Names.short(binding.pending))"
        Out.print(
            binding.state == .inactive
                ? "\(binding.id) \(binding.reason?.rawValue ?? "inactive")"
                : "\(binding.id) \(binding.state.rawValue): \(Names.short(binding.granted))\(pending)")
    }
}

struct BindingArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The binding's id.", valueName: "binding"))
    var id: String
}

/// What the environment of a pod says to a command inside it.
enum Inside {
    static var pod: String? {
        let pod = ProcessInfo.processInfo.environment["SWITCHBACK_POD"]
        return pod?.isEmpty == false ? pod : nil
    }
}

/// Names of pods by their ids, for people.
struct Names {
    private var names: [String: String] = [:]

    init(_ backend: Backend, at: Timestamp? = nil) async {
        // Without the names the ids are shown.
        guard let pods = try? await backend.api.pods(at: at?.description, limit: 1000).pods else { return }
        for pod in pods { names[pod.pod.text] = pod.name }
    }

    init(_ topology: Topology) {
        for node in topology.nodes { names[node.pod.text] = node.name }
    }

    subscript(_ id: String) -> String { names[id] ?? id.split(separator: ":").last.map(String.init) ?? id }

    /// A text of the server's with names in place of ids.
    func said(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false).map { names[String($0)] ?? String($0) }.joined(separator: " ")
            .replacing("terminal:", with: "")
    }

    /// Scopes without what they all begin with.
    static func short(_ scopes: [Scope]) -> String {
        scopes.isEmpty ? "-" : scopes.map { $0.rawValue.split(separator: ":").last.map(String.init) ?? $0.rawValue }.joined(separator: ",")
    }
}
