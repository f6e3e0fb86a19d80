internal import ArgumentParser
internal import Contract

struct PodArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The pod's name, its id, or the unique beginning of its id.", valueName: "pod"))
    var pod: String
}

/// What the parser does not take as people write it: `--at -5m` (looks like two options) becomes `--at=-5m`, and `--json` before
/// the subcommand goes behind it.
enum CommandWords {
    static let options: Set<String> = ["--at", "--from", "--to", "--after", "--since", "--until"]

    static func arranged(_ arguments: [String]) -> [String] {
        var arguments = arguments
        if arguments.count > 1, arguments[0] == "--json", !arguments[1].hasPrefix("-") { arguments.swapAt(0, 1) }
        var result: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if argument == "--" { return result + arguments[index...] }
            if options.contains(argument), index + 1 < arguments.count, isTime(arguments[index + 1]) {
                result.append(argument + "=" + arguments[index + 1])
                index += 2
            } else {
                result.append(argument)
                index += 1
            }
        }
        return result
    }

    private static func isTime(_ text: String) -> Bool {
        text.hasPrefix("-") && text.dropFirst().first?.isNumber == true
    }
}

/// A time option's text as a moment; a text that is no time is a usage error that shows the forms.
func moment(_ text: String?) throws(MomentError) -> Moment? {
    guard let text else { return nil }
    return try Moment(text)
}
