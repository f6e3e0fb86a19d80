internal import ArgumentParser
internal import Console
internal import Contract
internal import Glibc
internal import LocalStack

/// Why a command could not do its work, with the exit code of the contract.
struct Failure: Error {
    /// The exit codes other programs may rely on (contract, section 8).
    enum Exit: Int32 {
        case done = 0
        case error = 1
        case usage = 2
        case gone = 3
        case denied = 4
        case blocked = 5
        case wouldDeadlock = 6
        case interrupted = 75
        case timedOut = 124
    }

    var exit: Exit
    /// A word in snake case that scripts may match on.
    var code: String
    var message: String
    var fix: String?

    init(_ exit: Exit, _ code: String, _ message: String, fix: String? = nil) {
        self.exit = exit
        self.code = code
        self.message = message
        self.fix = fix
    }

    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as StackError:
            self.init(error.code == .timedOut ? .timedOut : .error, error.code.rawValue, error.message, fix: error.fix)
        case let error as ErrorBody:
            let fix = error.code == .unavailable ? "`switchback status` shows what runs, `switchback up` starts it." : nil
            self.init(Self.exit(for: error.code), error.code.rawValue, error.message, fix: fix)
        case let error as MomentError:
            self.init(.usage, "bad_time", error.message)
        default:
            self.init(.error, "error", String(describing: error))
        }
    }

    static func exit(for code: ErrorBody.Code) -> Exit {
        switch code {
        case .badRequest: .usage
        case .unauthenticated, .denied: .denied
        case .gone: .gone
        case .timedOut: .timedOut
        case .wouldDeadlock: .wouldDeadlock
        case ErrorBody.Code(rawValue: "ambiguous"): .usage
        case ErrorBody.Code(rawValue: "approval_open"), ErrorBody.Code(rawValue: "busy"), ErrorBody.Code(rawValue: "draft_present"): .blocked
        case ErrorBody.Code(rawValue: "screen_changed"): .gone
        default: .error
        }
    }

    private struct Body: Encodable {
        struct Inner: Encodable {
            var code: String
            var message: String
            var fix: String?
        }
        var error: Inner
    }

    /// Says what went wrong and ends the program.
    static func exit(_ error: any Error, json: Bool) -> Never {
        if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
        if !(error is Failure || error is StackError || error is ErrorBody || error is MomentError) {
            let parserCode = Switchback.exitCode(for: error)
            if parserCode == .success {
                Out.print(Switchback.fullMessage(for: error))
                Glibc.exit(0)
            }
            if parserCode == .validationFailure {
                if json {
                    Failure(.usage, "usage", Switchback.message(for: error)).print(json: true)
                } else {
                    Out.complain(Switchback.fullMessage(for: error))
                }
                Glibc.exit(Exit.usage.rawValue)
            }
        }
        let failure = Failure(error)
        failure.print(json: json)
        Glibc.exit(failure.exit.rawValue)
    }

    private func print(json: Bool) {
        if json {
            Out.complain(Out.jsonText(Body(error: .init(code: code, message: message, fix: fix))))
            return
        }
        Out.complain(Style.forErrors.red("switchback: ") + message)
        if let fix { Out.complain(fix) }
    }
}

/// The same, for places where `Failure` means a sequence's own error type.
typealias CommandFailure = Failure
