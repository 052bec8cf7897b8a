import Absurd
import InMemoryLogging
import LibPQ
import Logging
import Synchronization
import TestSupport
import Testing

/// What an absence of the database leaves in the log.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct OutageLogTests {
    private static let slots = 64

    @Test func `an absence in which all claims run out is told in five lines at most`() async throws {
        let gate = HoldPoint()
        let executing = Atomic<Int>(0)
        let handler = Handler("job") { context in
            if context.attempt == 1 {
                executing.add(1, ordering: .relaxed)
                await gate.arriveAndWait()
            }
            try await context.step("one") { 1 }
            return .complete
        }
        let logs = InMemoryLogHandler()
        let logger = Logger(label: "test") { _ in logs }
        let client = try makeClient(logger: logger)
        try await client.createQueue("default")
        let store = SwitchedStore(PostgresRunStore(pool: client.pool))
        let options = testOptions {
            $0.concurrency = Self.slots
            $0.claimTimeout = .seconds(10)
        }
        let pool = try WorkerPool(
            client, queue: "default", handlers: [handler], options: options, store: store)
        let retrying = SpawnOptions(maxAttempts: 50)
        let tasks = try await client.spawnMany(
            (0..<Self.slots).map { _ in try SpawnRequest("job", params: nil, options: retrying) })
        let lapsed = HoldPoint()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { gate.open() }
            let events = pool.events(bufferSize: 10_000)
            group.addTask {
                var count = 0
                for await event in events {
                    if case .claimLapsed = event.kind { count += 1 }
                    if count == Self.slots { lapsed.arrive() }
                }
            }
            group.addTask { try await pool.run() }
            try await eventually("all slots execute") { executing.load(ordering: .relaxed) == Self.slots }
            let before = logs.entries.count
            store.isAway = true
            gate.open()
            try await eventually("the absence is noticed") {
                logs.entries.contains { "\($0.message)".hasPrefix("the database does not answer") }
            }
            await lapsed.untilArrived()
            store.isAway = false
            for task in tasks { _ = try await task.result(timeout: .seconds(60)) }
            let lines = logs.entries.dropFirst(before).filter { $0.level >= .info }
            #expect(lines.count <= 5, "\(lines.map { "\($0.message) \($0.metadata)" })")
            #expect(lines.contains { $0.message == "the database answers again" })
            group.cancelAll()
        }
        await client.close()
    }
}
