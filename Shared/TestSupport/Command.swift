internal import Foundation

/// Runs a command to its end, on a thread of its own.
/// - Parameter environment: added to this process's own.
/// - Returns: its status and all that it printed.
public func output(of words: [String], in folder: String? = nil, environment: [String: String] = [:]) async throws -> (status: Int32, output: String) {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            do {
                let process = Process()
                process.executableURL = URL(filePath: words[0])
                process.arguments = Array(words.dropFirst())
                if let folder { process.currentDirectoryURL = URL(filePath: folder) }
                process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
                let output = Pipe()
                process.standardOutput = output
                process.standardError = output
                try process.run()
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                // Foundation's own waiting spins a run loop, which never ends on a thread that is not the main one.
                while process.isRunning { usleep(2000) }
                continuation.resume(returning: (process.terminationStatus, text))
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
