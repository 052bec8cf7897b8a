import Synchronization

/// Sends the rows of concurrent callers together, one statement at a time.
///
/// Nobody waits for company: a row that finds no statement under way leaves at once, and what came while one was
/// leaves with the next. There is no task behind a lane: the first caller in the queue sends for all that have
/// gathered, then hands over to the next. A caller goes on only with the answer to its own row.
package final class BatchLane<Row: Sendable, Answer: Sendable>: Sendable {
    /// Sends rows and returns one answer for each, in the same order.
    ///
    /// `isAlone` says that nobody else's row goes with the caller's, so that the statement may be cancelled with it.
    package typealias Send = @Sendable (_ rows: [Row], _ isAlone: Bool) async -> [Result<Answer, any Error>]

    private enum Turn: Sendable {
        case answered(Result<Answer, any Error>)
        /// The caller is the next to send.
        case lead
        case cancelled
    }
    private typealias Queue = BatchQueue<Row, Seat<Turn>>

    /// Where a caller waits, and its row in the queue.
    private struct PlaceInQueue: Sendable {
        let seat: Seat<Turn>
        let number: Int

        func turn() async -> Turn { await seat.turn() }
    }

    private let queue: Mutex<Queue>
    private let starts = Mutex(StatementStarts())
    private let send: Send

    package init(limits: BatchLimits = BatchLimits(), send: @escaping Send) {
        self.queue = Mutex(Queue(limits: limits))
        self.send = send
    }

    /// Since when the oldest statement under way is; nil when there is none.
    package var busySince: ContinuousClock.Instant? { starts.withLock(\.oldest) }

    /// How many rows wait for the statement under way to end.
    package var pendingCount: Int { queue.withLock(\.pendingCount) }

    /// Sends one row, with whatever else has gathered, and returns its answer.
    ///
    /// The cancellation of the calling task changes nothing.
    package func submit(_ row: Row, bytes: Int) async throws -> Answer {
        guard let seat = takeSeat(row, bytes) else { return try await lead(row, bytes) }
        return try await take(await seat.turn(), row, bytes)
    }

    /// The same, but returns with `CancellationError` when the calling task is cancelled.
    ///
    /// The row may have been sent then. A caller who is sending for others sees that through first.
    package func submitUnlessCancelled(_ row: Row, bytes: Int) async throws -> Answer {
        try Task.checkCancellation()
        guard let seat = takeSeat(row, bytes) else { return try await lead(row, bytes) }
        let turn = await withTaskCancellationHandler {
            await seat.turn()
        } onCancel: {
            leave(seat)
        }
        return try await take(turn, row, bytes)
    }

    /// Nil when the caller is to send at once.
    private func takeSeat(_ row: Row, _ bytes: Int) -> PlaceInQueue? {
        queue.withLock { queue in
            if queue.startIfIdle() { return nil }
            let seat = Seat<Turn>()
            return PlaceInQueue(seat: seat, number: queue.join(row, bytes: bytes, ticket: seat))
        }
    }

    /// Withdraws a cancelled caller's row, so that those that give up while the database hangs do not pile up.
    private func leave(_ place: PlaceInQueue) {
        guard place.seat.give(.cancelled) else { return }
        queue.withLock { $0.withdraw(place.number) }
    }

    private func take(_ turn: Turn, _ row: Row, _ bytes: Int) async throws -> Answer {
        switch turn {
        case .answered(let result): return try result.get()
        case .lead: return try await lead(row, bytes)
        case .cancelled: throw CancellationError()
        }
    }

    private func lead(_ row: Row, _ bytes: Int) async throws -> Answer {
        // Only now, so that what gathered since the handing over goes along.
        let others = queue.withLock { $0.takeMore(bytes: bytes) }.filter { !$0.ticket.isOver }
        let start = starts.withLock { $0.begin(at: .now) }
        let answers = await send([row] + others.map(\.row), others.isEmpty)
        starts.withLock { $0.end(start) }
        // Before the answers, so that the connection has something to do while they are taken.
        handOver()
        for (entry, answer) in zip(others, answers.dropFirst()) { entry.ticket.give(.answered(answer)) }
        return try answers[0].get()
    }

    private func handOver() {
        while let next = queue.withLock({ $0.sent() }) {
            // Otherwise its caller was cancelled, and the row has not been sent.
            if next.ticket.give(.lead) { return }
        }
    }
}

/// When the statements under way were begun.
struct StatementStarts: Sendable {
    private var instants: [(number: Int, instant: ContinuousClock.Instant)] = []
    private var last = 0

    /// The instants are in order, so the first is the oldest.
    var oldest: ContinuousClock.Instant? { instants.first?.instant }

    mutating func begin(at now: ContinuousClock.Instant) -> Int {
        last += 1
        instants.append((last, now))
        return last
    }

    mutating func end(_ number: Int) {
        instants.removeAll { $0.number == number }
    }
}
