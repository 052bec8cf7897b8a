extension PoolState {
    enum Grant: Sendable {
        case lend(Connection)
        /// Make a connection; report it with ``connected(now:)``, ``connectFailed(_:term:retryAt:now:)``
        /// or ``connectAbandoned(term:now:)``.
        case connect
        case closed
        /// Something changed that the waiter has to know: ask again.
        case askAgain
    }

    /// For how long a connection is lent.
    enum Term: Sendable {
        /// For statements that the library sends one after the other.
        case short
        /// For as long as the code of somebody else likes. These leave one connection to the others, unless there is only one.
        case long
    }

    struct Idle: Sendable {
        var connection: Connection
        var since: Instant
    }

    struct Waiter: Sendable {
        var ticket: Ticket
        var term: Term
        /// Earlier arrivals go first, however often they had to wait again.
        var arrival: UInt64
        /// When it first had to wait.
        var since: Instant
        /// The `retryAt` the waiter knew when it went to sleep.
        var knownRetry: Instant?
    }
}
