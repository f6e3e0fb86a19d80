internal import Bus
internal import Contract
internal import Database

extension ErrorBody {
    /// What an error means to somebody who asked the recorder.
    init(recording error: any Error) {
        switch error {
        case let error as DatabaseError where error.isConnectionLoss:
            self.init(.unavailable, "the recorder's database is away (\(error.message)); recording goes on, try again later")
        case is CancellationError: self.init(.unavailable, "the recorder is stopping")
        default: self.init(describing: error)
        }
    }
}
