public import Bus
internal import BindingsClient
internal import Contract
internal import CoreMetrics
internal import Digest
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
public import Logging
public import Redaction
internal import NIOCore
internal import NIOHTTP1
internal import RegistryClient
public import ServiceKit
public import ServiceLifecycle
internal import Traces

/// What the API server is told.
public struct APIConfiguration: Sendable {
    public var listen: ListenAddress
    /// Lines `token role name`.
    public var tokenFile: String
    /// Where the page's files are; none: no page.
    public var webDirectory: String?
    /// Origins besides the server's own whose pages may use its cookie.
    public var origins: Set<String>
    /// Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    public var proxies: Set<String>
    /// PEM files: the certificate with its chain, and its key. With them the API speaks HTTPS.
    public var certificate: (chain: String, key: String)?
    /// How long a request's head may take, and how long its body may stand still.
    public var patience = Duration.seconds(30)
    /// What is hidden from whoever does not ask to see it.
    public var redactor = Redactor.standard
    public var instance: String
    public var version: String

    public init(
        listen: ListenAddress, tokenFile: String, webDirectory: String? = nil, origins: Set<String> = [], proxies: Set<String> = [], instance: String,
        version: String
    ) {
        self.listen = listen
        self.tokenFile = tokenFile
        self.webDirectory = webDirectory
        self.origins = origins
        self.proxies = proxies
        self.instance = instance
        self.version = version
    }
}

/// The HTTP edge: routes, terminal sockets, the page.
public struct APIServer: Service {
    private let configuration: APIConfiguration
    private let access: Access
    private let tokens: TokenDirectory
    private let auditor: Auditor
    private let service: TerminalService
    private let fleet: LiveFleet
    private let routes: [Route]
    private let certificate: ServedCertificate?
    private let memory = IdempotencyMemory()
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - bus: for what is interactive; sends at once.
    ///   - bulk: for imports; packs.
    ///   - metrics: what `/metrics` says.
    ///   - onListening: called with the port.
    /// - Throws: what is wrong with the token file.
    public init(
        _ configuration: APIConfiguration, bus: BusConnection, bulk: BusConnection, health: Health, metrics: PrometheusRegistry,
        logger: Logger, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
        certificate = configuration.certificate.map { ServedCertificate(chain: $0.chain, key: $0.key, logger: logger) }
        if let certificate { health.register("https") { certificate.problem() } }
        let file = try AccessTokens(file: configuration.tokenFile)
        tokens = TokenDirectory(bus: bus, logger: logger)
        auditor = Auditor(bus: bus, logger: logger)
        access = Access(verifiers: [file, tokens], origins: configuration.origins)
        service = TerminalService(bus: bus, grants: try BindingGrants(bus: bus, logger: logger), instance: configuration.instance, logger: logger, redactor: configuration.redactor)
        var routes = PodRoutes(service: service).all + ScreenRoutes(service: service).all + StatusRoutes(service: service).all + TerminalRoutes(access: access).all
        routes +=
            RecordingRoutes(
                service: service, importer: Importer(bus: bulk, registry: service.registry, logger: logger), access: access
            ).all + EventRoutes(bus: bus, access: access, tokens: tokens, redactor: configuration.redactor).all
        routes += SessionRoutes(access: access).all + CredentialRoutes(service: service, directory: tokens, file: file).all
        routes += AuditRoutes(service: service).all
        fleet = LiveFleet(bus: bus, logger: logger)
        routes += BindingRoutes(service: service).all + WaitRoutes(service: service).all + WebhookRoutes(service: service).all
        routes += TopologyRoutes(service: service, fleet: fleet).all
        routes += ChannelRoutes(service: service).all
        routes += HealthRoutes(health: health, metrics: metrics).all
        routes.append(HealthRoutes.description { [routes] in OpenAPI.document(routes + [HealthRoutes.description { [:] }], version: configuration.version) })
        self.routes = routes
    }

