internal import Bus
internal import CPty
public import Contract
internal import RunnerClient

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Finishes the work of a shim that died: publishes what is in its spool, says that the end was not seen, and leaves.
public enum Recovery {
    /// Works on the pod in `path` until the stream holds everything. Returns at once when a shim runs it or nothing is left to do.
    public static func run(directory path: String) throws(ErrorBody) {
        let directory = PodDirectory(path)
        let spec: ShimSpec
        do { spec = try directory.readSpec() } catch { throw ErrorBody(.badRequest, "cannot use \(path)/spec.json: \(error)") }
        // Whoever has it does the work.
        guard directory.takeLock() != nil else { return }
        var state = directory.readState() ?? ShimState(phase: .running, shimPid: getpid(), pid: 0)
        guard state.phase != .done else { return }
        // From here on only the work's end ends us.
        _ = cpty_signals()
        let spool = try Spool(directory: directory.spool, pod: spec.pod)
        let busLoop = BusLoop()
        let inbox = ShimInbox(loop: busLoop)
        let publisher = FramePublisher(pod: spec.pod, spool: spool, inbox: inbox)
        let link = BusLink(spec, inbox: inbox, loop: busLoop)
        link.start()
        var hasSaidExit = false
        while !hasSaidExit || spool.acked < spool.newest {
            var descriptors = [pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0)]
            busLoop.appendDescriptors(to: &descriptors)
            poll(&descriptors, nfds_t(descriptors.count), -1)
            busLoop.turn(descriptors[1...])
            for event in inbox.take(isSignalled: descriptors[0].revents != 0) {
                switch event {
                case .attached(let connection): link.resolve(connection)
                case .resolved(let newest, let isExit, let connection):
                    if !hasSaidExit {
                        spool.skip(to: newest)
                        if !(isExit && newest == spool.newest) { try sayExit(spec, &state, spool) }
                        hasSaidExit = true
                    }
                    do throws(BusError) { try publisher.attach(connection, newest: newest) } catch { log("cannot publish: \(error)") }
                case .request(_, let message):
                    let answer = Applied(result: .gone, message: "the program has ended")
                    publisher.current?.respond(to: message, BusReply(Reply.encode(answer)))
                case .busMoved, .hook: break
                }
            }
            try publisher.pump()
            busLoop.flush()
        }
        state.phase = .done
        do { try directory.write(state) } catch { throw ErrorBody(.internal, "\(error)") }
        publisher.detach()
        spool.destroy()
    }

    /// The stream may hold frames that a power cut took from the spool: the exit goes behind both.
    private static func sayExit(_ spec: ShimSpec, _ state: inout ShimState, _ spool: Spool) throws(ErrorBody) {
        if let last = try spool.lastFrame(), last.kind == .ctl, case .exit? = try? JSON.decode(Control.self, from: last.bytes) { return }
        let exit = state.exit ?? .lost(reason: "its shim died")
        state.exit = exit
        var time = max(spool.newestTime, .now())
        func append(_ control: Control) throws(ErrorBody) {
            let bytes: [UInt8]
            do { bytes = try JSON.encode(control) } catch { throw ErrorBody(.internal, "\(error)") }
            try spool.append(Frame(pod: spec.pod, seq: spool.newest + 1, time: time, kind: .ctl, bytes: bytes))
            time = max(time, .now())
        }
        if spool.damagedBytes > 0 { try append(.gap(bytes: UInt64(spool.damagedBytes), reason: "the spool was damaged by a crash")) }
        try append(.exit(exit))
        spool.sync()
    }
}
