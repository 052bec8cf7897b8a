import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Worker processes that die; each is an exit test's process.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct DyingProcessTests {
    @Test func `a task that kills its process every time ends failed after its attempts`() async throws {
        let client = try makeClient()
        try await client.createQueue("deadly")
        let task = try await client.spawn(
            "deadly", params: nil, on: "deadly", options: SpawnOptions(maxAttempts: 2))
        // The pool that looks on has a queue of its own, so that only the deadly processes claim the task.
        try await withEngine([]) { _ in
            try await runDeadlyWorker(TestDatabase.current.connectionString, "first")
            let runs = "select state from absurd.r_deadly order by attempt"
            try await eventually("the first attempt is given up", within: .seconds(60)) {
                try await client.pool.query(runs).map { try $0.decode(0, as: String.self) }
                    == ["failed", "pending"]
            }
            try await runDeadlyWorker(TestDatabase.current.connectionString, "second")
            // Whoever has started the process knows, and need not wait for the verdict on a final attempt.
            #expect(try await client.processLost("second") == 1)
        }
        let error = await #expect(throws: TaskFailure.self) { try await task.result(timeout: .seconds(60)) }
        #expect(error?.name == "$WorkerLost")
        #expect(try await client.workers().isEmpty)
        await client.close()
    }

    @Test func `a process whose shared threads are all busy is not taken for dead`() async throws {
        let client = try makeClient()
        try await client.createQueue("busy")
        _ = try await client.spawn("busy", params: nil, on: "busy")
        try await client.pool.withConnection {
            try await $0.execute(
                script: """
                    create table beats (at timestamptz not null, running integer not null);
                    create function note_beat() returns trigger language plpgsql as $$
                    begin
                      insert into beats values (new.beat_at, new.running);
                      return null;
                    end $$;
                    create trigger note_beat after update of beat_at on absurd_swift.workers
                      for each row execute function note_beat();
                    """)
        }
        await #expect(processExitsWith: .success) {
            [url = TestDatabase.current.connectionString as String] in
            let handler = Handler("busy") { _ in
                let end = ContinuousClock.now + .seconds(5)
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<(4 * ProcessInfo.processInfo.activeProcessorCount) {
                        // Wherever handlers execute: it is the shared threads that are to be busy.
                        group.addTask(executorPreference: globalConcurrentExecutor) { while .now < end {} }
                    }
                }
                exit(0)
            }
            let client = try AbsurdClient(AbsurdConfiguration(url))
            try await WorkerPool(client, queue: "busy", handlers: [handler]).run()
        }
        // From the claim to the end; three seconds would be the death of the worker.
        let row = try await client.pool.query(
            """
            select count(*) as count, coalesce(max(extract(epoch from gap)), 0)::float8 as longest
            from (select at - lag(at) over (order by at) as gap from beats where running > 0) b
            """)[0]
        #expect(try row.decode("count", as: Int.self) >= 3)
        #expect(try row.decode("longest", as: Double.self) < 2)
        await client.close()
    }
}

/// Runs a process whose worker is killed by its task.
private func runDeadlyWorker(_ url: String, _ process: String) async throws {
    await #expect(processExitsWith: .signal(SIGKILL)) { [url, process] in
        setenv("ABSURD_PROCESS", process, 1)
        let handler = Handler("deadly") { _ in
            kill(getpid(), SIGKILL)
            return .complete
        }
        let client = try AbsurdClient(AbsurdConfiguration(url))
        try await WorkerPool(client, queue: "deadly", handlers: [handler]).run()
    }
}
