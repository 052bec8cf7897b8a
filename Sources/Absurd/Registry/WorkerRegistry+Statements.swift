import LibPQ
import Synchronization

/// What a beat is answered.
struct BeatAnswer: Sendable {
    /// The workers that are registered no more.
    var gone: Set<String>
    var othersRun: Bool
    var suspects: Bool
    /// Which of the workers may act on a suspicion, if there is one.
    var observer: String?
}

/// What became of a worker that was taken for dead, or known to be.
struct LossVerdict: Sendable {
    var worker: String
    var queue: String
    /// How many of its runs were failed now.
    var runs: Int
    /// Whether it was taken out of the registry.
    var isOut: Bool

    init(_ row: SQLRow) throws {
        worker = try row.decode("worker_id")
        queue = try row.decode("queue")
        runs = Int(try row.decode("runs", as: Int32.self))
        isOut = try row.decode("is_out")
    }
}

extension WorkerRegistry {
    func send(
        _ workers: [String], running: [Int], restarts: [Int], _ isSteady: Bool, _ patience: Duration
    ) async throws -> BeatAnswer {
        let rows = try await query(
            "select to_json(gone)::text as gone, others_run, suspects, observer from absurd_swift.beat($1, $2, $3, $4)",
            [
                .textArray(workers), .intArray(running.map(Int64.init)), .intArray(restarts.map(Int64.init)),
                .bool(isSteady),
            ], patience)
        guard let row = rows.first else { throw SpawnStatement.wrongAnswer }
        return BeatAnswer(
            gone: Set(try JSONText(try row.decode("gone")).decode(as: [String].self)),
            othersRun: try row.decode("others_run"),
            suspects: try row.decode("suspects"), observer: try row.decode("observer"))
    }

    func sendReap(as observer: String) async throws -> LossVerdict? {
        let rows = try await query(
            "select worker_id, queue, runs, is_out from absurd_swift.reap($1)", [.text(observer)],
            BeatTiming.patience)
        return try rows.first.map(LossVerdict.init)
    }

    /// A statement without an answer for so long is as good as silence, and a new connection may do better; so this one
    /// is closed at once, without asking the server to cancel.
    private func query(
        _ sql: String, _ parameters: [SQLParameter], _ patience: Duration
    ) async throws -> SQLRows {
        do {
            return try await connected().query(
                sql, parameters, timeout: patience, isCancellable: false, asksToCancel: false)
        } catch let error as PostgresError where error.sqlState == Self.tooManyConnections {
            // The pool may have the last ones; that the server is full is no reason to look dead.
            return try await pool.query(
                sql, parameters, timeout: patience, acquireTimeout: BeatTiming.patience,
                isCancellable: false, isRepeatable: true, asksToCancel: false)
        }
    }

    private static let tooManyConnections = "53300"

    /// A connection of its own: those of the pool may all be lent to handlers for as long as these like.
    private func connected() async throws -> PostgresConnection {
        if let connection = state.withLock(\.connection), connection.isUsable { return connection }
        await close()
        let start = ContinuousClock.now
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        state.withLock { state in
            state.silence.connected(from: start)
            state.connection = connection
        }
        return connection
    }
}
