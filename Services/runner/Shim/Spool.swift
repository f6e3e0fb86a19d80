internal import Contract
internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The frames of one pod that the stream may not hold yet, on disk in files of a few MiB.
///
/// Durability: a frame is written before it is published, so a killed process loses nothing. While the bus takes frames they are
/// safe there within milliseconds and nothing is synced; while it does not, the owner calls `sync` about once a second, so that a
/// power cut costs at most a second. Files whose frames are all stored are deleted; the file `acked` says how far that is.
final class Spool {
    private struct Segment {
        var first: UInt64
        /// The newest frame in it; `first - 1` while it is empty.
        var last: UInt64
        var bytes: Int
        var path: String
    }

    static let segmentBytes = 4 << 20

    private let directory: String
    private let pod: PodID
    private var segments: [Segment] = []
    private var file: Int32 = -1
    private var ackedFile: Int32 = -1
    private var buffer: [UInt8] = []
    private var reader = Reader()
    private var needsSync = false
    /// The newest frame that was ever in this spool.
    private(set) var newest: UInt64 = 0
    private(set) var newestTime = Timestamp(microseconds: .min)
    /// Frames up to here are stored in the stream.
    private(set) var acked: UInt64 = 0
    /// What the file `acked` says.
    private var ackedOnDisk: UInt64 = 0
    /// What the files take on disk.
    private(set) var bytes: UInt64 = 0
    /// Bytes at the end of the newest file that were no whole frame (a write that a crash cut short).
    private(set) var damagedBytes = 0

    /// Opens the spool of a pod, making or recovering it.
    init(directory: String, pod: PodID) throws(ErrorBody) {
        self.directory = directory
        self.pod = pod
        if mkdir(directory, 0o700) != 0 && errno != EEXIST { throw Self.failure("make", directory) }
        ackedFile = open(directory + "/acked", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard ackedFile >= 0 else { throw Self.failure("open", directory + "/acked") }
        var stored: UInt64 = 0
        if pread(ackedFile, &stored, 8, 0) == 8 { acked = UInt64(littleEndian: stored) }
        ackedOnDisk = acked
        newest = acked
        try recover()
    }

    deinit {
        if file >= 0 { close(file) }
        if ackedFile >= 0 { close(ackedFile) }
        reader.close()
    }

    // MARK: - Writing

    /// Adds the next frame. Its bytes are with the kernel when this returns.
    func append(_ frame: Frame) throws(ErrorBody) {
        precondition(frame.seq == newest + 1, "frames follow one another without gaps")
        if file < 0 || (segments.last?.bytes ?? 0) >= Self.segmentBytes { try beginSegment(frame.seq) }
        SpoolRecord.encode(frame, into: &buffer)
        let start = segments[segments.count - 1].bytes
        var written = 0
        while written < buffer.count {
            let count = buffer.withUnsafeBytes {
                pwrite(file, $0.baseAddress?.advanced(by: written), buffer.count - written, off_t(start + written))
            }
            if count < 0 && errno == EINTR { continue }
            // Half a record stays behind the end that we count, and the next try writes over it.
            guard count > 0 else { throw Self.failure("write", segments[segments.count - 1].path) }
            written += count
        }
        segments[segments.count - 1].bytes += written
        segments[segments.count - 1].last = frame.seq
        bytes += UInt64(written)
        newest = frame.seq
        newestTime = frame.time
        needsSync = true
    }

    /// Everything written so far survives a power cut when this returns. False when there was nothing new.
    @discardableResult
    func sync() -> Bool {
        guard needsSync, file >= 0 else { return false }
        needsSync = false
        fdatasync(file)
        return true
    }

    /// Frames up to `seq` are stored in the stream: their files go.
    func release(upTo seq: UInt64) {
        guard seq > acked else { return }
        acked = min(seq, newest)
        // Rarely: whoever reads it asks the stream as well, which knows better.
        if acked >= ackedOnDisk + 256 || segments.count > 1 || newest == acked && (segments.last?.bytes ?? 0) > 2 << 20 { writeAcked() }
        while let first = segments.first, first.last <= acked, segments.count > 1 { drop(first) }
        // A new file for each few frames would cost more than the frames.
        if let only = segments.first, segments.count == 1, only.last <= acked, only.bytes > 2 << 20 { drop(only) }
    }

    private func writeAcked() {
        guard acked != ackedOnDisk else { return }
        ackedOnDisk = acked
        var value = acked.littleEndian
        pwrite(ackedFile, &value, 8, 0)
    }

    /// Goes on behind `seq`, which the stream holds although these files do not (a power cut took their end).
    func skip(to seq: UInt64) {
        release(upTo: seq)
        guard seq > newest else { return }
        for segment in segments { drop(segment) }
        newest = seq
        acked = seq
        writeAcked()
    }

    /// The newest frame, if a file still has it.
    func lastFrame() throws(ErrorBody) -> Frame? {
        guard let last = segments.last, last.last >= last.first else { return nil }
        return try read(last.last)
    }

    private func drop(_ segment: Segment) {
        if segments.count == 1 {
            close(file)
            file = -1
        }
        unlink(segment.path)
        bytes -= UInt64(segment.bytes)
        segments.removeFirst()
    }

    /// Deletes everything; the pod is over.
    func destroy() {
        for segment in segments { unlink(segment.path) }
        segments = []
        bytes = 0
        unlink(directory + "/acked")
        rmdir(directory)
    }

    private func beginSegment(_ first: UInt64) throws(ErrorBody) {
        if file >= 0 {
            sync()
            close(file)
            file = -1
        }
        let digits = String(first)
        let path = directory + "/" + String(repeating: "0", count: max(0, 20 - digits.count)) + digits + ".spool"
        let opened = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw Self.failure("make", path) }
        file = opened
        segments.append(Segment(first: first, last: first - 1, bytes: 0, path: path))
    }

