internal import Contract
internal import NIOCore
internal import RegistryClient

/// Tells one viewer what the pod's agent was doing at the moments of the past at which it stands, by the registry.
///
/// Event loop only, as its session.
final class PastStatus {
    private unowned let session: ViewSession
    private var history: StatusHistory?
    private var isAsking = false
    private var nextQuestion = NIODeadline.uptimeNanoseconds(0)
    /// Where the viewer stands, and what it was told last; nil while that is the present.
    private var place: Timestamp?
    private var told: PodStatus?

    init(session: ViewSession) { self.session = session }

    /// The viewer stands at a moment: it is told what was then, whenever that is something else than before.
    func stands(at time: Timestamp) {
        place = time
        if history?.covers(time) != true { ask() }
        guard let status = history?.status(at: time), status != told else { return }
        told = status
        session.send(Typed(type: "status", value: status))
    }

    /// The viewer is back in the present. True: it has to be told what is now.
    func leave() -> Bool {
        defer { (place, told) = (nil, nil) }
        return told != nil
    }

    private func ask() {
        guard let pod = session.pod, !isAsking, NIODeadline.now() >= nextQuestion else { return }
        isAsking = true
        let (registry, request, asked) = (session.service.registry, PodRequest(pod: pod.pod, author: session.request.person.author), Timestamp.now())
        session.onLoop(after: { () async throws(ErrorBody) in try await registry.history(request) }) { session, result in
            session.pastStatus.answered(result, asked: asked)
        }
    }

    private func answered(_ result: Result<PodHistory, ErrorBody>, asked: Timestamp) {
        isAsking = false
        // Near the present no answer covers the moment: while that plays, one a second is enough.
        nextQuestion = .now() + .seconds(1)
        guard case .success(let answer) = result else { return }
        history = StatusHistory(answer, asked: asked)
        if let place { stands(at: place) }
    }
}

/// The statuses of a pod as far as they were known at some time.
struct StatusHistory {
    private let statuses: [PodStatus]
    private let asked: Timestamp

    /// - Parameter asked: the server's time when the history was asked for.
    init(_ history: PodHistory, asked: Timestamp) {
        statuses = history.entries.filter { $0.what == "status" }.map { entry in
            PodStatus(status: entry.value, reason: entry.reason, since: entry.from, seq: entry.seq ?? 0, evidence: entry.evidence)
        }
        self.asked = asked
    }

    /// Whether nothing that concerns this moment can have come since; changes take a while to the registry, and hosts' clocks differ.
    func covers(_ time: Timestamp) -> Bool { time + .seconds(2) < asked }

    /// The status at a moment; before the first one `unknown`. Nil where nobody ever said anything.
    func status(at time: Timestamp) -> PodStatus? {
        guard let first = statuses.first else { return nil }
        return statuses.last { $0.since <= time } ?? PodStatus(status: "unknown", since: min(time, first.since), seq: 0)
    }
}
