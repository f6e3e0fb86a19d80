internal import Bus
internal import Contract
internal import Logging

/// Getting a pod's state when frames were missed or nothing is known: from the shim, or from what the stream holds.
extension RelayService {
    private static let patience = Duration.seconds(20)

    /// Brings a pod in step. One at a time for each pod: its standing says so.
    func repair(_ pod: LivePod) async {
        let end = ContinuousClock.now + Self.patience
        var pause = Duration.milliseconds(10)
        var tries = 0
        while pod.standing == .repairing {
            tries += 1
            if await installFromShim(pod) {
                await noteExit(pod)
                break
            }
            if await installFromStream(pod, isFinal: tries > 3) { break }
            guard ContinuousClock.now < end, (try? await Task.sleep(for: pause)) != nil else {
                logger.warning("no state of a pod could be had", metadata: ["pod": "\(pod.pod)"])
                pod.giveUp()
                return
            }
            pause = min(pause * 2, .seconds(1))
        }
        perform(pod.nextView(now: .now()), pod)
    }

    /// Waits until the pod is in step. False: there is nothing to be had.
    func loaded(_ pod: LivePod) async -> Bool {
        let end = ContinuousClock.now + .seconds(4)
        while true {
            switch pod.standing {
            case .inStep: return true
            case .empty, .foreign: return false
            case .repairing:
                guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(3))) != nil else { return false }
            }
        }
    }

    private func installFromShim(_ pod: LivePod) async -> Bool {
        // Several tries: frames may overtake the keyframe's answer.
        for _ in 0..<5 {
            pod.noteRequest()
            do {
                let reply = try await bus.request(
                    Subjects.shimKeyframe(pod.pod), payload: [UInt8](), timeout: .seconds(1))
                guard let header = reply.header(Headers.meta) else { return false }
                let meta = try JSON.decode(KeyframeMeta.self, from: header.utf8)
                if pod.install(compressed: reply.payload, seq: meta.seq, time: meta.time) { return true }
            } catch {
                return false
            }
        }
        return false
    }

    /// A keyframe does not say whether the pod has ended: the newest control frame does.
    private func noteExit(_ pod: LivePod) async {
        do throws(BusError) {
            guard let last = try await stream.lastMessage(Streams.terminals, subject: Subjects.pty(pod.pod, .ctl)) else { return }
            if case .exit(let exit)? = try? JSON.decode(Control.self, from: last.payload) { pod.noteExit(exit) }
        } catch {
            // Without the stream the shim's silence says it.
        }
    }

    /// The newest keyframe in the stream and what follows it; a pod without one, from its beginning. A pod of which the
    /// stream holds nothing, and of which no frame came, is given up at once.
    private func installFromStream(_ pod: LivePod, isFinal: Bool) async -> Bool {
        pod.noteRequest()
        do throws(BusError) {
            var frames: [Frame] = []
            var next: UInt64 = 1
            if let key = try await stream.lastMessage(Streams.terminals, subject: Subjects.pty(pod.pod, .key)), let frame = Frame(key) {
                frames.append(frame)
                next = key.sequence + 1
            }
            while let message = try await stream.nextMessage(Streams.terminals, subject: Subjects.pty(pod.pod), from: next) {
                next = message.sequence + 1
                if let frame = Frame(message), frames.last.map({ frame.seq > $0.seq }) ?? true { frames.append(frame) }
                if frames.first?.isImportedStart == true { break }
            }
            if frames.isEmpty {
                if !pod.isAwaited { pod.giveUp() }
                return !pod.isAwaited
            }
            return pod.install(frames, isFinal: isFinal)
        } catch {
            return false
        }
    }
}

extension Frame {
    init?(_ message: StoredMessage) {
        self.init(subject: message.subject, header: { message.header($0) }, payload: message.payload)
    }
}
