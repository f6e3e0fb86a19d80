internal import Contract
internal import CoreMetrics
internal import FoundationEssentials
internal import Logging
internal import NIOSSL
internal import Synchronization

/// The certificate that the API shows, from two PEM files that are looked at again and again: new connections get what stands in them now.
///
/// What cannot be used changes nothing for whoever connects, and is told by ``problem(now:)`` until it is mended. Without any certificate yet,
/// connections are closed.
final class ServedCertificate: Sendable {
    private struct State {
        var context: NIOSSLContext?
        var expires: Timestamp?
        /// What was in the files when they were last taken in, whether of use or not.
        var seen: [Data?] = []
        /// Why what stands in the files is not used.
        var refusal: String?
        var told: String?
    }

    private let chainFile: String
    private let keyFile: String
    private let logger: Logger
    private let state = Mutex(State())

    /// Reads the files.
    /// - Parameters:
    ///   - chain: a PEM file with the server's certificate, and behind it those that lead to its authority.
    ///   - key: a PEM file with the certificate's key, without a password.
    init(chain: String, key: String, logger: Logger) {
        (chainFile, keyFile, self.logger) = (chain, key, logger)
        look()
    }

    /// For a new connection; nil as long as there is none of use.
    var context: NIOSSLContext? { state.withLock { $0.context } }

    /// What is wrong with the certificate, for a person.
    func problem(now: Timestamp = .now()) -> String? {
        state.withLock { Self.problem($0, chainFile, now) }
    }

    private static func problem(_ state: State, _ file: String, _ now: Timestamp) -> String? {
        if let refusal = state.refusal { return state.context == nil ? refusal : refusal + "; the one before it is still shown" }
        guard let expires = state.expires, expires <= now else { return nil }
        return "the certificate in \(file) has expired at \(expires); put a new one there"
    }

    /// Looks at the files once a second, until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: .seconds(1))) != nil { look() }
    }

    /// Takes the files in if they changed, and logs what became of it: once.
    func look(now: Timestamp = .now()) {
        let files = [chainFile, keyFile].map { FileManager.default.contents(atPath: $0) }
        let (problem, isNews, expires) = state.withLock { state in
            var hasNew = false
            if state.seen != files {
                state.seen = files
                do throws(Refusal) {
                    (state.context, state.expires) = try read(files)
                    state.refusal = nil
                    hasNew = true
                } catch {
                    state.refusal = error.reason
                }
            }
            let problem = Self.problem(state, chainFile, now)
            let isNews = problem != state.told || hasNew
            state.told = problem
            return (problem, isNews, state.expires)
        }
        guard isNews else { return }
        if let expires { Gauge(label: "api.certificate_expiry_timestamp_seconds").record(Double(expires.microseconds) / 1e6) }
        if let problem {
            logger.error("HTTPS", metadata: ["reason": "\(problem)"])
        } else {
            logger.info("HTTPS: new connections get the certificate", metadata: ["file": "\(chainFile)", "expires": "\(expires?.description ?? "")"])
        }
    }

    private struct Refusal: Error { var reason: String }

    private func read(_ files: [Data?]) throws(Refusal) -> (NIOSSLContext, Timestamp) {
        func bytes(_ data: Data?, _ file: String) throws(Refusal) -> [UInt8] {
            guard let data else { throw Refusal(reason: "\(file) is not there, or may not be read") }
            return [UInt8](data)
        }
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(bytes(files[0], chainFile))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(reason: "\(chainFile) is no certificate in PEM form")
        }
        guard let own = chain.first else { throw Refusal(reason: "\(chainFile) holds no certificate") }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: bytes(files[1], keyFile), format: .pem)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(reason: "\(keyFile) is no key in PEM form without a password")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // Terminal sockets are HTTP/1.1 upgrades; a browser that is offered nothing else asks for nothing else.
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return (try NIOSSLContext(configuration: configuration), Timestamp(microseconds: Int64(own.notValidAfter) * 1_000_000))
        } catch {
            throw Refusal(reason: "\(keyFile) is not the key of the certificate in \(chainFile)")
        }
    }
}
