import Absurd
import ArgumentParser
import BenchmarkSupport
import Foundation
import LibPQ

/// Tasks of three steps on four worker processes, of which one after the other is killed inside a step.
///
/// Each body of a step appends a row with a token of its own to the table `effects` and returns the token. A trigger
/// notes every write of a checkpoint in the table `recorded`. So the rows say what was executed and what was
/// recorded, without asking the engine.
struct Endurance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs tasks of three steps while worker processes are killed with kill -9.")

    static let queue = "endurance"

    @Option(help: "How many tasks.")
    var tasks = 10_000

    @Option(help: "How often a worker process is killed.")
    var kills = 60

    @Option(help: "How many worker processes.")
    var workers = 4

    @Option(help: "Open tasks at most. An interrupted one waits behind those due before it.")
    var open = 300

    @Option(help: "Seconds after which the run is given up.")
    var limit = 240

    @OptionGroup var report: ReportOptions

    func run() async throws {
        let deadline = ContinuousClock.now + .seconds(limit)
        try await PrivateDatabase.with { database in
            try await prepare(database)
            let start = ContinuousClock.now
            let fleet = try await Fleet(size: workers, workload: "three-steps", queue: Self.queue, database)
            async let spawning: Void = spawnTasks(database, deadline)
            var killed: [KilledStep] = []
            for number in 1...kills {
                // Spread over the whole run: the next one when its share of the tasks is done.
                try await waitForCompleted(tasks * number / (kills + 2), database, deadline)
                killed.append(try await fleet.killOne(at: number.isMultiple(of: 2) ? "before" : "after"))
                if number.isMultiple(of: 10) { progress("\(number) workers killed") }
            }
            try await spawning
            try await waitForAll(database, deadline)
            let duration = ContinuousClock.now - start
            try await fleet.stop()
            try await verdict(database, killed, duration).publish(report)
        }
    }

    private func prepare(_ database: PrivateDatabase) async throws {
        try await database.client.createQueue(Self.queue)
        try await database.execute(
            """
            create table effects (
              token text primary key,
              task_id uuid not null,
              step text not null,
              attempt integer not null,
              worker text not null,
              begun_at timestamptz not null
            );
            create table recorded (
              task_id uuid not null,
              step text not null,
              state jsonb,
              at timestamptz not null default clock_timestamp()
            );
            create function note_checkpoint() returns trigger language plpgsql as $$
            begin
              insert into recorded (task_id, step, state) values (new.task_id, new.checkpoint_name, new.state);
              return null;
            end;
            $$;
            create trigger note_checkpoint after insert or update on absurd.c_\(Self.queue)
              for each row execute function note_checkpoint();
            create table killed (worker text, task_id uuid, step text, at timestamptz);
            """)
    }

    /// Spawns as fast as tasks are completed.
    private func spawnTasks(_ database: PrivateDatabase, _ deadline: ContinuousClock.Instant) async throws {
        let kind = TaskKind<Int, [String]>("three-steps", queue: Self.queue, maxAttempts: .unlimited)
        var spawned = 0
        while spawned < tasks {
            let count = min(100, tasks - spawned)
            try await waitForCompleted(spawned + count - open, database, deadline)
            let requests = try (spawned..<spawned + count).map { try SpawnRequest(kind, $0) }
            spawned += try await database.client.spawnMany(requests).count
        }
    }

    private func waitForCompleted(
        _ count: Int, _ database: PrivateDatabase, _ deadline: ContinuousClock.Instant
    ) async throws {
        try await database.wait(
            for: "\(count) completed tasks", until: deadline,
            "select count(*) >= $1 from absurd.t_\(Self.queue) where state = 'completed'",
            [.int(Int64(count))])
    }

    /// Not an error when time runs out: the verdict shows what is missing.
    private func waitForAll(_ database: PrivateDatabase, _ deadline: ContinuousClock.Instant) async throws {
        do {
            try await waitForCompleted(tasks, database, deadline)
        } catch is MeasurementError {
            progress("not all tasks were completed in time")
        }
    }
}