    // MARK: - Reading

    /// Where sequential reading is.
    private struct Reader {
        var next: UInt64 = 0
        var path = ""
        var file: Int32 = -1
        var offset = 0

        mutating func close() {
            if file >= 0 { Glibc.close(file) }
            file = -1
            path = ""
        }
    }

    /// Frame `seq`, which must be newer than `acked` and at most `newest`. Reading one after the other is sequential on disk.
    func read(_ seq: UInt64) throws(ErrorBody) -> Frame {
        guard let segment = segments.first(where: { $0.first <= seq && seq <= $0.last }) else {
            throw ErrorBody(.internal, "frame \(seq) is not in the spool \(directory)")
        }
        if reader.path != segment.path || reader.next > seq || reader.file < 0 {
            reader.close()
            reader.file = open(segment.path, O_RDONLY | O_CLOEXEC)
            guard reader.file >= 0 else { throw Self.failure("open", segment.path) }
            reader.path = segment.path
            reader.offset = 0
            reader.next = segment.first
        }
        while true {
            let (frame, size) = try readRecord(segment)
            reader.offset += size
            reader.next = frame.seq + 1
            if frame.seq == seq { return frame }
        }
    }

    private func readRecord(_ segment: Segment) throws(ErrorBody) -> (Frame, Int) {
        var head = [UInt8](repeating: 0, count: 12)
        guard pread(reader.file, &head, 12, off_t(reader.offset)) == 12, let size = head.withUnsafeBytes({ SpoolRecord.size($0) }) else {
            throw ErrorBody(.internal, "the spool file \(segment.path) is damaged at byte \(reader.offset)")
        }
        let record = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            count = max(0, pread(reader.file, target.baseAddress, size, off_t(reader.offset)))
        }
        guard case .frame(let frame, let size) = record.withUnsafeBytes({ SpoolRecord.decode($0, pod: pod) }) else {
            throw ErrorBody(.internal, "the spool file \(segment.path) is damaged at byte \(reader.offset)")
        }
        return (frame, size)
    }

    // MARK: - After a crash

    private func recover() throws(ErrorBody) {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasSuffix(".spool") }.sorted()
        for name in names {
            let path = directory + "/" + name
            guard let first = UInt64(name.dropLast(6)) else { continue }
            // A file that does not go on where the one before it ended cannot be used without a gap that nobody announced.
            guard segments.isEmpty || first == newest + 1 else { break }
            let data = [UInt8](FileManager.default.contents(atPath: path) ?? Data())
            let (last, size, time) = scan(data, from: first)
            damagedBytes += data.count - size
            guard last >= first else {
                unlink(path)
                continue
            }
            segments.append(Segment(first: first, last: last, bytes: size, path: path))
            bytes += UInt64(size)
            newest = max(newest, last)
            if let time { newestTime = time }
            if size < data.count {
                truncate(path, off_t(size))
                break
            }
        }
        if let current = segments.last {
            file = open(current.path, O_RDWR | O_CLOEXEC)
            guard file >= 0 else { throw Self.failure("open", current.path) }
        }
    }

    private func scan(_ data: [UInt8], from first: UInt64) -> (last: UInt64, size: Int, time: Timestamp?) {
        data.withUnsafeBytes { bytes in
            var offset = 0
            var last = first - 1
            var time: Timestamp?
            while case .frame(let frame, let size) = SpoolRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[offset...]), pod: pod),
                frame.seq == last + 1
            {
                last = frame.seq
                time = frame.time
                offset += size
            }
            return (last, offset, time)
        }
    }

    private static func failure(_ what: String, _ path: String) -> ErrorBody {
        ErrorBody(.internal, "cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
