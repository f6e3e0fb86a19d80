internal import Contract
internal import NIOCore
internal import RecorderClient
internal import Redaction
internal import Terminal
internal import ViewProtocol

/// The past of one pod as one viewer moves through it: fetches segments, keeps the clock, sends what changed.
///
/// Event loop only, as its session.
final class Past {
    enum Place {
        case time(Timestamp)
        case seq(UInt64)
        case newest
    }

    /// What happens when a segment has come.
    private typealias Continuation = (Past) -> Void

    private static let tick = TimeAmount.milliseconds(16)

    private weak var session: ViewSession?
    private let pod: PodID
    /// Where the viewer was when it left the live stream.
    private let from: UInt64?
    private var playback: Playback?
    private var clock: PlaybackClock?
    private var ticking: Scheduled<Void>?
    private var isLoading = false
    /// The newest wish while a segment is under way; older ones are overtaken.
    private var wish: ((Past) -> Void)?
    private var generation = 0
    /// What the viewer has been shown.
    private var shownSeq: UInt64?
    private var isStale = false
    private var lastPosition = NIODeadline.uptimeNanoseconds(0)

    init(session: ViewSession, pod: PodID, from: UInt64?) {
        self.session = session
        self.pod = pod
        self.from = from
    }

    func stop() {
        generation += 1
        halt()
        session = nil
    }

    // MARK: - Moves

    func seek(to place: Place) {
        halt()
        wish = nil
        request(place, show: true)
    }

    func pause() {
        halt()
        if playback == nil, !isLoading { return request(start, show: true) }
        position()
    }

    func play(rate: Double, idleLimit: Duration?) {
        halt()
        whenReady { past in
            guard let playback = past.playback else { return }
            past.clock = PlaybackClock(rate: rate, idleLimit: idleLimit, from: playback.time, now: .now)
            past.position()
            past.scheduleTick()
        }
    }

    func step(_ frames: Int) {
        halt()
        whenReady { past in past.step(left: frames) }
    }

    func showAgain() {
        whenReady { past in past.showWhole() }
    }

    /// The viewer reads again: it gets the whole screen of now, not what it missed.
    func viewerReads() {
        guard isStale else { return }
        isStale = false
        showWhole()
        if let playback { clock?.restart(at: playback.time, now: .now) }
        if clock != nil { scheduleTick() }
    }

    private var start: Place { from.map { .seq($0) } ?? .newest }

    private func halt() {
        ticking?.cancel()
        ticking = nil
        clock = nil
    }

    /// Runs `action` at the present place; without one, after the place where the viewer left the live stream is loaded.
    private func whenReady(_ action: @escaping (Past) -> Void) {
        if isLoading {
            wish = action
        } else if playback != nil {
            action(self)
        } else {
            wish = action
            request(start, show: true)
        }
    }

    private func step(left: Int) {
        guard var playback else { return }
        do throws(ErrorBody) {
            switch playback.target(step: left) {
            case .seq(let seq):
                _ = try playback.move(toSeq: seq)
                self.playback = playback
                showWhole()
            case .beyond(let seq, let rest):
                load(Play(pod: pod, seq: seq)) { past in
                    // Backwards one begins at the segment's end.
                    if rest < 0 { _ = try? past.playback?.move(toSeq: .max) }
                    past.step(left: rest)
                }
            }
        } catch {
            session?.tell(error)
        }
    }

    // MARK: - Segments

    private func request(_ place: Place, show: Bool) {
        if var playback, !playback.slice.meta.open, !isLoading {
            // The place may lie in the segment at hand.
            let reach: Playback.Reach? =
                switch place {
                case .time(let time): try? playback.move(to: time)
                case .seq(let seq): try? playback.move(toSeq: seq)
                case .newest: nil
                }
            if reach == .there {
                self.playback = playback
                if show { showWhole() }
                return
            }
        }
        let play: Play =
            switch place {
            case .time(let time): Play(pod: pod, at: time)
            case .seq(let seq): Play(pod: pod, seq: max(1, seq))
            case .newest: Play(pod: pod, at: .now())
            }
        load(play) { past in
            switch place {
            case .time(let time): _ = try? past.playback?.move(to: time)
            case .seq(let seq): _ = try? past.playback?.move(toSeq: seq)
            case .newest: _ = try? past.playback?.move(toSeq: .max)
            }
            if show { past.showWhole() }
        }
    }

