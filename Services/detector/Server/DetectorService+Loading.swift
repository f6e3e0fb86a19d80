internal import Bus
internal import Compression
internal import Contract
internal import CoreMetrics
internal import Detection
internal import Logging
internal import RegistryClient
internal import Synchronization

/// Getting to know a pod that was not followed from its beginning, and getting frames that were missed.
///
/// The best beginning is what a detector before us remembered, with every frame since: then what happened while nobody looked is said
/// as it would have been. Without that, the newest keyframe and the status that was told last.
extension DetectorService {
    private static let patience = Duration.seconds(10)
    /// More frames than this are not looked through: the newest keyframe is enough then.
    private static let mostFrames = 20_000

    /// Looks for the live pods of shards that are new. False: it has to be tried again.
    func listPods() async -> Bool {
        let shards = unlisted.withLock { $0 }
        guard !shards.isEmpty else { return true }
        do {
            var cursor: String?
            repeat {
                let page = try await registry.list(ListPods(live: true, limit: 200, cursor: cursor))
                for pod in page.pods where shards.contains(pod.pod.shard) && owns(pod.pod.shard) {
                    let watched = self.pod(pod.pod)
                    if watched.needsLoading() { Task { await load(watched, known: pod) } }
                }
                cursor = page.next
            } while cursor != nil
            unlisted.withLock { $0.subtract(shards) }
            return true
        } catch {
            // The registry may start after us; frames of running pods lead to them meanwhile.
            logger.debug("live pods could not be listed; trying again", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Brings a pod in step. One at a time for each pod: its standing says so.
    func load(_ pod: WatchedPod, known: Pod? = nil) async {
        loadCount.increment()
        await loads.run {
            let end = ContinuousClock.now + Self.patience
            var pause = Duration.milliseconds(10)
            var tries = 0
            while held(pod.pod) === pod, pod.standing == .loading {
                tries += 1
                do {
                    if try await bringInStep(pod, known: known, isLate: tries > 3) {
                        return perform(pod.endLoading(isLive: true, now: .now), pod)
                    }
                } catch {
                    logger.debug("a pod could not be loaded", metadata: ["pod": "\(pod.pod)", "reason": "\(error)"])
                }
                guard ContinuousClock.now < end, (try? await Task.sleep(for: pause)) != nil else {
                    logger.warning("no state of a pod could be had", metadata: ["pod": "\(pod.pod)"])
                    return perform(pod.endLoading(isLive: pod.position != nil, isWhole: false, now: .now), pod)
                }
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    /// - Parameter isLate: asked often enough: what the stream does not lead to is not real.
    private func bringInStep(_ pod: WatchedPod, known: Pod?, isLate: Bool) async throws -> Bool {
        guard let newest = try await stream.lastMessage(Streams.terminals, subject: Subjects.pty(pod.pod)).flatMap({ Frame($0) }) else {
            // The stream holds nothing of it: its first frames are on their way, or it is nobody's.
            return isLate
        }
        var floor = floors.withLock { $0.floor }
        if pod.position == nil {
            let told = try await stream.lastMessage(Streams.events, subject: Subjects.statusChanged(pod.pod))
                .flatMap { try? JSON.decode(PodStatus.self, from: $0.payload) }
            pod.note(told: told)
            if let message = try await stream.lastMessage(Streams.detector, subject: Subjects.detectorMemory(pod.pod)),
                let (memory, snapshot) = PodMemory.read(message), memory.seq <= newest.seq,
                pod.install(
                    snapshot: snapshot, seq: memory.seq, time: memory.time, origin: memory.origin, manifest: memory.manifest, memory: memory.memory)
            {
                floor = memory.streamFloor
            } else if newest.isExit {
                // It ended before anybody looked.
                pod.end(now: .now)
                return true
            } else if told == nil, try await beginAtStart(pod, after: floor) {
                // Followed from its first frame.
            } else if try await !installFromShim(pod, known: known, told: told) {
                return false
            }
        }
        if pod.catchUp([], newest: newest.seq, now: .now) { return true }
        let frames = try await frames(of: pod, after: floor, newest: newest.seq)
        if pod.catchUp(frames, newest: newest.seq, now: .now) { return true }
        guard isLate else { return false }
        if let position = pod.position, position >= newest.seq { return true }
        // What is missing is gone from the stream: the screen as it is now has to do.
        return try await installFromShim(pod, known: known, told: nil)
    }

    /// A young pod is followed from its first frame, of which the stream has all that follow.
    private func beginAtStart(_ pod: WatchedPod, after floor: UInt64) async throws -> Bool {
        let frames = try await frames(of: pod, after: floor, newest: nil)
        guard frames.first?.seq == 1 else { return false }
        _ = pod.catchUp(frames, newest: 0, now: .now)
        return true
    }

    /// The screen as the pod's shim has it now; for one that does not answer, the stream's newest keyframe.
    private func installFromShim(_ pod: WatchedPod, known: Pod?, told: PodStatus?) async throws -> Bool {
        let origin: PodOrigin
        if let followed = pod.origin {
            origin = followed
        } else if let known {
            origin = PodOrigin(known)
        } else {
            origin = PodOrigin(try await registry.get(pod.pod.text))
        }
        let memory = told.map { status in DetectorMemory(status: status) }
        if let reply = try? await bus.request(Subjects.shimKeyframe(pod.pod), payload: [UInt8](), timeout: .seconds(1)),
            let header = reply.header(Headers.meta)
        {
            let meta = try JSON.decode(KeyframeMeta.self, from: header.utf8)
            let snapshot = try Zstd.decompress(reply.payload, limit: 256 << 20)
            return pod.install(snapshot: snapshot, seq: meta.seq, time: meta.time, origin: origin, manifest: nil, memory: memory)
        }
        guard let message = try await stream.lastMessage(Streams.terminals, subject: Subjects.pty(pod.pod, .key)), let frame = Frame(message) else {
            return false
        }
        let snapshot = try Zstd.decompress(frame.bytes, limit: 256 << 20)
        guard pod.install(snapshot: snapshot, seq: frame.seq - 1, time: frame.time, origin: origin, manifest: nil, memory: memory) else { return false }
        let rest = try await frames(of: pod, after: message.sequence - 1, newest: nil)
        _ = pod.catchUp(rest, newest: 0, now: .now)
        return true
    }

    /// The pod's frames that stand behind `floor` in the stream, up to `newest` or to the end.
    private func frames(of pod: WatchedPod, after floor: UInt64, newest: UInt64?) async throws -> [Frame] {
        var newest = newest
        if newest == nil {
            newest = try await stream.lastMessage(Streams.terminals, subject: Subjects.pty(pod.pod)).flatMap { Frame($0) }?.seq
        }
        guard let last = newest else { return [] }
        let kept = Mutex<(frames: [Frame], isDone: Bool)>(([], false))
        let consumer = try await PullConsumer.start(
            bus,
            .init(stream: Streams.terminals, filter: Subjects.pty(pod.pod), start: .sequence(floor + 1), batch: 512, maxBytes: 4 << 20)
        ) { message in
            guard let frame = Frame(subject: message.subject, header: { message.message.header($0) }, payload: message.message.payload) else { return }
            kept.withLock { kept in
                kept.frames.append(frame)
                if frame.seq >= last || kept.frames.count >= Self.mostFrames { kept.isDone = true }
            }
        }
        let end = ContinuousClock.now + .seconds(4)
        while !kept.withLock({ $0.isDone }), ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(2))) != nil {}
        await consumer.stop()
        return kept.withLock { $0.frames }
    }
}

extension Frame {
    init?(_ message: StoredMessage) {
        self.init(subject: message.subject, header: { message.header($0) }, payload: message.payload)
    }

    /// Whether it is a pod's last.
    var isExit: Bool {
        guard kind == .ctl, case .exit? = try? JSON.decode(Control.self, from: bytes) else { return false }
        return true
    }
}
