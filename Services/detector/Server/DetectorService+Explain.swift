internal import Agents
internal import BindingsClient
internal import Bus
internal import Compression
internal import Contract
internal import Detection
internal import RecorderClient
internal import RegistryClient
internal import Terminal

/// Why a status is what it is: from the live detector, or computed again from the record.
extension DetectorService {
    /// How much before a moment is looked at, so that what was held then is held again.
    private static let before = Duration.seconds(90)
    private static let mostSegments = 24

    func explain(_ request: ExplainStatus) async throws(ErrorBody) -> StatusExplanation {
        if request.at == nil {
            if let explanation = held(request.pod)?.explanation(now: .now) { return explanation }
        }
        let pod = try await registry.get(request.pod.text)
        if request.at == nil, pod.lifecycle.isLive {
            // A pod that nobody has come to yet.
            let end = ContinuousClock.now + .seconds(5)
            let watched = self.pod(pod.pod)
            if watched.needsLoading() { Task { await load(watched, known: pod) } }
            while watched.standing == .loading, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(5)) }
            if let explanation = watched.explanation(now: .now) { return explanation }
        }
        if let at = request.at, at < pod.created, !pod.imported {
            throw ErrorBody(.init(rawValue: "before_start"), "pod \(pod.name) was created at \(pod.created)")
        }
        return try await explainPast(pod, at: request.at)
    }

    private func explainPast(_ pod: Pod, at: Timestamp?) async throws(ErrorBody) -> StatusExplanation {
        var (meta, keyframe, frames) = try await recorder.play(Play(pod: pod.pod, at: at))
        let moment = at ?? meta.last
        // Back to where the evidence of that moment may have begun.
        var segments = 1
        while meta.hasEarlier, meta.from > moment - Self.before, segments < Self.mostSegments, meta.firstSeq > 1 {
            let earlier = try await recorder.play(Play(pod: pod.pod, seq: meta.firstSeq - 1))
            guard earlier.meta.lastSeq + 1 == meta.firstSeq else { break }
            (meta, keyframe) = (earlier.meta, earlier.keyframe)
            frames = earlier.frames + frames
            segments += 1
        }
        let history = try await statuses(of: pod)
        let terminal: Terminal
        do {
            terminal = try Terminal(snapshot: keyframe)
        } catch {
            throw ErrorBody(.internal, "the recording's keyframe cannot be read: \(error)")
        }
        let rules = rules
        let origin = PodOrigin(pod)
        var manifest = rules.manifest(origin)
        let carried = history.last { $0.since <= meta.from }.map { DetectorMemory(status: $0) }
        var detector = Detector(manifest: manifest, fallback: rules.fallback, terminal: terminal, carried: carried)
        var seq = meta.firstSeq &- 1
        var time = meta.from
        func pass(until end: Timestamp) {
            for _ in 0..<10_000 {
                guard let wakeAt = detector.wakeAt, wakeAt <= end else { break }
                time = max(time, wakeAt)
                _ = detector.take(.tick, at: time, seq: seq)
            }
        }
        // What was awaited then; without the service that knows, the screen has to do.
        var waits = ((try? await BindingsClient(bus: bus).waits(ListWaits(pod: pod.pod, at: moment))) ?? []).filter {
            $0.waiter.pod == pod.pod
        }
        func learnWaits(until end: Timestamp) {
            guard let first = waits.map(\.created).min(), first <= end else { return }
            pass(until: first)
            _ = detector.take(.waits(waits), at: max(first, time), seq: seq)
            waits = []
        }
        for frame in frames where frame.time <= moment {
            learnWaits(until: frame.time)
            pass(until: frame.time)
            seq = frame.seq
            time = max(time, frame.time)
            let control = frame.kind == .ctl ? try? JSON.decode(Control.self, from: frame.bytes) : nil
            if case .process(let report)? = control {
                let wanted = rules.manifest(origin, running: report)
                if wanted?.name != manifest?.name {
                    manifest = wanted
                    detector.use(wanted, fallback: rules.fallback)
                }
            }
            guard let signal = Signal(frame, control) else { continue }
            _ = detector.take(signal, at: time, seq: seq)
        }
        learnWaits(until: moment)
        pass(until: moment)
        var explanation = detector.explanation(at: moment)
        explanation.pod = pod.pod
        explanation.history = Array(history.filter { $0.since <= moment }.suffix(8))
        explanation.notes.append("computed again from the record: \(segments) segments, from \(meta.from)")
        if let said = history.last(where: { $0.since <= moment }), said.status != explanation.status.status || said.reason != explanation.status.reason {
            let reason = said.reason.map { " (\($0))" } ?? ""
            explanation.notes.append("what was said then, with the rules of that time, is \(said.status)\(reason) since \(said.since)")
        }
        return explanation
    }

    private func statuses(of pod: Pod) async throws(ErrorBody) -> [PodStatus] {
        let history = try await registry.history(PodRequest(pod: pod.pod, author: Author(kind: .system, id: "detector")))
        return history.entries.filter { $0.what == "status" }.map { entry in
            PodStatus(status: entry.value, reason: entry.reason, since: entry.from, seq: entry.seq ?? 0, evidence: entry.evidence)
        }
    }
}

extension Signal {
    /// What a frame is to a detector; nil for what says nothing.
    init?(_ frame: Frame, _ control: Control?) {
        switch frame.kind {
        case .out: self = .output(frame.bytes)
        case .in: self = .input(frame.bytes, author: frame.author)
        case .key: return nil
        case .ctl:
            switch control {
            case .resize(let columns, let rows, _): self = .resize(columns: columns, rows: rows)
            case .process(let report): self = .process(report)
            case .hook(let report): self = .hook(report)
            case .exit(let exit): self = .exit(exit)
            default: return nil
            }
        }
    }
}