    public func run() async throws {
        let address = configuration.listen
        let (access, auditor, service, onListening) = (self.access, self.auditor, self.service, self.onListening)
        let (proxies, patience, certificate) = (configuration.proxies, configuration.patience, self.certificate)
        let application = Application(
            router: router(),
            server: HTTPServerBuilder { responder in
                TerminalUpgradeChannel(
                    responder: responder, admit: { head, peer in TerminalRoutes.admit(head, access, peer: peer, proxies: proxies) },
                    serve: { request in
                        let audit = SocketAudit(auditor, person: request.person, address: request.address)
                        let caller = SocketCaller(request: request, service: service.asking(for: request.person), access: access, audit: audit)
                        return switch request.mode {
                        case .raw: RawSession(caller)
                        case .view: ViewSession(caller)
                        }
                    }, limits: .init(), patience: .nanoseconds(patience.microseconds * 1000), certificate: certificate)
            },
            configuration: .init(address: .hostname(address.host, port: address.port)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) }, logger: quiet)
        let following = Task { [fleet] in await fleet.run() }
        let checking = Task { [tokens] in await tokens.run() }
        let watching = Task { await certificate?.run() }
        defer {
            watching.cancel()
            following.cancel()
            checking.cancel()
        }
        do {
            try await application.run()
        } catch {
            await auditor.flush(within: .seconds(1))
            throw error
        }
        await auditor.flush(within: .seconds(1))
    }

    private var quiet: Logger {
        var quiet = logger
        quiet.logLevel = max(.warning, logger.logLevel)
        return quiet
    }

    // MARK: - Router

    func router() -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        if certificate != nil { router.add(middleware: SecureOnly()) }
        router.add(middleware: Traced())
        let page = configuration.webDirectory.map {
            Page(directory: $0, access: access, proxies: configuration.proxies, isTLS: certificate != nil)
        }
        router.add(middleware: ErrorAnswers(routes: routes, page: page, logger: logger))
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try await HTTPSpans.answering(route, request) { try await measured(route) { try await answer(route, request, context) } }
            }
        }
        if let page {
            for address in Page.addresses { router.get(address) { request, context in try page.index(request, context) } }
            router.get("/web/**") { request, _ in try page.file(request) }
        }
        return router
    }

    /// Counts the request, and logs it for who wants to follow it.
    private func measured(_ route: Route, _ work: () async throws -> Response) async throws -> Response {
        let began = ContinuousClock.now
        func ended(_ status: HTTPResponse.Status) {
            let took = ContinuousClock.now - began
            Counter(label: "api.requests", dimensions: [("route", route.name), ("status", "\(status.code)")]).increment()
            CoreMetrics.Timer(label: "api.request", dimensions: [("route", route.name)]).recordNanoseconds(took.microseconds * 1000)
            // By its name: an address may hold what belongs in no log.
            logger.log(
                level: TraceContext.current?.isSampled == true ? .info : .debug, "answered",
                metadata: ["route": "\(route.name)", "status": "\(status.code)", "ms": "\(Double(took.microseconds) / 1000)"].merging(
                    TraceContext.current.map { ["trace": "\($0.id)"] } ?? [:]
                ) { $1 })
        }
        do {
            let response = try await work()
            ended(response.status)
            return response
        } catch {
            ended((error as? ErrorBody)?.status ?? (error as? any HTTPResponseError)?.status ?? .internalServerError)
            throw error
        }
    }

    /// Answers, and has it in the audit log before the asker hears of it: every change, and every refusal.
    private func answer(_ route: Route, _ request: Request, _ context: APIContext) async throws -> Response {
        let address = ClientAddress.of(request, context, proxies: configuration.proxies)
        let note = AuditNote()
        let target = route.pathNames.first.flatMap { context.parameters.get($0) }
        func entry(_ outcome: AuditEntry.Outcome, _ code: String?) -> AuditEntry {
            let now = note.now
            return AuditEntry(
                person: now.person, address: address, action: route.name, target: now.target ?? target, outcome: outcome, code: code,
                detail: now.detail)
        }
        let changes = request.method != .get && request.method != .head
        do {
            let response = try await perform(route, request, context, from: address, note)
            if changes || note.now.isWorthy {
                let code = response.status.code
                await auditor.record(entry(code < 400 ? .done : .failed, code < 400 ? nil : "\(code)"))
            }
            return response
        } catch {
            let body = error as? ErrorBody
            if body?.isDenial == true || changes {
                await auditor.record(entry(body?.isDenial == true ? .denied : .failed, body?.code.rawValue ?? "internal"))
            }
            throw error
        }
    }

    private func perform(
        _ route: Route, _ request: Request, _ context: APIContext, from address: String, _ note: AuditNote
    ) async throws -> Response {
        var person = Person(name: "anybody", role: .viewer)
        if let role = route.role {
            let credentials = Access.Credentials(request, address: address)
            if let credential = credentials.podCredential {
                person = try await agent(credential, from: address)
            } else {
                person = try access.person(credentials)
            }
            note.person(person)
            guard person.role >= role else {
                throw ErrorBody(
                    .denied, "\(person.name) has the role \(person.role.rawValue); \(route.name) needs \(role.rawValue)")
            }
        }
        var values: [String: String] = [:]
        for name in route.pathNames { values[name] = context.parameters.get(name) }
        // No name, time or text of ours has one, and databases refuse it.
        guard !values.values.contains(where: { $0.utf8.contains(0) }),
            !request.uri.queryParameters.contains(where: { $0.key.utf8.contains(0) || $0.value.utf8.contains(0) })
        else { throw ErrorBody(.badRequest, "a NUL character cannot be part of an address") }
        if let agent = person.pod { try await service.admit(agent, to: route.name, pod: values["pod"] ?? "") }
        try await service.admit(scoped: person, to: route.name, pod: values["pod"] ?? "")
        var asked = APIRequest(
            request: request, person: person, pathValues: values, note: note, address: address,
            isSecure: certificate != nil || ClientAddress.isSecure(request, context, proxies: configuration.proxies))
        guard route.headers.contains(where: { $0.name == Route.idempotencyKey.name }), let key = try asked.idempotencyKey else {
            return try await route.handler(asked)
        }
        var said = Array((request.uri.query ?? "").utf8)
        // What an import brings is read as it comes.
        if route.body?.type == "application/json" { said += [0] + (try await asked.keepBody()) }
        return try await memory.answer("\(person.author) \(route.method) \(request.uri.path) \(key)", to: SHA256.digest(said)) {
            [asked] in try await route.handler(asked)
        }
    }

    /// An agent by its pod's credential; wrong ones count as wrong tokens of people do.
    private func agent(_ credential: String, from address: String) async throws(ErrorBody) -> Person {
        let shown = Access.shown(credential)
        if access.failures.pause(address: address, token: shown) != nil { throw Access.tooMany }
        do throws(ErrorBody) {
            let person = try await service.agent(credential)
            return person
        } catch {
            if error.code == .unauthenticated { access.failures.failed(address: address, token: shown) }
            throw error
        }
    }
}

