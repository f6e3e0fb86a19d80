internal import AsyncHTTPClient
internal import Bus
internal import Contract
internal import Digest
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Redaction

/// Posts what needs a person to whoever wants to hear of it, and tries again for a day. Any number of instances share the posts.
final class Notifier: Sendable {
    /// Between tries; the last is for all that follow.
    private static let pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600), .seconds(3600)]
    private static let mostAttempts = 28
    private static let timeout = TimeAmount.seconds(10)
    /// Posts that failed, and what another instance left, are looked for this often; an item that was opened at once.
    private static let beat = Duration.seconds(5)

    private let task: Task<Void, Never>
    private let opened: BusSubscription

    /// - Parameter redactor: what is hidden from receivers, as from everybody outside.
    /// - Throws: when events cannot be followed.
    init(store: BindingsStore, bus: BusConnection, link: String?, redactor: Redactor, logger: Logger) throws(BusError) {
        let (wishes, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        opened = try bus.subscribe(Subjects.event("attention", "*", "opened")) { _ in wanted.yield() }
        wanted.yield()
        var configuration = HTTPClient.Configuration()
        // An address that leads elsewhere is for a person to mend: a redirect must not carry items to another host.
        configuration.redirectConfiguration = .disallow
        // Addresses hold secrets, which belong in no span; and a trace of ours means nothing to the receiver.
        configuration.tracing.tracer = nil
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        task = Task {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while (try? await Task.sleep(for: Self.beat)) != nil { wanted.yield() }
                    wanted.finish()
                }
                for await _ in wishes {
                    do {
                        if try await Self.work(store, http, link, redactor, logger) { wanted.yield() }
                    } catch {
                        logger.debug("posts wait", metadata: ["reason": "\(error)"])
                    }
                }
            }
            try? await http.shutdown()
        }
    }

    func stop() {
        opened.unsubscribe()
        task.cancel()
    }

    /// Makes the posts that are due.
    /// - Returns: whether there were any.
    private static func work(
        _ store: BindingsStore, _ http: HTTPClient, _ link: String?, _ redactor: Redactor, _ logger: Logger
    ) async throws -> Bool {
        // Twice the longest try: who dies in between leaves it to another.
        let posts = try await store.takePosts(lease: .seconds(20))
        await withTaskGroup { group in
            for post in posts { group.addTask { await make(post, store, http, link, redactor, logger) } }
        }
        return !posts.isEmpty
    }

    private static func make(
        _ post: DuePost, _ store: BindingsStore, _ http: HTTPClient, _ link: String?, _ redactor: Redactor, _ logger: Logger
    ) async {
        var problem: String?
        do {
            let message = try WebhookPost(post, link: link, hiding: redactor, now: .now())
            var request = HTTPClientRequest(url: post.url)
            request.method = .POST
            request.headers = HTTPHeaders(message.headers)
            request.body = .bytes(ByteBuffer(bytes: message.body))
            let response = try await http.execute(request, timeout: timeout)
            if !(200..<300).contains(response.status.code) { problem = "it answered \(response.status.code)" }
        } catch {
            problem = "\(error)"
        }
        let again = problem == nil || post.attempts + 1 >= mostAttempts ? nil : pauses[min(post.attempts, pauses.count - 1)]
        if let problem {
            logger.warning(
                again == nil ? "a webhook was not reached, and no more tries are made" : "a webhook was not reached; trying again",
                metadata: ["webhook": "\(post.webhook)", "item": "\(post.item.id)", "reason": "\(problem)"])
        }
        // What cannot be noted is posted again, with the same `Switchback-Delivery`.
        try? await store.end(post, problem: problem, again: again)
    }
}

/// The bytes of one post.
struct WebhookPost: Equatable {
    var headers: [(String, String)]
    var body: [UInt8]

    private struct Body: Encodable {
        var delivery: String
        var attention: Attention
        var link: String?
    }

    init(_ post: DuePost, link: String?, hiding redactor: Redactor, now: Timestamp) throws {
        let item = post.item
        // The same for every try: a receiver that got it twice can tell.
        let delivery = "\(post.webhook).\(item.id)"
        let page = link.map { $0 + "/#/attention" }
        headers = [("User-Agent", "switchback"), ("Switchback-Delivery", delivery)]
        switch post.format {
        case .json:
            headers.append(("Content-Type", "application/json"))
            body = redactor.redacted(json: try JSON.encode(Body(delivery: delivery, attention: item, link: page)))
        case .text:
            headers.append(("Content-Type", "text/plain; charset=utf-8"))
            headers.append(("Title", Self.plain("Switchback: " + item.kind.rawValue)))
            headers.append(("Priority", [.approval, .binding, .question].contains(item.kind) ? "default" : "high"))
            headers.append(("Tags", item.kind.rawValue))
            if let page { headers.append(("Click", page)) }
            body = Array(redactor.redacted([item.pod.map { "\($0): " } ?? "", item.summary].joined()).utf8.prefix(4000))
        }
        if let secret = post.secret {
            let seconds = now.microseconds / 1_000_000
            headers.append(("Switchback-Signature", "t=\(seconds),v1=" + HMAC.sha256(key: Array(secret.utf8), Array("\(seconds).".utf8) + body)))
        }
    }

    static func == (left: WebhookPost, right: WebhookPost) -> Bool {
        left.body == right.body && left.headers.map { $0.0 + ":" + $0.1 } == right.headers.map { $0.0 + ":" + $0.1 }
    }

    /// What a header may hold.
    private static func plain(_ text: String) -> String { String(text.unicodeScalars.filter { $0.isASCII && $0.value >= 0x20 && $0.value < 0x7f }.map(Character.init)) }
}
