import LibPQ
import Synchronization

/// Sends the rows of concurrent callers together, one statement at a time.
///
/// Nobody waits for company: a row that finds no statement under way leaves at once, and what came while one was
/// leaves with the next. A caller that waits goes on only with the answer to its own row.
///
/// What gathered is sent in a task on the shared threads that lasts as long as the statement, so that no caller has to
/// get to its thread before the others are served (`docs/decisions/070-handlers-have-threads-of-their-own.md`).
package final class BatchLane<Row: Sendable, Answer: Sendable>: Sendable {
    /// Sends rows and returns one answer for each, in the same order.
    ///
    /// `isAlone` says that nobody else's row goes with the caller's, so that the statement may be cancelled with it.
    package typealias Send = @Sendable (_ rows: [Row], _ isAlone: Bool) async -> [Result<Answer, any Error>]

    /// Takes the answer to a row.
    ///
    /// Called on a shared thread between two statements, so it must neither block nor take long.
    package typealias Receiver = @Sendable (_ answer: Result<Answer, any Error>) -> Void

    private enum Turn: Sendable {
        case answered(Result<Answer, any Error>)
        case cancelled
    }

    /// Where the answer to a row goes.
    private enum Ticket: Sendable {
        case seat(Seat<Turn>)
        case receiver(Receiver)

        /// Whether the caller has left.
        var isOver: Bool { if case .seat(let seat) = self { seat.isOver } else { false } }

        func give(_ answer: Result<Answer, any Error>) {
            switch self {
            case .seat(let seat): seat.give(.answered(answer))
            case .receiver(let receive): receive(answer)
            }
        }
    }
    private typealias Queue = BatchQueue<Row, Ticket>

    private let queue: Mutex<Queue>
    private let starts = Mutex(StatementStarts())
    private let senders = LeavableTasks()
    private let send: Send
    private let regathers: Bool
    private let afterAnswers: @Sendable () -> Void

    /// - Parameters:
    ///   - regathers: Whether callers that have been answered may come along with their next row when they are more than
    ///     those that wait. Else few callers that do one call after the other fall into two groups, a large and a small
    ///     one, each with a commit of its own. For callers that wait on the shared threads.
    ///   - afterAnswers: Called when all rows of a statement have got their answers.
    package init(
        limits: BatchLimits = BatchLimits(), regathers: Bool = false,
        afterAnswers: @escaping @Sendable () -> Void = {}, send: @escaping Send
    ) {
        self.queue = Mutex(Queue(limits: limits))
        self.regathers = regathers
        self.afterAnswers = afterAnswers
        self.send = send
    }

    /// Since when the oldest statement under way is; nil when there is none.
    package var busySince: ContinuousClock.Instant? { starts.withLock(\.oldest) }

    /// How many rows wait for the statement under way to end.
    package var pendingCount: Int { queue.withLock(\.pendingCount) }

    /// Returns when no row of ``submit(_:bytes:)`` waits or is under way, or when the current task is cancelled.
    package func settled() async { await senders.ended() }

    /// Sends one row, with whatever else has gathered, and returns its answer.
    ///
    /// The cancellation of the calling task changes nothing.
    package func submit(_ row: Row, bytes: Int) async throws -> Answer {
        let seat = Seat<Turn>()
        post(row, bytes: bytes, .seat(seat))
        return try take(await seat.turn())
    }

    /// The same for a caller who does not wait.
    package func post(_ row: Row, bytes: Int, _ receiver: @escaping Receiver) {
        post(row, bytes: bytes, .receiver(receiver))
    }

    private func post(_ row: Row, bytes: Int, _ ticket: Ticket) {
        let isIdle = queue.withLock { queue in
            if queue.startIfIdle() { return true }
            queue.join(row, bytes: bytes, ticket: ticket)
            return false
        }
        if isIdle { sendGathered(Queue.Entry(row: row, bytes: bytes, ticket: ticket)) }
    }

    /// The same, but returns with `CancellationError` when the calling task is cancelled.
    ///
    /// The row may have been sent then. A caller who finds the lane idle sends for others too, and sees that through.
    package func submitUnlessCancelled(_ row: Row, bytes: Int) async throws -> Answer {
        try Task.checkCancellation()
        let place = queue.withLock { queue -> (seat: Seat<Turn>, number: Int)? in
            if queue.startIfIdle() { return nil }
            let seat = Seat<Turn>()
            return (seat, queue.join(row, bytes: bytes, ticket: .seat(seat)))
        }
        guard let (seat, number) = place else {
            return try await onSharedThreads { try await sendTogether(row, bytes).get() }
        }
        let turn = await withTaskCancellationHandler {
            await seat.turn()
        } onCancel: {
            leave(seat, number)
        }
        return try take(turn)
    }

    /// Withdraws a cancelled caller's row, so that those that give up while the database hangs do not pile up.
    private func leave(_ seat: Seat<Turn>, _ number: Int) {
        guard seat.give(.cancelled) else { return }
        queue.withLock { $0.withdraw(number) }
    }

    private func take(_ turn: Turn) throws -> Answer {
        switch turn {
        case .answered(let result): return try result.get()
        case .cancelled: throw CancellationError()
        }
    }
}

extension BatchLane {
    private func sendGathered(_ first: Queue.Entry) {
        senders.start {
            await self.sendTogether(first.row, first.bytes, isCallers: false) { first.ticket.give($0) }
        }
    }

    /// Sends a row together with what has gathered since.
    ///
    /// - Parameters:
    ///   - isCallers: Whether the current task is that of the row's caller.
    ///   - receive: Takes the row's own answer with those of the others.
    @discardableResult
    private func sendTogether(
        _ row: Row, _ bytes: Int, isCallers: Bool = true,
        _ receive: (Result<Answer, any Error>) -> Void = { _ in }
    ) async -> Result<Answer, any Error> {
        let others = queue.withLock { $0.takeMore(bytes: bytes) }.filter { !$0.ticket.isOver }
        let start = starts.withLock { $0.begin(at: .now) }
        let answers = await send([row] + others.map(\.row), isCallers && others.isEmpty)
        starts.withLock { $0.end(start) }
        let isHalfEmpty = regathers && answers.count > 1 && pendingCount < answers.count
        // Before the answers, so that the connection has something to do while they are taken.
        if !isHalfEmpty { sendNext() }
        receive(answers[0])
        for (entry, answer) in zip(others, answers.dropFirst()) { entry.ticket.give(answer) }
        afterAnswers()
        // Behind those who have just been answered in the queue of the shared threads.
        if isHalfEmpty { senders.start { self.sendNext() } }
        return answers[0]
    }

    private func sendNext() {
        while let next = queue.withLock({ $0.sent() }) {
            // Otherwise its caller was cancelled, and the row has not been sent.
            if !next.ticket.isOver { return sendGathered(next) }
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
