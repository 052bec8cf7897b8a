import Absurd
import EphemeralPostgres
import LibPQ
import Synchronization
import TestSupport
import Testing

/// Callers that spawn and emit while their server restarts.
@Suite(.timeLimit(.minutes(5)))
struct ProducerRestartTests {
    private static let callers = 16

    private final class Progress: Sendable {
        private let state = Mutex((answered: 0, isOver: false))
        var answered: Int { state.withLock(\.answered) }
        var isOver: Bool { state.withLock(\.isOver) }
        func answer() { state.withLock { $0.answered += 1 } }
        func end() { state.withLock { $0.isOver = true } }
    }

    @Test(arguments: [EphemeralPostgres.StopMode.fast, .immediate])
    func `concurrent spawns and emits outlast restarts of the server, and none counts twice`(
        _ mode: EphemeralPostgres.StopMode
    ) async throws {
        try await EphemeralPostgres.withServer { server in
            let client = try AbsurdClient(
                AbsurdConfiguration(server.connectionString), logger: .quiet)
            try await client.migrate()
            try await client.createQueue("default")
            let progress = Progress()
            let sent = try await withThrowingTaskGroup(of: Set<TaskID>.self) { group in
                for caller in 0..<Self.callers {
                    group.addTask { try await Self.send(client, caller, progress) }
                }
                try await Self.restart(server, mode, client, progress)
                progress.end()
                return try await group.reduce(into: [TaskID]()) { $0 += Array($1) }
            }
            #expect(Set(sent).count == sent.count)
            for table in ["t_default", "r_default", "e_default"] {
                let rows = try await client.pool.query("select count(*) from absurd.\(table)")
                #expect(try rows[0].decode(0, as: Int.self) == sent.count, "\(table)")
            }
            await client.close()
        }
    }

    /// Spawns and emits by turns until it is over; returns the tasks.
    private static func send(
        _ client: AbsurdClient, _ caller: Int, _ progress: Progress
    ) async throws -> Set<TaskID> {
        var tasks: Set<TaskID> = []
        while !progress.isOver {
            tasks.insert(try await client.spawn("counted", params: nil).taskID)
            try await client.emitEvent("\(caller) \(tasks.count)", caller)
            progress.answer()
        }
        return tasks
    }

    private static func restart(
        _ server: EphemeralPostgres, _ mode: EphemeralPostgres.StopMode, _ client: AbsurdClient,
        _ progress: Progress
    ) async throws {
        for round in 1...3 {
            let before = progress.answered
            try await eventually("calls are answered, round \(round)") {
                progress.answered > before + 4 * callers
            }
            guard round < 3 else { return }
            try await server.halt(mode)
            try await eventually("a connection is refused") { client.pool.trouble.failure != nil }
            try await server.resume()
        }
    }
}
