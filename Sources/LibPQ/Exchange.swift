import CLibPQ

/// A request on its way: what has been answered so far, and what to wait for next.
struct Exchange {
    enum Step {
        case finished
        case mustWait(Readiness.Interest)
        /// The server wants to copy, which this client cannot answer.
        case wantsCopy
    }

    var limit: StatementLimit
    /// Why the statement was asked to stop, once it was.
    var interruption: PostgresError.Code?
    /// The first error; what follows it is only its consequence.
    private(set) var failure: SQLResult?
    private(set) var last: SQLResult?

    init(limit: StatementLimit) {
        self.limit = limit
    }

    /// Sends and takes what is possible without waiting.
    mutating func advance(_ handle: borrowing ConnectionHandle, columns: SQLColumns?) -> Step {
        // While the server is slow to read it may be waiting for us to read: so for both.
        if handle.flush() == 1 { return .mustWait([.readable, .writable]) }
        while !handle.isBusy {
            guard let result = handle.nextResult(columns: columns) else { return .finished }
            switch result.status {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: return .wantsCopy
            case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE: failure = failure ?? result
            default: last = result
            }
        }
        return .mustWait(.readable)
    }
}