    /// Fetches a segment; a newer load overtakes this one.
    private func load(_ play: Play, then: @escaping (Past) -> Void) {
        guard let session else { return }
        generation += 1
        let mine = generation
        isLoading = true
        let service = session.service
        session.onLoop(after: { () async throws(ErrorBody) in try await service.recorder.slice(play) }) { [weak self] _, result in
            guard let self, self.generation == mine else { return }
            self.isLoading = false
            do throws(ErrorBody) {
                self.playback = try Playback(try result.get())
                then(self)
            } catch {
                self.halt()
                self.wish = nil
                self.session?.tell(error)
                return
            }
            if !self.isLoading, let wish = self.wish {
                self.wish = nil
                wish(self)
            }
        }
    }

    // MARK: - Playing

    private func scheduleTick() {
        guard let loop = session?.socket?.eventLoop, clock != nil else { return }
        ticking?.cancel()
        ticking = loop.assumeIsolated().scheduleTask(in: Self.tick) { [weak self] in self?.advance() }
    }

    private func advance() {
        ticking = nil
        guard var playback, var clock, let session, let socket = session.socket, !isLoading else { return }
        guard socket.isWritable else {
            isStale = true
            return
        }
        let now = ContinuousClock.now
        let time = clock.time(now: now, at: playback.time, next: playback.nextTime)
        self.clock = clock
        let before = playback.seq
        do throws(ErrorBody) {
            let old = clock.rate < 0 ? playback.terminal : nil
            let reach = try playback.move(to: time)
            self.playback = playback
            if playback.seq != before { showChange(from: old) }
            switch reach {
            case .there:
                position(atMost: .milliseconds(100))
                scheduleTick()
            case .elsewhere(let seq):
                let forward = clock.rate > 0
                load(Play(pod: pod, seq: seq)) { past in
                    if !forward { _ = try? past.playback?.move(toSeq: .max) }
                    guard let playback = past.playback else { return }
                    past.clock?.restart(at: forward ? max(time, playback.slice.meta.from) : playback.time, now: .now)
                    past.showWhole()
                    past.scheduleTick()
                }
            case .end:
                let isLive = playback.slice.meta.live
                halt()
                if isLive { session.goLive() } else { position() }
            case .beginning:
                halt()
                position()
            }
        } catch {
            halt()
            session.tell(error)
        }
    }

    // MARK: - Showing

    private func showWhole() {
        guard let session, let playback else { return }
        guard session.socket?.isWritable == true else {
            isStale = true
            return
        }
        _ = playback.terminal.takeDelta(force: true)
        shownSeq = playback.seq
        let screen = session.redactor.map { ScreenRedaction(playback.terminal, $0).screen(playback.terminal) } ?? playback.terminal.fullDelta()
        session.send(json: ViewEncoder.keyframe(screen, seq: playback.seq, time: playback.time))
        position()
    }

    private func showChange(from old: Terminal?) {
        guard let session, let playback, let base = shownSeq else { return showWhole() }
        let delta = old.map { Terminal.delta(from: $0, to: playback.terminal) } ?? playback.terminal.takeDelta()
        if old == nil, delta == nil, playback.terminal.modes.synchronizedUpdate { return }
        shownSeq = playback.seq
        let shown = session.redactor.flatMap { redactor in delta.map { ScreenRedaction(playback.terminal, redactor).delta($0, of: playback.terminal) } } ?? delta
        session.send(json: ViewEncoder.delta(shown, base: base, seq: playback.seq, time: playback.time))
    }

    private func position(atMost pause: TimeAmount = .zero) {
        guard let session, let playback, NIODeadline.now() - lastPosition >= pause else { return }
        lastPosition = .now()
        session.send(
            Typed(
                type: "position",
                value: ViewMessage.Position(
                    mode: clock == nil ? .paused : .playing, seq: playback.seq, time: playback.time, rate: clock?.rate,
                    first: playback.slice.meta.first, last: playback.slice.meta.last, live: playback.slice.meta.live,
                    next: playback.nextTime)))
        session.pastStatus.stands(at: playback.time)
    }
}