extension ClientAddress {
    static func of(_ request: Request, _ context: APIContext, proxies: Set<String>) -> String {
        guard !proxies.isEmpty, let name = HTTPField.Name("X-Forwarded-For") else { return context.address }
        return of(peer: context.address, forwarded: request.headers[values: name], proxies: proxies)
    }

    static func isSecure(_ request: Request, _ context: APIContext, proxies: Set<String>) -> Bool {
        guard !proxies.isEmpty, let name = HTTPField.Name("X-Forwarded-Proto") else { return false }
        return isSecure(peer: context.address, forwardedProtocol: request.headers[name], proxies: proxies)
    }
}

extension Access.Credentials {
    /// The bearer token, when it has the form of a pod's credential.
    var podCredential: String? {
        guard let words = authorization?.split(separator: " ", maxSplits: 1), words.count == 2, words[0].lowercased() == "bearer",
            PodCredential.pod(of: words[1]) != nil
        else { return nil }
        return String(words[1])
    }

    init(_ request: Request, address: String) {
        self.init(
            authorization: request.headers[.authorization], cookies: request.headers[values: .cookie], origin: request.headers[.origin],
            host: request.head.authority, mutates: request.method != .get && request.method != .head, address: address)
    }
}

/// Has browsers come by HTTPS from then on, whatever they are told (RFC 6797).
struct SecureOnly: RouterMiddleware {
    typealias Context = APIContext

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.strictTransportSecurity] = "max-age=31536000"
        return response
    }
}

/// Every error in the API's one shape; unknown paths and methods too.
struct ErrorAnswers: RouterMiddleware {
    typealias Context = APIContext

    let routes: [Route]
    let page: Page?
    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as ErrorBody {
            if error.code == .internal { logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"]) }
            return Answer.error(error)
        } catch let error as HTTPError where error.status == .notFound {
            return unknown(request)
        } catch let error as any HTTPResponseError {
            return Answer.error(ErrorBody(.badRequest, "\(error)"))
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return Answer.error(ErrorBody(.internal, "the request failed here; the server's log says why"))
        }
    }

    private func unknown(_ request: Request) -> Response {
        let parts = request.uri.path.split(separator: "/")
        let methods = routes.filter { route in
            let names = route.path.split(separator: "/")
            return names.count == parts.count && zip(names, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }.map(\.method.rawValue)
        guard !methods.isEmpty else {
            if let answer = page?.nowhere(request) { return answer }
            return Answer.error(ErrorBody(.notFound, "there is nothing at \(request.uri.path); /openapi.json lists what there is"))
        }
        var response = Answer.error(
            ErrorBody(.init(rawValue: "method_not_allowed"), "\(request.uri.path) takes \(methods.joined(separator: ", ")), not \(request.method)"))
        response.headers[.allow] = methods.joined(separator: ", ")
        return response
    }
}
